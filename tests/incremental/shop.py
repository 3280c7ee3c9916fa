"""A small project of its own that takes over `macros/incremental`, built in this process."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from dbt.adapters.databricks.impl import DatabricksAdapter
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner

from lakehouse.home import CHECKOUT
from tests.support import Workspace

_TOY = Path(__file__).parent / "toy"
TABLES = ("stg_orders", "daily_amounts", "customers", "greatest_days", "moves")
_HISTORY = """
    with neighbours as (
        select *, lag(city) over (partition by customer_id order by ordered_at) as city_before
        from {schema}.moves
    ),
    versions as (select * from neighbours where not (city <=> city_before))
    select customer_id, city, ordered_at as valid_from,
           lead(ordered_at) over (partition by customer_id order by ordered_at) as valid_to
    from versions
"""
_VERSIONS = """
    select customer_id, city, dbt_valid_from, dbt_valid_to from {schema}.customer_history
"""
_ORDERS = """
    create table raw.orders (
        order_key string, customer_id string, city string, amount int,
        ordered_at timestamp, arrived_at timestamp
    ) using delta tblproperties (
        'delta.enableChangeDataFeed' = 'true', 'delta.enableInCommitTimestamps' = 'true'
    )
"""


class Killed(Exception):
    """A build ended in its middle."""


@dataclass
class Shop:
    """The project's folder, and the workspace it is built in."""

    folder: Path
    workspace: Workspace
    orders: int = 0

    def make_raw(self) -> None:
        """Make the source anew, without rows."""
        for statement in ("create schema if not exists raw", "drop table if exists raw.orders"):
            self.workspace.sql(statement)
        self.workspace.sql(_ORDERS)

    def order(self, customer: str, city: str, amount: int, day: int, arrived: int = 0) -> int:
        """One order of a day in March 2024 arrives; its key."""
        self.orders += 1
        self.workspace.sql(
            f"insert into raw.orders values ('{self.orders}', '{customer}', '{city}', {amount}, "
            f"timestamp'2024-03-{day:02} 10:00', timestamp'2024-03-{arrived or day:02} 11:00')"
        )
        return self.orders

    def restore(self) -> None:
        """The project's files as they are committed, and none beside them."""
        for name in ("models", "macros", "seeds"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        # With new times: dbt takes a file that is older than what it parsed for one it knows.
        shutil.copytree(_TOY, self.folder, dirs_exist_ok=True, copy_function=shutil.copy)
        shutil.copytree(CHECKOUT / "macros" / "incremental", self.folder / "macros" / "incremental")

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file of the project."""
        file = self.folder / path
        text = file.read_text("utf-8")
        assert old in text, (path, old)
        file.write_text(text.replace(old, new), "utf-8")

    def build(self, *arguments: str, command: str = "build") -> dict[str, str]:
        """Run dbt; what it says of each node. Fails where a node does."""
        done = self.run(command, *arguments)
        failed = {
            name: said for name, (status, said) in done.items() if status in ("error", "fail")
        }
        assert not failed, failed
        return {name: said for name, (_, said) in done.items()}

    def run(self, command: str, *arguments: str) -> dict[str, tuple[str, str]]:
        """Run dbt; status and message of each node that was not skipped."""
        options = ("--project-dir", str(self.folder), "--profiles-dir", str(CHECKOUT))
        # dbt was imported before the workspace had a token.
        token = {"LAKEHOUSE_TOKEN": self.workspace.home.token}
        with mock.patch.dict(os.environ, token):
            done = dbtRunner().invoke([command, *options, "--quiet", *arguments])
        assert isinstance(done.result, RunExecutionResult), done.exception
        return {
            result.node.name: (str(result.status), result.message or "")
            for result in done.result.results
            if result.status != "skipped" and str(result.node.resource_type) != "operation"
        }

    def refused(self, *arguments: str) -> str:
        """Run a build that must fail; what it says."""
        done = self.run("build", *arguments)
        return " ".join(said for status, said in done.values() if status == "error")

    def assert_right(self, schema: str = "shop") -> None:
        """Each table holds what its full build gives, the snapshot the whole log."""
        history, versions = _HISTORY.format(schema=schema), _VERSIONS.format(schema=schema)
        pairs = {"customer_history": (history, versions)}
        for name in TABLES:
            query = (self.folder / f"target/compiled/shop/models/{name}.sql").read_text("utf-8")
            pairs[name] = (query.split("sort by")[0], f"select * from {schema}.{name}")
        differing = " union all ".join(
            f"select '{name}' as name, count(*) as n from ("
            f"(select * from ({one}) except all select * from ({other})) union all "
            f"(select * from ({other}) except all select * from ({one})))"
            for name, (one, other) in pairs.items()
        )
        assert not self.workspace.sql(f"select * from ({differing}) where n > 0")

    def commits(self) -> dict[str, int]:
        """The newest commit of each table."""
        names = (*TABLES, "customer_history", "bands")
        return {
            name: self.workspace.sql(f"describe history shop.{name} limit 1")[0]["version"]
            for name in names
        }

    @contextmanager
    def killed_behind_the_rows_of(self, table: str) -> Iterator[None]:
        """Builds in the block die before they note what they wrote to a table."""
        execute = DatabricksAdapter.execute

        def dying(adapter: Any, sql: str, *args: Any, **options: Any) -> Any:
            if "set tblproperties" in sql and f"`{table}`" in sql and "in doubt" not in sql:
                raise Killed(table)
            return execute(adapter, sql, *args, **options)

        with mock.patch.object(DatabricksAdapter, "execute", dying):
            yield


def shop(folder: Path, workspace: Workspace) -> Shop:
    """The toy project in a folder, with a copy of the mechanism."""
    made = Shop(folder, workspace)
    made.restore()
    made.make_raw()
    return made


def variables(**values: object) -> tuple[str, str]:
    """dbt's options for variables."""
    return "--vars", json.dumps(values)

"""Kept descriptions are given only while they are true, whoever changes the table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.endpoint.descriptions import About, Descriptions, question
from tests.endpoint.conftest import Client
from tests.support import Workspace

ABOUT = About("silver", "t", "describe silver.t")


class Asked:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    (tmp_path / "silver.db" / "t" / "_delta_log").mkdir(parents=True)
    commit(tmp_path, 0)
    return tmp_path


def commit(warehouse: Path, version: int) -> Path:
    file = warehouse / "silver.db" / "t" / "_delta_log" / f"{version:020}.json"
    fresh = file.with_suffix(".new")
    fresh.write_text("{}")
    return fresh.rename(file)


def test_an_answer_holds_until_the_next_commit(warehouse: Path) -> None:
    kept, ask = Descriptions(warehouse), Asked()
    assert [kept.get(ABOUT, ask) for _ in range(3)] == [1, 1, 1]
    commit(warehouse, 1)
    assert [kept.get(ABOUT, ask) for _ in range(2)] == [2, 2]
    for version in (2, 3, 4):
        commit(warehouse, version)
    assert [kept.get(ABOUT, ask) for _ in range(2)] == [3, 3]


def test_old_commits_may_be_cleaned_up(warehouse: Path) -> None:
    kept, ask = Descriptions(warehouse), Asked()
    newest = [commit(warehouse, version) for version in (1, 2)]
    assert kept.get(ABOUT, ask) == 1
    newest[0].unlink()
    assert kept.get(ABOUT, ask) == 1


def test_a_table_made_anew_is_another(warehouse: Path) -> None:
    kept, ask = Descriptions(warehouse), Asked()
    assert kept.get(ABOUT, ask) == 1
    log = warehouse / "silver.db" / "t" / "_delta_log"
    shutil.rmtree(log)
    assert [kept.get(ABOUT, ask) for _ in range(2)] == [2, 3]  # no log, nothing to hold on to
    log.mkdir()
    commit(warehouse, 0)
    assert [kept.get(ABOUT, ask) for _ in range(2)] == [4, 4]


def test_an_answer_during_which_a_commit_came_is_not_kept(warehouse: Path) -> None:
    kept, ask = Descriptions(warehouse), Asked()

    def while_committing() -> int:
        commit(warehouse, 1)
        return ask()

    assert kept.get(ABOUT, while_committing) == 1
    assert kept.get(ABOUT, ask) == 2


def test_a_failed_answer_is_not_kept(warehouse: Path) -> None:
    kept, ask = Descriptions(warehouse), Asked()

    def fail() -> int:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        kept.get(ABOUT, fail)
    assert kept.get(ABOUT, ask) == 1


@pytest.mark.parametrize("name", ["no such", "../t", "*", "t|u", ""])
def test_names_that_are_no_tables_are_asked_about_each_time(warehouse: Path, name: str) -> None:
    kept, ask = Descriptions(warehouse), Asked()
    assert [kept.get(About("silver", name, "?"), ask) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("/* dbt */\ndescribe extended `spark_catalog`.`silver`.`t`", "t"),
        ("SHOW TBLPROPERTIES silver.t;", "t"),
        ("describe history `silver`.`t` limit 1", "t"),
        ("DESC TABLE silver.t", "t"),
        ("describe history silver.t limit ?", None),  # a parameter says how many
        ("describe extended t", None),  # perhaps a temporary view
        ("describe other.silver.t", None),
        ("describe silver.t column_a", None),
        ("show tblproperties silver.t ('a')", None),
        ("describe history silver.t; drop table silver.t", None),
        ("describe detail silver.t", None),
        ("select 'describe silver.t'", None),
        ("show tables in silver", None),
    ],
)
def test_only_whole_descriptions_of_one_table_are_kept(sql: str, table: str | None) -> None:
    found = question(sql)
    assert (found and found.table) == table


def test_texts_that_ask_for_different_things_are_different_questions() -> None:
    asked = ("describe silver.t", "describe extended silver.t", "show tblproperties silver.t")
    histories = ("describe history silver.t", "describe history silver.t limit 1")
    assert len({question(sql) for sql in (*asked, *histories)}) == 5


# Through the endpoint


@pytest.fixture
def other(workspace: Workspace) -> Iterator[Client]:
    with workspace.connect() as connection:
        yield Client(connection)


def described(client: Client, table: str) -> dict[str, Any]:
    """All that a client can ask of a table."""
    schema, name = table.split(".")
    return {
        "json": client.value(f"describe table extended lakehouse.{table} as json"),
        "extended": client.rows(f"describe extended lakehouse.{table}"),
        "properties": client.rows(f"show tblproperties lakehouse.{table}"),
        "version": client.rows(f"describe history lakehouse.{table} limit 1")[0]["version"],
        "listed": client.rows(f"show table extended in {schema} like '{name}'"),
        "columns": client.rows(
            "select column_name, full_data_type, is_nullable, comment from"
            f" lakehouse.information_schema.columns where table_schema = '{schema}'"
            f" and table_name = '{name}'"
        ),
    }


@pytest.mark.parametrize(
    "change",
    [
        "insert into lakehouse.{} values (7)",
        "alter table lakehouse.{} add columns (b string comment 'new')",
        "alter table lakehouse.{} set tblproperties ('k' = 'v')",
        "comment on table lakehouse.{} is 'said later'",
        "alter table lakehouse.{} alter column a comment 'said later'",
        "create or replace table lakehouse.{} (z date) using delta",
    ],
)
def test_every_change_by_another_client_shows_at_once(
    client: Client, other: Client, schema: str, change: str
) -> None:
    table = f"{schema}.changing"
    client.rows(f"create or replace table lakehouse.{table} (a int) using delta")
    before = described(client, table)
    assert described(client, table) == before
    other.rows(change.format(table))
    after = described(client, table)
    assert after["version"] > before["version"]
    if not change.startswith("insert"):
        different = [name for name in before if before[name] != after[name]]
        assert len(different) > 1, different
    other.rows(f"drop table lakehouse.{table}")
    for ask in ("describe extended", "show tblproperties", "describe history"):
        with pytest.raises(Exception, match="NOT_FOUND"):
            client.rows(f"{ask} lakehouse.{table}")


def test_a_table_that_was_dropped_and_made_again_or_renamed_is_another(
    client: Client, other: Client, schema: str
) -> None:
    table = f"{schema}.again"
    client.rows(f"create table lakehouse.{table} (a int) using delta")
    described(client, table)
    other.rows(f"drop table lakehouse.{table}")
    other.rows(f"create table lakehouse.{table} (b string) using delta")
    assert [row["column_name"] for row in described(client, table)["columns"]] == ["b"]
    other.rows(f"alter table lakehouse.{table} rename to lakehouse.{schema}.renamed")
    with pytest.raises(Exception, match="NOT_FOUND"):
        client.rows(f"describe extended lakehouse.{table}")
    assert [row["column_name"] for row in described(client, f"{schema}.renamed")["columns"]] == [
        "b"
    ]
    other.rows(f"create view lakehouse.{table} as select 1 as v")
    found = client.rows(f"describe lakehouse.{table}")
    assert [row["col_name"] for row in found] == ["v"]
    other.rows(f"drop view lakehouse.{table}")


def test_a_temporary_view_is_described_as_it_is_now(client: Client, schema: str) -> None:
    client.rows(f"use {schema}")
    client.rows(f"create or replace table lakehouse.{schema}.v (of_table int) using delta")
    for column in ("a", "b"):
        client.rows(f"create or replace temporary view `v` as select 1 as {column}")
        assert f'"{column}"' in client.value("describe table extended `v` as json")
    client.rows("drop view v")
    client.rows("select 'create temporary view v as select 1' as no_statement")
    found = client.value("describe table extended `v` as json")
    assert '"of_table"' in found
    assert '"MANAGED"' in found
    assert f'"schema_name": "{schema}"' in found
    client.rows("use default")
    with pytest.raises(Exception, match="NOT_FOUND"):
        client.rows("describe table extended `v` as json")

"""Which statements are set up for large tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lakehouse.endpoint.sizes import LARGE_BYTES, Sizes
from lakehouse.spark import FOR_LARGE_TABLES, FOR_SMALL_TABLES
from tests.endpoint.conftest import Client


class Session:
    """A session over a warehouse of one small and one large table, and what it was told."""

    def __init__(self, warehouse: Path) -> None:
        for folder, size in {
            "silver.db/small": 1000,
            "silver.db/large/date=2026-01-01": LARGE_BYTES + 1,
            "gold.db/changes/_change_data": LARGE_BYTES + 1,
        }.items():
            (warehouse / folder).mkdir(parents=True)
            with (warehouse / folder / "part-0.parquet").open("wb") as file:
                file.truncate(size)
        self.told: list[Mapping[str, str]] = []
        self.sizes = Sizes(warehouse, self.told.append)

    def is_large(self, sql: str) -> bool:
        """Whether Spark is set up for large tables when this runs."""
        self.sizes.prepare(sql)
        return self.told[-1] == FOR_LARGE_TABLES


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


@pytest.mark.parametrize(
    "sql, large",
    [
        ("select 1", False),
        ("select * from silver.small", False),
        ("select small.date from silver.small where 'silver.large' = 'a'", False),
        ("select * from gold.changes", False),
        ("select * from silver.large", True),
        ("SELECT * FROM `lakehouse`.`Silver`.`LARGE`", True),
        ("insert into silver.small select * from silver.large", True),
        # A view: what it reads is not known, and may be all of its schema.
        ("select * from silver.a_view", True),
        ("select * from gold.a_view", False),
    ],
)
def test_by_the_tables_that_are_named(session: Session, sql: str, large: bool) -> None:
    assert session.is_large(sql) == large


def test_a_view_of_the_session_stands_for_its_tables(session: Session) -> None:
    session.is_large("create or replace temporary view `a__dbt_tmp` as select * from silver.large")
    assert not session.is_large("create table silver.small as select 1 as a")
    assert session.is_large("insert into silver.small by name select * from `a__dbt_tmp`")
    assert session.is_large("create view b as select * from a__dbt_tmp")
    assert session.is_large("select * from B")


def test_spark_is_told_when_it_changes(session: Session) -> None:
    for table in ("small", "small", "large", "large", "small"):
        session.sizes.prepare(f"select * from silver.{table}")
    assert session.told == [FOR_SMALL_TABLES, FOR_LARGE_TABLES, FOR_SMALL_TABLES]


def test_spark_plans_by_the_size_of_the_tables(client: Client, schema: str) -> None:
    tables = {"small": "array(1)", "large": "sequence(1, 500000)"}
    plans = {}
    for table, numbers in tables.items():
        name = f"{schema}.{table}"
        client.rows(f"create table {name} as select uuid() as id from (select explode({numbers}))")
        plans[table] = str(client.value(f"explain select id, count(*) from {name} group by id"))
    assert "AdaptiveSparkPlan" in plans["large"]
    assert "AdaptiveSparkPlan" not in plans["small"]

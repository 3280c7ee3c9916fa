"""Settings of the database pull, and what becomes of a database's types; without a database."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DataType,
    DecimalType,
    DoubleType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from ingestion import jdbc
from ingestion.config import Config, load
from ingestion.feeds import JDBC_FEEDS, IngestionError


def test_sql_server_and_unknown_databases() -> None:
    config = Config(
        jdbc={
            "url": "jdbc:sqlserver://db.example.net:1433;databaseName=gyms;encrypt=true",
            "user": "reader",
            "password": "hush",
        }
    )
    assert jdbc.options(config, "dbo.gym_logins") == {
        "url": config.jdbc["url"],
        "dbtable": "dbo.gym_logins",
        "driver": "com.microsoft.sqlserver.jdbc.SQLServerDriver",
        "fetchsize": "5000",
        "user": "reader",
        "password": "hush",
        "queryTimeout": "600",
        "loginTimeout": "30",
        "socketTimeout": "630000",
    }
    postgres = replace(config, jdbc={"url": "jdbc:postgresql://h/d", "timeout_seconds": "60"})
    found = jdbc.options(postgres, "t")
    assert (found["queryTimeout"], found["socketTimeout"]) == ("60", "90")
    with pytest.raises(IngestionError, match="driver"):
        jdbc.options(Config(jdbc={"url": "jdbc:sqlite:x"}), "t")


def source(**types: DataType) -> jdbc.Source:
    """A table with these types, as Spark reads them from the database; the others are text."""
    (feed,) = (feed for feed in JDBC_FEEDS if feed.table == "gym_logins")
    kinds = {**dict.fromkeys(feed.columns, StringType()), **types}
    rows: Any = SimpleNamespace(schema=StructType([StructField(n, k) for n, k in kinds.items()]))
    return jdbc.Source(rows, feed, "dbo.gym_logins")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TimestampType(), "unix_micros"),  # datetime2, datetimeoffset
        (TimestampNTZType(), "unix_micros"),  # datetime2 too, by a setting
        (BooleanType(), "cast(`login` as string)"),  # bit
        (StringType(), "cast(`login` as string)"),  # uniqueidentifier
        (DecimalType(18, 3), "cast(`login` as string)"),
    ],
    ids=["datetime2", "datetime2 without a zone", "bit", "uniqueidentifier", "decimal"],
)
def test_sql_servers_types_as_text(kind: DataType, text: str) -> None:
    assert text in source(login=kind)._text("login")


def test_columns_that_differ_in_case_alone_are_refused() -> None:
    with pytest.raises(IngestionError, match=r"differ in case alone \(gym\)"):
        source(GYM=DoubleType())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (BinaryType(), "hex(`gym`)"),
        (DoubleType(), "cast(cast(`gym` as decimal(20, 0)) as string)"),
    ],
)
def test_ids_of_other_types_as_text(kind: DataType, text: str) -> None:
    found = source(gym=kind)._text("gym")
    assert text in found
    assert found.startswith("coalesce(")


def test_rows_without_a_time_are_always_pulled() -> None:
    assert source(login=DoubleType())._since(12.5) == "`login` >= 12.5 or `login` is null"
    assert source(login=TimestampType())._since(12.5) == (
        "`login` >= timestamp_micros(bigint(12.5 * 1000000)) or `login` is null"
    )
    # A time that is no number is none.
    assert source()._since(12.5) == (
        "try_cast(`login` as double) >= 12.5 or try_cast(`login` as double) is null"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FITBIT_INGEST_JDBC_PASSWROD", "hush"),
        ("FITBIT_INGEST_JDBC_GYM_LOGINS_WINDOW_DAYS", "a week"),
        ("FITBIT_INGEST_JDBC_GYM_LOGINS_OVERLAP_MINUTES", "long"),
        ("FITBIT_INGEST_JDBC_TIMEOUT_SECONDS", "never"),
        ("FITBIT_INGEST_JDBC_USER", "reader"),
    ],
)
def test_settings_that_cannot_be_meant(name: str, value: str) -> None:
    base = Config(landing="/l", checkpoints="/c", leases="/s", kafka={"bootstrap.servers": "x:1"})
    with pytest.raises(IngestionError) as caught:
        load({name: value}, base=base)
    assert "hush" not in str(caught.value)

"""Rows pulled from a database: each version once, whatever happens meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ingestion import jdbc
from ingestion.config import Config, load
from ingestion.feeds import IngestionError
from tests.ingestion.drills import Drills
from tests.ingestion.postgres import PASSWORD, USER, Postgres, postgres


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        server.execute(
            "create table logins (mac_address text, gym int, login double precision, "
            "logout double precision, note text)",
            "create table users (user_id bigint, device_id text, mac_address text, "
            "registration_timestamp timestamp, modified_at timestamp default now())",
        )
        yield server


def pull(drills: Drills, database: Postgres, feed: str, **settings: str) -> str:
    environment = {
        "FITBIT_INGEST_JDBC_URL": database.url,
        "FITBIT_INGEST_JDBC_USER": USER,
        "FITBIT_INGEST_JDBC_PASSWORD": PASSWORD,
        "FITBIT_INGEST_JDBC_GYM_LOGINS_TABLE": "logins",
        "FITBIT_INGEST_JDBC_REGISTERED_USERS_TABLE": "users",
        "FITBIT_INGEST_JDBC_REGISTERED_USERS_WATERMARK": "modified_at",
        "FITBIT_INGEST_MAX_RESTARTS": "0",
        **settings,
    }
    return drills.drain("--feed", feed, environment=environment)


def rows(drills: Drills, table: str) -> list[dict[str, Any]]:
    return drills.space.sql(f"select * from bronze.{table} where source_file like 'jdbc:%'")


def test_a_sliding_window_over_the_rows_own_time(drills: Drills, database: Postgres) -> None:
    day = 86400
    start = 1_700_000_000
    database.execute(
        f"insert into logins select 'm' || n, n, {start} + n * {day}, null, 'x' "
        "from generate_series(1, 20) n",
        # Milliseconds for seconds: must not hide all that comes later.
        f"insert into logins values ('far', 1, {start}000, null, null)",
    )
    assert "feed=gym_logins_jdbc rows=21 deletes=0 " in pull(drills, database, "gym_logins_jdbc")
    assert "rows=0 deletes=0 " in pull(drills, database, "gym_logins_jdbc")
    found = {row["mac_address"]: row for row in rows(drills, "gym_logins")}
    assert found["m1"]["gym"] == "1"
    assert float(found["m1"]["login"]) == start + day
    assert found["m1"]["logout"] is None
    assert json.loads(found["m1"]["raw"])["note"] == "x"
    assert len({row["record_id"] for row in found.values()}) == 21

    database.execute(
        "update logins set logout = login + 60 where mac_address in ('m2', 'm19')",
        f"insert into logins values ('new', 3, {start} + 20 * {day}, null, null)",
        "delete from logins where mac_address in ('m3', 'm18')",
    )
    # m2 and m3 lie before the window of 7 days.
    assert "rows=2 deletes=1 " in pull(drills, database, "gym_logins_jdbc")
    assert "rows=0 deletes=0 " in pull(drills, database, "gym_logins_jdbc")
    versions = [row["logout"] for row in rows(drills, "gym_logins") if row["mac_address"] == "m19"]
    assert sorted(value is None for value in versions) == [False, True]
    (gone,) = drills.space.sql("select * from bronze.source_deletes")
    assert json.loads(gone["record_key"])["mac_address"] == "m18"
    wide = pull(
        drills, database, "gym_logins_jdbc", FITBIT_INGEST_JDBC_GYM_LOGINS_WINDOW_DAYS="365"
    )
    assert "rows=1 deletes=1 " in wide


def test_a_watermark_with_ties_and_a_connection_lost(drills: Drills, database: Postgres) -> None:
    database.execute(
        "insert into users select n, 'd' || n, 'AA', timestamp '2024-01-01 00:00:00.5', "
        "timestamp '2024-02-01' from generate_series(1, 5) n"
    )
    assert "rows=5 " in pull(drills, database, "registered_users_jdbc")
    # The same modified_at as before, and one of a transaction that committed late.
    database.execute(
        "insert into users values (6, 'd6', 'AA', timestamp '2024-01-02', timestamp '2024-02-01')",
        "insert into users values (7, 'd7', 'AA', timestamp '2024-01-02', "
        "timestamp '2024-01-31 23:30')",
    )
    database.stop()
    with pytest.raises(AssertionError, match="cannot go on") as lost:
        pull(drills, database, "registered_users_jdbc")
    assert PASSWORD not in str(lost.value)
    database.start()
    assert "rows=2 " in pull(drills, database, "registered_users_jdbc")
    found = {row["user_id"]: row for row in rows(drills, "registered_users")}
    assert sorted(found) == ["1", "2", "3", "4", "5", "6", "7"]
    assert found["1"]["registration_timestamp"] == "1704067200.500000"
    assert str(found["7"]["source_modified_at"]).startswith("2024-01-31 23:30")


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
    }
    with pytest.raises(IngestionError, match="driver"):
        jdbc.options(Config(jdbc={"url": "jdbc:sqlite:x"}), "t")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FITBIT_INGEST_JDBC_PASSWROD", "hush"),
        ("FITBIT_INGEST_JDBC_GYM_LOGINS_WINDOW_DAYS", "a week"),
        ("FITBIT_INGEST_JDBC_USER", "reader"),
    ],
)
def test_settings_that_cannot_be_meant(name: str, value: str) -> None:
    base = Config(landing="/l", checkpoints="/c", leases="/s", kafka={"bootstrap.servers": "x:1"})
    with pytest.raises(IngestionError) as caught:
        load({name: value}, base=base)
    assert "hush" not in str(caught.value)

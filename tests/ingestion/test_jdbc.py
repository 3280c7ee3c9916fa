"""Rows pulled from a database: each version once, whatever happens meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lakehouse.client import CommandFailed
from tests.ingestion.drills import Drills
from tests.ingestion.postgres import PASSWORD, USER, Postgres, postgres
from tests.support import until

pytestmark = pytest.mark.drill


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
    return drills.workspace.sql(f"select * from bronze.{table} where source_file like 'jdbc:%'")


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
    assert found["m1"]["logout"] == ""
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
    assert sorted(value == "" for value in versions) == [False, True]
    (gone,) = drills.workspace.sql("select * from bronze.source_deletes")
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
    with pytest.raises(CommandFailed, match="cannot go on") as lost:
        pull(drills, database, "registered_users_jdbc")
    assert PASSWORD not in str(lost.value)
    database.start()
    assert "rows=2 " in pull(drills, database, "registered_users_jdbc")
    found = {row["user_id"]: row for row in rows(drills, "registered_users")}
    assert sorted(found) == ["1", "2", "3", "4", "5", "6", "7"]
    assert found["1"]["registration_timestamp"] == "1704067200.500000"
    assert str(found["7"]["source_modified_at"]).startswith("2024-01-31 23:30")


def test_rows_without_a_time_and_times_that_are_text(drills: Drills, database: Postgres) -> None:
    database.execute(
        "create table oddities (mac_address text, gym int, login text, logout text)",
        "insert into oddities values ('a', 1, '1700000000', null), ('b', 1, null, null), "
        "('c', 1, 'soon', null)",
        "create table undated (user_id int, device_id text, mac_address text, "
        "registration_timestamp timestamp, modified_at timestamp)",
        "insert into undated values (91, 'd', 'AA', timestamp '2024-01-01', now())",
    )
    logins = {"FITBIT_INGEST_JDBC_GYM_LOGINS_TABLE": "oddities"}
    users = {"FITBIT_INGEST_JDBC_REGISTERED_USERS_TABLE": "undated"}
    assert "rows=3 " in pull(drills, database, "gym_logins_jdbc", **logins)
    assert "rows=1 " in pull(drills, database, "registered_users_jdbc", **users)
    database.execute(
        "insert into oddities values ('d', 1, null, null), ('e', 1, 'later', null)",
        "insert into undated values (92, 'd', 'AA', timestamp '2024-01-01', null)",
    )
    assert "rows=2 " in pull(drills, database, "gym_logins_jdbc", **logins)
    assert "rows=1 " in pull(drills, database, "registered_users_jdbc", **users)


def test_columns_of_any_case_and_type_are_fields_as_text(
    drills: Drills, database: Postgres
) -> None:
    database.execute(
        'create table "Visits" ("MAC_ADDRESS" bytea, "Gym" double precision, "LOGIN" timestamptz, '
        '"LogOut" timestamp, "UserId_unused" int)',
        "insert into \"Visits\" values ('\\x02005e000601', 12000000000, "
        "'2024-03-01 12:00:00.5+02', '2024-03-01 11:00', 1), "
        "(null, 6.5, '2024-03-01 10:00:00+00', null, 2)",
        'create table "Registrations" ("User_ID" numeric(10), "DEVICE_ID" uuid, '
        '"Mac_Address" macaddr, "Registration_Timestamp" date)',
        "insert into \"Registrations\" values (6001, '00000000-0000-0000-0000-00000000000a', "
        "'02:00:5e:00:06:01', '2024-02-01')",
    )
    visits = {"FITBIT_INGEST_JDBC_GYM_LOGINS_TABLE": '"Visits"'}
    assert "rows=2 deletes=0 " in pull(drills, database, "gym_logins_jdbc", **visits)
    assert "rows=0 deletes=0 " in pull(drills, database, "gym_logins_jdbc", **visits)
    found = drills.workspace.sql(
        "select mac_address, gym, login, logout from bronze.gym_logins "
        "where source_file = 'jdbc:\"Visits\"' order by gym"
    )
    assert [tuple(row.values()) for row in found] == [
        ("02005E000601", "12000000000", "1709287200.500000", "1709290800.000000"),
        ("", "6.5", "1709287200.000000", ""),
    ]
    users = {
        "FITBIT_INGEST_JDBC_REGISTERED_USERS_TABLE": '"Registrations"',
        "FITBIT_INGEST_JDBC_REGISTERED_USERS_WATERMARK": "REGISTRATION_TIMESTAMP",
    }
    assert "rows=1 " in pull(drills, database, "registered_users_jdbc", **users)
    (user,) = drills.workspace.sql(
        "select * from bronze.registered_users where source_file = 'jdbc:\"Registrations\"'"
    )
    assert user["user_id"] == "6001"
    assert user["device_id"] == "00000000-0000-0000-0000-00000000000a"
    assert user["mac_address"] == "02:00:5e:00:06:01"
    assert user["registration_timestamp"] == "1706745600.000000"


_SLOW = """create view {view} as select user_id, device_id, mac_address, registration_timestamp,
    modified_at from users, lateral (select pg_sleep(0.002 * (user_id - user_id + 1))) as pause"""


def test_a_connection_lost_in_the_midst_of_the_rows(drills: Drills, database: Postgres) -> None:
    database.execute(
        "insert into users select n, 'p' || n, 'AA', timestamp '2024-01-03', "
        "timestamp '2024-03-01' from generate_series(10001, 12000) n",
        _SLOW.format(view="slow_users"),
    )
    name = {"FITBIT_INGEST_JDBC_REGISTERED_USERS_TABLE": "slow_users"}
    before = len(rows(drills, "registered_users"))
    lost: list[str] = []

    def pull_in_vain() -> None:
        try:
            pull(drills, database, "registered_users_jdbc", **name)
        except CommandFailed as error:
            lost.append(str(error))

    thread = threading.Thread(target=pull_in_vain)
    thread.start()
    until(lambda: database.runs("slow_users"))
    database.stop()
    thread.join()
    assert lost, "the pull ended before the server did"
    assert len(rows(drills, "registered_users")) == before
    database.start()
    pull(drills, database, "registered_users_jdbc", **name)
    found = [row["user_id"] for row in rows(drills, "registered_users")]
    pulled = [int(user_id) for user_id in found if int(user_id) > 10_000]
    assert sorted(pulled) == list(range(10_001, 12_001))


def test_rows_updated_during_the_pull(drills: Drills, database: Postgres) -> None:
    database.execute("drop view if exists busy_users", _SLOW.format(view="busy_users"))
    database.execute(
        "insert into users select n, 'd' || n, 'AA', timestamp '2024-01-03', "
        "timestamp '2024-03-01' from generate_series(20001, 22000) n",
        "update users set mac_address = 'BB', modified_at = '2024-04-01'",
    )
    name = {"FITBIT_INGEST_JDBC_REGISTERED_USERS_TABLE": "busy_users"}
    thread = threading.Thread(
        target=lambda: pull(drills, database, "registered_users_jdbc", **name)
    )
    thread.start()
    until(lambda: database.runs("busy_users"))
    database.execute(
        "update users set mac_address = 'CC', modified_at = '2024-04-02' where user_id <= 21000"
    )
    thread.join()
    pull(drills, database, "registered_users_jdbc", **name)
    newest = {}
    pulled = [
        r for r in rows(drills, "registered_users") if r["source_file"].endswith("busy_users")
    ]
    for row in sorted(pulled, key=lambda row: row["source_modified_at"]):
        newest[int(row["user_id"])] = row["mac_address"]
    assert {n for n, mac in newest.items() if mac == "CC"} == {n for n in newest if n <= 21_000}
    assert set(newest.values()) == {"BB", "CC"}

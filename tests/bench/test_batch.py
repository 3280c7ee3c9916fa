"""The hand-written batch script against the oracle, in DuckDB, on the bench's own data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest

from bench import batch, compare, data
from bench.results import Unequal
from tests.oracle import compare as differences
from tests.oracle import compute
from tests.oracle.load import from_bronze_rows


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Bronze of 25 members whose readings are sparser than the bench's, and two new hours.

    Under 240 covered minutes a day: so all zones are in percent of HRmax, as the script has them.
    """
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as opened:
        patch.setattr(data, "READINGS_PER_DAY", 100)
        patch.setattr(data, "READING_SECONDS", 180)
        slices = [
            *data.history(data.Size(5_000)),
            data.new_hour(0, 20, late=False),
            data.new_hour(1, 200, late=True),
        ]
        opened.execute("create schema bronze; create schema batch")
        opened.execute(
            "create macro timestamp_seconds(s) as make_timestamp(cast(s as bigint) * 1000000)"
        )
        made = set()
        for part in slices:
            select = part.select.format(ids=f"range({part.ids}) as t(id)")
            select = select.replace("array<struct<`key`: string, `value`: binary>>", "varchar")
            verb = "insert into" if part.table in made else "create table"
            into = f"{verb} bronze.{part.table} {'' if part.table in made else 'as '}"
            opened.execute(into + select.replace("`", '"'))
            made.add(part.table)
        batch.run_script(opened)
        yield opened


@pytest.fixture(scope="module")
def expected(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """The oracle's tables."""
    return compute(
        record
        for feed in batch.FEEDS
        for record in from_bronze_rows(
            feed, connection.execute(f"from bronze.{feed}").to_arrow_table().to_pylist()
        )
    )


@pytest.mark.parametrize("table", [name.partition(".")[2] for name in batch.TABLES])
def test_tables_are_what_the_oracle_says(
    connection: duckdb.DuckDBPyConnection, expected: Mapping[str, Any], table: str
) -> None:
    rows = connection.execute(f"from batch.{table}").to_arrow_table().to_pylist()
    if table == "gym_summary":
        rows = [{**row, "sessions": row["sessions"] or []} for row in rows]
    assert rows
    facts = [name for name in rows[0] if name in expected[table][0]]
    assert differences(expected[table], rows, table, columns=facts) == []


def test_data_has_what_makes_it_interesting(connection: duckdb.DuckDBPyConnection) -> None:
    def count(query: str) -> int:
        row = connection.execute(f"select count(*) from {query}").fetchone()
        assert row is not None
        return int(row[0])

    assert count("batch.user_profile_history where not is_current") > 0
    assert count("batch.workout_sessions where status = 'open'") > 0
    assert count("batch.gym_visits where logout_at is null") > 0
    assert count("batch.device_registrations where owned_from is not null") > 0
    assert count("bronze.bpm") > count("batch.heart_rates")
    assert count("batch.workout_bpm_summary where peak_minutes > 0") > 0
    assert count("batch.workout_bpm_summary where heart_rate_recovery_bpm > 0") > 0


def test_comparison_names_what_differs(connection: duckdb.DuckDBPyConnection) -> None:
    same = "(select * from batch.gym_summary order by login_at desc)"
    rows = compare.check(connection, "visits", {"a": "batch.gym_summary", "b": same})
    assert rows > 0
    other = "(select * replace (minutes_exercising + 0.01 as minutes_exercising) from " + same + ")"
    with pytest.raises(Unequal, match="visits differs"):
        compare.check(connection, "visits", {"a": "batch.gym_summary", "b": other})

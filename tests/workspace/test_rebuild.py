"""`lakehouse rebuild` is refused while bronze lacks records that silver was built from."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lakehouse.commands.rebuild import refuse_if_trimmed
from lakehouse.home import WorkspaceError


class Counts:
    """A cursor over tables of which only the numbers of rows are known, by `schema.table`."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        self._rows = rows
        self._answer: list[tuple[object, ...]] = []

    def execute(self, statement: str) -> None:
        words = statement.split()
        if words[0] == "show":
            names = [name.split(".") for name in self._rows]
            self._answer = [(s, table, False) for s, table in names if s == words[-1]]
        else:
            self._answer = [(self._rows[words[-1]],)] if words[0] == "select" else []

    def fetchall(self) -> list[tuple[object, ...]]:
        return self._answer

    def fetchone(self) -> tuple[object, ...]:
        return self._answer[0]


FULL = {
    "bronze.user_info": 3,
    "bronze.bpm": 900,
    "bronze.workout": 8,
    "bronze.registered_users": 2,
    "bronze.gym_logins": 5,
    "silver.stg_kafka__user_info": 3,
    "silver.stg_kafka__bpm": 900,
    "silver.stg_kafka__workout": 8,
    "silver.stg_azure_sql__registered_users": 2,
    "silver.stg_azure_sql__gym_logins": 5,
}


def test_a_whole_bronze_is_rebuilt_from() -> None:
    refuse_if_trimmed(Counts(FULL))
    # More has arrived since.
    refuse_if_trimmed(Counts({**FULL, "bronze.bpm": 1000}))


def test_without_staging_there_is_nothing_to_lose() -> None:
    refuse_if_trimmed(Counts({}))
    refuse_if_trimmed(Counts({"bronze.bpm": 0, "silver.heart_rates": 7}))


@pytest.mark.parametrize("table", [name for name in FULL if name.startswith("bronze.")])
def test_a_bronze_table_that_lost_records_is_named(table: str) -> None:
    lost = {**FULL, table: FULL[table] - 2}
    with pytest.raises(WorkspaceError, match=rf"{table} has lost 2 of the {FULL[table]} records"):
        refuse_if_trimmed(Counts(lost))

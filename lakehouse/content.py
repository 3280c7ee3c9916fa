"""What the tables of silver and gold contain, as one number each, to compare two runs by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# dbt's own columns of a snapshot are no content.
LINEAGE = frozenset({"dbt_scd_id", "dbt_updated_at"})


@dataclass(frozen=True)
class Content:
    """One table: its name (schema.table), number of rows, and a hash that no order changes."""

    table: str
    rows: int
    hash: str


def contents(cursor: Any) -> list[Content]:
    """The content of every table of silver and gold but staging's, by name.

    `cursor` is one of databricks-sql-connector. Doubles are compared to 9 significant digits, so
    that a mean summed in another order is the same mean.
    """
    found = []
    for schema in ("silver", "gold"):
        cursor.execute(f"show tables in {schema}")
        for table in sorted(row[1] for row in cursor.fetchall()):
            if not table.startswith("stg_"):
                found.append(_content(cursor, f"{schema}.{table}"))
    return found


def _content(cursor: Any, table: str) -> Content:
    cursor.execute(f"describe {table}")
    hashed = []
    for name, data_type, *_ in sorted(cursor.fetchall()):
        if not name or name.startswith("#") or name in LINEAGE:
            continue
        column = f"`{name}`"
        # format_string rounds to significant digits; xxhash64 skips nulls, so they are named.
        value = f"format_string('%.8e', {column})" if data_type == "double" else column
        hashed.append(f"{column} is null, {value}")
    row_hash = f"cast(xxhash64({', '.join(hashed)}) as decimal(20, 0))"
    cursor.execute(
        f"select count(*), cast(coalesce(sum({row_hash}), 0) as string) from {table}"  # noqa: S608
    )
    rows, total = cursor.fetchone()
    return Content(table, rows, f"{int(total) % 2**64:016x}")

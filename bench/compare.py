"""Whether contenders computed the same rows: asked of DuckDB, which reads all their files.

Times count in microseconds, doubles to 6 decimals, everything else as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from bench.results import Unequal

Columns = Mapping[str, str]
"""Name to DuckDB type."""


def parquet(files: Sequence[str]) -> str:
    """A table of Parquet files, for FROM. Raises Unequal if there are none."""
    if not files:
        raise Unequal("a table has no files: it is empty")
    return f"read_parquet({list(files)!r})"


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> Columns:
    """Columns of a relation (a table, a query in parentheses)."""
    rows = connection.execute(f"describe select * from {relation}").fetchall()
    return {row[0]: row[1] for row in rows}


def check(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    relations: Mapping[str, str],
    columns: Iterable[str] | None = None,
) -> int:
    """How many rows all of the relations have; by default the columns of the last are compared.

    Raises Unequal, naming the table, the contenders and a row, if they differ.
    """
    names = list(columns or columns_of(connection, list(relations.values())[-1]))
    seen = {
        contender: _content(connection, relation, names)
        for contender, relation in relations.items()
    }
    if len(set(seen.values())) > 1:
        rows = {contender: content[0] for contender, content in seen.items()}
        raise Unequal(f"{name} differs: {rows} rows; {_example(connection, relations, names)}")
    return next(iter(seen.values()))[0]


def _content(
    connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]
) -> tuple[int, int]:
    """Number of rows, and a sum of hashes that no order changes."""
    values = ", ".join(_values(connection, relation, names))
    row = connection.execute(
        f"select count(*), coalesce(sum(cast(hash({values}) as hugeint)), 0) from {relation}"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _example(
    connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str], names: Sequence[str]
) -> str:
    """A row that the first relation has and one of the others has not, or the other way round."""
    first, *others = relations
    for other in others:
        for here, there in ((first, other), (other, first)):
            selects = (
                f"select {', '.join(_values(connection, relations[side], names))} "
                f"from {relations[side]}"
                for side in (here, there)
            )
            row = connection.execute(" except all ".join(selects) + " limit 1").fetchone()
            if row is not None:
                return f"only {here} has {dict(zip(names, row, strict=True))}"
    return "but no row is in one only"


def _values(
    connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]
) -> list[str]:
    types = columns_of(connection, relation)
    return [_value(f'"{name}"', types[name]) for name in names]


def _value(column: str, kind: str) -> str:
    if kind.startswith("TIMESTAMP"):
        return f"epoch_us({column})"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        # + 0: minus nought is nought.
        return f"round(cast({column} as double), 6) + 0"
    if kind.endswith("[]"):  # no elements: a list or null
        return f"coalesce(cast({column} as varchar), '[]')"
    return f"cast({column} as varchar)"

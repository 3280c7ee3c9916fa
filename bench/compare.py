"""Whether contenders computed the same rows: asked of DuckDB, which reads all their files.

Times count in microseconds, doubles to 6 decimals, everything else as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from bench.results import Unequal


def parquet(files: Sequence[str]) -> str:
    """A table of Parquet files, for FROM. Raises Unequal if there are none."""
    if not files:
        raise Unequal("a table has no files: it is empty")
    return f"read_parquet({list(files)!r})"


def check(connection: duckdb.DuckDBPyConnection, name: str, relations: Mapping[str, str]) -> int:
    """How many rows all of the relations (tables, queries in parentheses) have; the columns of the
    last are compared.

    Raises Unequal, naming the table, the contenders and a row, if they differ.
    """
    names = list(_types(connection, list(relations.values())[-1]))
    queries = {
        contender: f"select {', '.join(_values(connection, relation, names))} from {relation}"
        for contender, relation in relations.items()
    }
    seen = {contender: _content(connection, query) for contender, query in queries.items()}
    if len(set(seen.values())) > 1:
        rows = {contender: content[0] for contender, content in seen.items()}
        raise Unequal(f"{name} differs: {rows} rows; {_example(connection, queries, names)}")
    return next(iter(seen.values()))[0]


def _content(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    """Number of rows, and a sum of hashes that no order changes."""
    row = connection.execute(
        f"select count(*), coalesce(sum(cast(hash(q) as hugeint)), 0) from ({query}) as q"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _example(
    connection: duckdb.DuckDBPyConnection, queries: Mapping[str, str], names: Sequence[str]
) -> str:
    """A row that the first has and one of the others has not, or the other way round."""
    first, *others = queries
    for other in others:
        for here, there in ((first, other), (other, first)):
            both = f"{queries[here]} except all {queries[there]} limit 1"
            row = connection.execute(both).fetchone()
            if row is not None:
                return f"only {here} has {dict(zip(names, row, strict=True))}"
    return "but no row is in one only"


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> Mapping[str, str]:
    rows = connection.execute(f"describe select * from {relation}").fetchall()
    return {row[0]: row[1] for row in rows}


def _values(
    connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]
) -> list[str]:
    types = _types(connection, relation)
    return [f'{_value(name, types[name])} as "{name}"' for name in names]


def _value(name: str, kind: str) -> str:
    if kind.startswith("TIMESTAMP"):
        return f'epoch_us("{name}")'
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        # + 0: minus nought is nought.
        return f'round(cast("{name}" as double), 6) + 0'
    if kind.endswith("[]"):  # no elements: a list or null
        return f"coalesce(cast(\"{name}\" as varchar), '[]')"
    return f'cast("{name}" as varchar)'

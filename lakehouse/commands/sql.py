"""`lakehouse sql "…"`: one query through the SQL endpoint, with Databricks' own connector."""

from __future__ import annotations

import argparse
import base64
import csv
import datetime
import decimal
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakehouse.commands import Subparsers
from lakehouse.home import Home, WorkspaceError
from lakehouse.visible import visible
from lakehouse.warehouse import connection

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK = 10_000
_WIDEST = 60  # characters of a cell in a table; JSON and CSV hold all


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "sql",
        help="run a query through the SQL endpoint",
        description="Runs one statement and writes its rows, and nothing else, to stdout.",
    )
    parser.add_argument("statement", help="the SQL, or - to read it from stdin")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    statement = sys.stdin.read() if args.statement == "-" else args.statement
    if not statement.strip(" \t\r\n;"):
        raise WorkspaceError("There is no SQL to run.")
    return query(Home.from_environment(), statement, args.format)


def query(home: Home, statement: str, form: str) -> int:
    """Run a statement and write its rows to stdout. Returns an exit code."""
    # The connector and pandas warn on import; stdout and stderr are ours.
    warnings.simplefilter("ignore")
    from databricks.sql import Error

    try:
        with connection(home) as opened, opened.cursor() as cursor:
            cursor.execute(statement)
            write_rows(cursor, form)
    except Error as error:
        print(visible(f"lakehouse: {error}", keep="\n"), file=sys.stderr)
        return 1
    return 0


def write_rows(cursor: Any, form: str) -> None:
    """Write the rows of an executed statement to stdout as `table`, `csv` or `json`.

    Raises WorkspaceError if two columns have one name.
    """
    names = [column[0] for column in cursor.description or ()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        # The connector cannot put such rows together, and an object of JSON has no place for them.
        raise WorkspaceError(f"Two columns are named {twice[0]!r}: give each a name of its own.")
    write = {"table": _table, "csv": _csv, "json": _json}[form]
    write(names, _rows(cursor))


def _rows(cursor: Any) -> Iterator[list[Any]]:
    """All rows as Python values, read from Arrow so that nulls and nested values stay true."""
    while True:
        chunk: pa.Table = cursor.fetchmany_arrow(_CHUNK)
        if not chunk.num_rows:
            return
        for batch in chunk.to_batches():
            columns = [column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns]
            for row in zip(*columns, strict=True):
                yield list(row)


def plain(value: Any) -> Any:
    """A value as JSON knows it: times in ISO 8601, decimals as numbers, bytes in base64."""
    if isinstance(value, datetime.datetime):
        zoned = value.astimezone(datetime.UTC) if value.tzinfo else value
        return zoned.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return _Number(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)  # JSON has no such numbers
    return value


class _Number(float):
    """A decimal that JSON writes digit by digit, not by the nearest double."""

    def __new__(cls, value: decimal.Decimal) -> _Number:
        return super().__new__(cls, value)

    def __init__(self, value: decimal.Decimal) -> None:
        self._text = format(value, "f")

    def __repr__(self) -> str:
        return self._text


def _json(names: Sequence[str], rows: Iterator[list[Any]]) -> None:
    encoder = json.JSONEncoder(ensure_ascii=False)
    out = sys.stdout
    out.write("[")
    for number, row in enumerate(rows):
        out.write(",\n " if number else "\n ")
        line = _encode(encoder, dict(zip(names, map(plain, row), strict=True)))
        out.write(visible(line))
    out.write("\n]\n" if names else "]\n")


def _encode(encoder: json.JSONEncoder, value: Any) -> str:
    """Like the encoder, but decimals keep their digits (it writes floats by `float.__repr__`)."""
    if isinstance(value, _Number):
        return repr(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{encoder.encode(k)}: {_encode(encoder, v)}" for k, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_encode(encoder, item) for item in value) + "]"
    return encoder.encode(value)


def _text(value: Any) -> str:
    """A cell of CSV or a table: nested values as JSON, null as nothing."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return _encode(json.JSONEncoder(ensure_ascii=False), value)


def _csv(names: Sequence[str], rows: Iterator[list[Any]]) -> None:
    # A program wants the values as they are.
    shown = visible if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(map(shown, names))
    for row in rows:
        writer.writerow(shown(_text(value)) for value in row)


def _table(names: Sequence[str], rows: Iterator[list[Any]]) -> None:
    names = [visible(name) for name in names]
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([len(name), *(len(row[place]) for row in cells)]) for place, name in enumerate(names)
    ]
    if not names:
        return
    for line in (list(names), ["-" * width for width in widths], *cells):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _cell(value: Any) -> str:
    text = "null" if value is None else visible(_text(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"

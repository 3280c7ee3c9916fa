"""Where the pages' rows come from: anything that answers SQL."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lakehouse.home import Home
from lakehouse.warehouse import connection

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Table:
    """A result by column: names, and the values of each."""

    columns: Sequence[str]
    values: Sequence[Sequence[Any]]

    @property
    def num_rows(self) -> int:
        return len(self.values[0]) if self.values else 0

    def column(self, name: str) -> Sequence[Any]:
        return self.values[list(self.columns).index(name)]

    def rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*self.values, strict=True)]


class Source(Protocol):
    """Runs one statement in Databricks SQL; unqualified tables are of gold."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Table:
        """Rows of the statement, with `:name` for each parameter."""
        ...

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The same as an Arrow table, for many rows."""
        ...


class Endpoint:
    """A connection of the Databricks connector."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Table:
        """Raises databricks.sql.Error if the endpoint refuses the statement."""
        arrow = self.arrow(sql, parameters)
        return Table(arrow.column_names, [column.to_pylist() for column in arrow.columns])

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Raises databricks.sql.Error if the endpoint refuses the statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters=dict(parameters) if parameters else None)
            return cursor.fetchall_arrow()


@contextmanager
def endpoint(home: Home) -> Iterator[Source]:
    """The SQL endpoint of a workspace, with unqualified tables of gold.

    Raises WorkspaceError if it does not answer.
    """
    with connection(home) as opened:
        with opened.cursor() as cursor:
            cursor.execute("use schema gold")
        yield Endpoint(opened)


def plain(value: Any) -> Any:
    """A value as the page takes it: times as `YYYY-MM-DD HH:MM:SS` in UTC, numbers as numbers."""
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.UTC) if value.tzinfo else value
        return utc.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value

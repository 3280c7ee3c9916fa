"""A connection to the shared workspace, and a schema of its own for each module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import Workspace

Row = dict[str, Any]


class Client:
    """One connection; `rows` runs a statement and returns its rows as Python values."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def rows(self, sql: str, parameters: Any = None) -> list[Row]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            found: list[Row] = cursor.fetchall_arrow().to_pylist()
            return found

    def value(self, sql: str, parameters: Any = None) -> Any:
        """The one value of a result."""
        (row,) = self.rows(sql, parameters)
        (value,) = row.values()
        return value


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> Iterator[Client]:
    with workspace.connect() as connection:
        yield Client(connection)


@pytest.fixture(scope="module")
def schema(client: Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """A schema that is gone after the module."""
    name = request.module.__name__.rpartition(".")[2]
    client.rows(f"CREATE SCHEMA IF NOT EXISTS lakehouse.{name}")
    yield name
    client.rows(f"DROP SCHEMA lakehouse.{name} CASCADE")

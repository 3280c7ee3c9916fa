"""Sets Spark up for each statement by the size of the tables that it names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lakehouse.endpoint.sqltext import Cursor, Token, tokenize
from lakehouse.spark import FOR_LARGE_TABLES, FOR_SMALL_TABLES

LARGE_BYTES = 8_000_000
"""Parquet from which on generated code and several tasks pay, some 500,000 readings in bronze; at
half of that compiling the code still takes the processor time that running it saves."""


class Sizes:
    """The settings of one session; `configure` sets them in Spark."""

    def __init__(self, warehouse: Path, configure: Callable[[Mapping[str, str]], None]) -> None:
        """`warehouse` holds the tables as Spark names them: `<schema>.db/<table>`."""
        self._warehouse = warehouse
        self._configure = configure
        self._is_large: bool | None = None
        self._views: dict[str, frozenset[Path]] = {}

    def prepare(self, sql: str) -> None:
        """Set up for a statement of Spark's. A view made in this session stands for its tables."""
        tokens = tokenize(sql)
        folders = frozenset(self._folders(tokens))
        view = _created_view(tokens)
        if view is not None:
            self._views[view] = folders
        is_large = _exceeds(folders, LARGE_BYTES)
        if is_large != self._is_large:
            self._configure(FOR_LARGE_TABLES if is_large else FOR_SMALL_TABLES)
            self._is_large = is_large

    def _folders(self, tokens: list[Token]) -> Iterator[Path]:
        """Where the tables lie; of a view that others made, its whole schema.

        A column's name leads to a folder that is not there.
        """
        cursor = Cursor(tokens)
        while cursor.peek() is not None:
            name = cursor.name()
            if name is None:
                cursor.take()
            elif name[-1].lower() in self._views:
                yield from self._views[name[-1].lower()]
            elif len(name) > 1:
                schema = self._warehouse / f"{name[-2].lower()}.db"
                table = schema / name[-1].lower()
                yield table if table.exists() else schema


def _created_view(tokens: list[Token]) -> str | None:
    cursor = Cursor(tokens)
    if not cursor.accept("CREATE"):
        return None
    cursor.accept("OR REPLACE")
    cursor.accept_any("GLOBAL TEMPORARY", "TEMPORARY", "TEMP")
    if not cursor.accept("VIEW"):
        return None
    cursor.accept("IF NOT EXISTS")
    name = cursor.name()
    return name[-1].lower() if name else None


def _exceeds(folders: frozenset[Path], most: int) -> bool:
    """Whether the data files below have more bytes; also those of older commits count."""
    left = most
    open_folders = [os.fspath(folder) for folder in folders]
    while open_folders:
        try:
            with os.scandir(open_folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in ("_delta_log", "_change_data"):
                            open_folders.append(entry.path)
                    elif entry.name.endswith(".parquet"):
                        left -= entry.stat().st_size
                        if left < 0:
                            return True
        except OSError:
            continue  # no table, or one that was dropped meanwhile
    return False

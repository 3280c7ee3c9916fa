"""What Spark says of a Delta table, kept for as long as the table's log is as it was.

dbt asks for the same descriptions of each table several times a build, and every answer takes Spark
up to half a second. Whoever changes a table, through whichever session, adds a commit to its log; a
table that is made anew has other files: two looks into the log's folder tell that an answer holds.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lakehouse.endpoint.catalog_names import SPARK_CATALOG
from lakehouse.endpoint.sqltext import Cursor, tokenize

_T = TypeVar("_T")

_NAME = re.compile(r"\w+", re.ASCII)
_COMMIT = re.compile(r"(\d{20})\.json")
# Descriptions kept at a time; each is some kilobytes.
_MOST = 2_000


class About(NamedTuple):
    """A question about one table: `text` says what is asked."""

    schema: str
    table: str
    text: str


def question(sql: str) -> About | None:
    """A statement that asks only for the description of one table; None for any other."""
    cursor = Cursor(tokenize(sql))
    if cursor.accept_any("DESCRIBE HISTORY", "SHOW TBLPROPERTIES") is None:
        if cursor.accept_any("DESCRIBE", "DESC") is None:
            return None
        cursor.accept("TABLE")
        cursor.accept("EXTENDED")
    name = cursor.name() or []
    limit = cursor.take() if cursor.accept("LIMIT") else None
    if limit is not None and not limit.text.isdigit():
        return None
    if len(name) < 2 or name[:-2] not in ([], [SPARK_CATALOG]) or not cursor.at_end:
        return None
    text = " ".join(token.text.lower() for token in cursor.tokens if token.significant)
    return About(name[-2], name[-1], text.rstrip("; "))


class _Log(NamedTuple):
    """The newest commit of a table: its version, and which file it is."""

    version: int
    inode: int
    written: int


class Descriptions:
    """Answers by question, of all sessions. Safe for threads."""

    def __init__(self, warehouse: Path) -> None:
        """`warehouse` holds the tables as Spark names them: `<schema>.db/<table>`."""
        self.warehouse = warehouse
        self._lock = threading.Lock()
        self._kept: dict[About, tuple[_Log, Any]] = {}

    def get(self, about: About, ask: Callable[[], _T]) -> _T:
        """The kept answer, or that of `ask`, whose exceptions pass.

        Asked anew each time: of views, and of tables that lie elsewhere or are not Delta's.
        """
        with self._lock:
            kept = self._kept.get(about)
        before = self._log(about, kept[0].version if kept else None)
        if before is None:
            return ask()
        if kept is not None and kept[0] == before:
            answer: _T = kept[1]
            return answer
        answer = ask()
        # A commit in between: nobody knows which one was described.
        if self._log(about, before.version) == before:
            with self._lock:
                if len(self._kept) >= _MOST:
                    self._kept.clear()
                self._kept[about] = (before, answer)
        return answer

    def _log(self, about: About, known: int | None) -> _Log | None:
        """The log as it is now; `known` is a version that it had."""
        if not (_NAME.fullmatch(about.schema) and _NAME.fullmatch(about.table)):
            return None
        name = (f"{about.schema.lower()}.db", about.table.lower(), "_delta_log")
        folder = self.warehouse.joinpath(*name)
        try:
            version = _newest(folder, known)
            if version is None:
                return None
            state = _commit(folder, version).stat()
        except OSError:
            return None
        return _Log(version, state.st_ino, state.st_mtime_ns)


def _newest(folder: Path, known: int | None) -> int | None:
    """The newest commit's version; `known` saves reading the whole folder if it is still there."""
    if known is None or not _commit(folder, known).exists():
        commits = (_COMMIT.fullmatch(file.name) for file in folder.iterdir())
        known = max((int(commit[1]) for commit in commits if commit), default=None)
    while known is not None and _commit(folder, known + 1).exists():
        known += 1
    return known


def _commit(folder: Path, version: int) -> Path:
    return folder / f"{version:020}.json"

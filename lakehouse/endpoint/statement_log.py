"""One JSON line a statement in `logs/statements.jsonl`.

Literals, numbers and comments are left out, since they may be personal data, and of SQL that does
not parse all from its first quotation mark on; with LAKEHOUSE_LOG_SQL=1 the whole text is written.
Messages of errors never are.
"""

from __future__ import annotations

import datetime
import json
import os
import threading
from pathlib import Path
from typing import IO, Any

from lakehouse.endpoint.sqltext import without_literals

_SYNTAX_ERROR = "42601"
_LIMIT = 20_000_000  # bytes; then the file becomes `.1`, and that of before goes


class StatementLog:
    """Appends to `file`; safe for threads."""

    def __init__(self, file: Path, with_sql: bool | None = None) -> None:
        self._file = file
        self._with_sql = (
            os.environ.get("LAKEHOUSE_LOG_SQL") == "1" if with_sql is None else with_sql
        )
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._handle: IO[str] = file.open("a", buffering=1)

    def write(
        self,
        *,
        session: str,
        call: str,
        sql: str | None,
        seconds: float,
        rows: int,
        state: str,
        error: str | None = None,
        sqlstate: str | None = None,
        rules: tuple[str, ...] = (),
    ) -> None:
        """`seconds` until the first rows or the end, `rows` fetched, `error` Spark's class."""
        now = datetime.datetime.now(datetime.UTC)
        line: dict[str, Any] = {
            "at": now.isoformat(timespec="milliseconds"),
            "session": session[:8],
            "call": call,
            "seconds": round(seconds, 3),
            "rows": rows,
            "state": state,
        }
        if error:
            line["error"] = error
        if sqlstate:
            line["sqlstate"] = sqlstate
        if rules:
            line["rules"] = list(rules)
        if sql is not None:
            broken = sqlstate == _SYNTAX_ERROR
            line["sql"] = sql if self._with_sql else without_literals(sql, broken=broken)
        with self._lock:
            if self._handle.closed:
                return
            self._handle.write(json.dumps(line) + "\n")
            if self._handle.tell() > _LIMIT:
                self._handle.close()
                self._file.replace(self._file.with_suffix(".jsonl.1"))
                self._handle = self._file.open("a", buffering=1)

    def close(self) -> None:
        with self._lock:
            self._handle.close()

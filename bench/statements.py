"""What dbt asked of the SQL endpoint, from the endpoint's statement log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tests.support import Workspace

Asked = Mapping[str, Mapping[str, float]]
"""By kind of statement: `statements`, and `seconds` that they took together, side by side."""

_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*([a-z]+)", re.DOTALL | re.IGNORECASE)


def log_of(space: Workspace) -> Path:
    """The log, one JSON line a statement."""
    return space.home.logs / "statements.jsonl"


def asked_since(space: Workspace, position: int) -> Asked:
    """The statements that were logged behind a position of the log, most seconds first."""
    found: dict[str, dict[str, float]] = {}
    with log_of(space).open("rb") as stream:
        stream.seek(position)
        for line in map(json.loads, stream):
            word = _WORD.match(line.get("sql") or "")
            kind = word[1].lower() if word else line["call"]
            of_kind = found.setdefault(kind, {"statements": 0, "seconds": 0.0})
            of_kind["statements"] += 1
            of_kind["seconds"] += line["seconds"]
    ordered = sorted(found.items(), key=lambda item: -item[1]["seconds"])
    return {
        kind: {"statements": one["statements"], "seconds": round(one["seconds"], 2)}
        for kind, one in ordered
    }

"""What dbt asked of the SQL endpoint, from the endpoint's statement log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from local.endpoint.sqltext import tokenize
from tests.support import Workspace

Asked = Mapping[str, Mapping[str, float]]
"""By kind of statement: `statements`, and `seconds` that they took together, side by side."""


def log_of(space: Workspace) -> Path:
    """The log, one JSON line a statement."""
    return space.home.logs / "statements.jsonl"


def asked_since(space: Workspace, position: int) -> Asked:
    """The statements that were logged behind a position of the log, most seconds first."""
    found: dict[str, dict[str, float]] = {}
    with log_of(space).open("rb") as stream:
        stream.seek(position)
        for line in map(json.loads, stream):
            words = (token.upper for token in tokenize(line.get("sql") or "") if token.significant)
            kind = next((word for word in words if word.isalpha()), line["call"]).lower()
            of_kind = found.setdefault(kind, {"statements": 0, "seconds": 0.0})
            of_kind["statements"] += 1
            of_kind["seconds"] += line["seconds"]
    ordered = sorted(found.items(), key=lambda item: -item[1]["seconds"])
    return {
        kind: {"statements": one["statements"], "seconds": round(one["seconds"], 2)}
        for kind, one in ordered
    }

"""A home that LAKEHOUSE_PORT leads to another workspace's ports changes nothing there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Workspace

READING = (
    '{"topic": "bpm", "key": "1", "value": {"device_id": 1, "time": 1461628800, "heartrate": 60}}'
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", "select 1"),
        ("ingest",),
        ("simulate", "--users", "1"),
        ("replay", "{file}"),
        ("audit",),
        ("audit", "--content"),
        ("maintain",),
        ("rebuild",),
        ("dashboard",),
        ("docs",),
        ("forget",),
        ("export",),
    ],
    ids=" ".join,
)
def test_commands_are_refused(
    workspace: Workspace, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(READING)
    done = workspace.run(
        *(argument.format(file=file) for argument in arguments),
        check=False,
        environment={"LAKEHOUSE_HOME": str(tmp_path / "other")},
        stdin="",
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "lakehouse up" in line
    assert str(tmp_path / "other") in line
    assert not (tmp_path / "other").exists()

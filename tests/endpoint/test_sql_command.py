"""`lakehouse sql`: rows on stdout and nothing else, errors on stderr."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support import Workspace, free_base_port

EVERYTHING = (
    "SELECT 1 AS i, 'é, \"x\"\\n' AS s, TIMESTAMP'2024-01-02 03:04:05.000006' AS at, "
    "DATE'2024-02-29' AS d, 12345678901234567.890BD AS n, X'00ff' AS b, CAST(NULL AS INT) AS z, "
    "named_struct('a', array(DATE'2024-01-01', NULL)) AS t, map('k', 1.10BD) AS m, true AS y"
)


def test_json(workspace: Workspace) -> None:
    done = workspace.run("sql", EVERYTHING, "--format", "json")
    assert done.stderr == ""
    assert '"n": 12345678901234567.890' in done.stdout
    assert json.loads(done.stdout) == [
        {
            "i": 1,
            "s": 'é, "x"\n',
            "at": "2024-01-02T03:04:05.000006+00:00",
            "d": "2024-02-29",
            "n": 12345678901234567.890,
            "b": "AP8=",
            "z": None,
            "t": {"a": ["2024-01-01", None]},
            "m": {"k": 1.1},
            "y": True,
        }
    ]


def test_csv(workspace: Workspace) -> None:
    done = workspace.run("sql", EVERYTHING, "--format", "csv")
    assert done.stderr == ""
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["s"] == 'é, "x"\n'
    assert row["n"] == "12345678901234567.890"
    assert row["z"] == ""
    assert json.loads(row["t"]) == {"a": ["2024-01-01", None]}


def test_table(workspace: Workspace) -> None:
    done = workspace.run("sql", "SELECT 1 AS a, NULL AS long_name, 'text' AS t")
    assert done.stdout.splitlines() == [
        "a  long_name  t",
        "-  ---------  ----",
        "1  null       text",
    ]


def test_no_rows_and_no_columns(workspace: Workspace) -> None:
    empty = workspace.run("sql", "SELECT 1 AS a WHERE false", "--format", "json")
    assert json.loads(empty.stdout) == []
    command = workspace.run("sql", "CREATE SCHEMA IF NOT EXISTS gold", "--format", "json")
    assert json.loads(command.stdout) == []


def test_an_error_is_one_on_stderr(workspace: Workspace) -> None:
    done = workspace.run("sql", "SELECT nope", "--format", "json", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lakehouse: [UNRESOLVED_COLUMN")
    assert "Traceback" not in done.stderr


def test_no_endpoint_is_said_at_once(workspace: Workspace, tmp_path: Path) -> None:
    elsewhere = {"LAKEHOUSE_HOME": str(tmp_path), "LAKEHOUSE_PORT": str(free_base_port())}
    done = workspace.run("sql", "SELECT 1", check=False, environment=elsewhere, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "lakehouse up" in done.stderr


def test_a_wrong_token_is_said_at_once(workspace: Workspace) -> None:
    done = workspace.run(
        "sql", "SELECT 1", check=False, environment={"LAKEHOUSE_TOKEN": "wrong"}, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "LAKEHOUSE_TOKEN" in done.stderr


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT 1 AS a, 2 AS a", "Two columns are named 'a'"),
        (" ;\n", "There is no SQL to run"),
    ],
)
def test_what_gives_no_rows_to_write_is_told_in_a_line(
    workspace: Workspace, statement: str, told: str
) -> None:
    done = workspace.run("sql", statement, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert told in line

"""`lakehouse sql`: rows on stdout and nothing else, errors on stderr."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from lakehouse.commands.sql import query
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


ODD = "CONCAT('a', DECODE(X'1b5d303b781b5b386807c29b7fe280ae0a09', 'UTF-8'))"
SHOWN = r"a\u001b]0;x\u001b[8h\u0007\u009b\u007f\u202e\n\t"


@pytest.mark.parametrize("form", ["table", "json"])
def test_control_characters_of_data_do_nothing(workspace: Workspace, form: str) -> None:
    done = workspace.run("sql", f"SELECT {ODD} AS s, 1 AS `\x1b[2J`", "--format", form)
    assert SHOWN in done.stdout
    assert r"\u001b[2J" in done.stdout
    assert [c for c in done.stdout if ord(c) < 32 and c != "\n"] == []
    if form == "json":
        assert json.loads(done.stdout)[0]["s"].startswith("a\x1b]0;x\x1b[8h\x07")


def test_csv_is_true_to_the_values_but_at_a_terminal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped = workspace.run("sql", "SELECT 'a\x1b[8hb' AS s", "--format", "csv")
    assert piped.stdout == "s\na\x1b[8hb\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert query(workspace.home, "SELECT 'a\x1b[8hb' AS s", "csv") == 0
    assert capsys.readouterr().out == "s\na\\u001b[8hb\n"


def test_control_characters_of_data_do_nothing_in_errors(workspace: Workspace) -> None:
    done = workspace.run("sql", "SELECT CAST('\x1b[8h' AS INT)", check=False)
    assert done.returncode == 1
    assert r"'\u001b[8h'" in done.stderr
    assert "\x1b" not in done.stderr


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

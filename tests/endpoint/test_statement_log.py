"""The log tells what ran, for how long, and no value out of a statement."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from databricks.sql import ServerOperationError

from lakehouse.endpoint.statement_log import StatementLog
from tests.endpoint.conftest import Client
from tests.support import Workspace, until

SQL = "select * from silver.user_profiles where user_id = 'ann' and age > 42 -- ann"


def write(file: Path, with_sql: bool) -> dict[str, object]:
    log = StatementLog(file, with_sql)
    log.write(
        session="0123456789",
        call="execute",
        sql=SQL,
        seconds=1.23456,
        rows=7,
        state="ERROR",
        error="TABLE_OR_VIEW_NOT_FOUND",
        sqlstate="42P01",
    )
    log.close()
    line: dict[str, object] = json.loads(file.read_text())
    return line


def test_values_are_left_out(tmp_path: Path) -> None:
    line = write(tmp_path / "log.jsonl", with_sql=False)
    assert "ann" not in json.dumps(line)
    assert line["sql"] == "select * from silver.user_profiles where user_id = ? and age > ?"
    assert (line["seconds"], line["rows"], line["state"]) == (1.235, 7, "ERROR")
    assert (line["error"], line["sqlstate"]) == ("TABLE_OR_VIEW_NOT_FOUND", "42P01")


def test_of_what_does_not_parse_nothing_behind_a_quotation_mark_is_kept(
    workspace: Workspace, client: Client
) -> None:
    log = workspace.home.logs / "statements.jsonl"
    for sql in (
        "select 1 as brokenone from t wher name = 'Quentin' or x = 'R'",
        "select 1 as brokentwo from t where name = 'Quen'tin' or x = 'R'Quentin'",
        "select 1 as brokenthree from t where name = 'Quentin",
    ):
        with pytest.raises(ServerOperationError):
            client.rows(sql)
    until(lambda: "brokenthree" in log.read_text())
    lines = [line for line in map(json.loads, log.read_text().splitlines()) if "sql" in line]
    shapes = [line["sql"] for line in lines if re.search("broken(one|two|three)", line["sql"])]
    assert [shape[-3:] for shape in shapes] == ["= …"] * 3
    assert "uentin" not in log.read_text()


def test_the_whole_text_is_written_when_asked_for(tmp_path: Path) -> None:
    assert write(tmp_path / "log.jsonl", with_sql=True)["sql"] == SQL

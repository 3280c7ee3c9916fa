"""`lakehouse diff`: two schemas and two workspaces, compared by keys and without values."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Workspace

A = "(('1', 1.5D, 10), ('2', null, 20), ('3', 3D, 30), ('secret', 4D, 40))"
B = "(('1', 1.5D, 11), ('2', 2D, 21), ('3', 3D, 30), ('4', 4D, 40), ('5', 4D, 40))"


@pytest.fixture(scope="module")
def schemas(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """`readings` by key, `plain` without one, `both` that is the same, and a table on each side."""
    names = ("diff_a", "diff_b")
    for schema, rows, more in ((names[0], A, "only_here"), (names[1], B, "new_one")):
        for statement in (
            f"drop schema if exists {schema} cascade",
            f"create schema {schema}",
            f"create table {schema}.readings (id string not null, bpm double, n int, "
            "constraint readings_key primary key (id) rely) using delta",
            f"insert into {schema}.readings values {rows[1:-1]}",
            f"create table {schema}.plain using delta as select id, bpm from {schema}.readings",
            f"insert into {schema}.plain select id, bpm from {schema}.readings where id = '1'",
            f"create table {schema}.both (id int not null) using delta",
            f"insert into {schema}.both values (1)",
            f"create table {schema}.{more} (id int) using delta",
            f"create view {schema}.seen as select * from {schema}.readings",
        ):
            workspace.sql(statement)
    workspace.sql("alter table diff_b.both add columns (added int)")
    yield names
    for schema in names:
        workspace.sql(f"drop schema if exists {schema} cascade")


def test_two_schemas(workspace: Workspace, schemas: tuple[str, str]) -> None:
    done = workspace.run("diff", *schemas, check=False)
    assert done.returncode == 1, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines == [
        "table only in diff_a only in diff_b changed columns",
        "both 0 0 0 added (not on both sides alike)",
        "plain 2 3 0",
        "readings 1 2 2 bpm 1, n 2",
        "0 of 3 tables are the same.",
        "Only in diff_a: only_here.",
        "Only in diff_b: new_one.",
    ]
    assert "secret" not in done.stdout


def test_a_schema_and_itself(workspace: Workspace, schemas: tuple[str, str]) -> None:
    done = workspace.run("diff", "lakehouse.diff_a", schemas[0])
    assert done.stdout == "4 of 4 tables are the same.\n"


def test_markdown(workspace: Workspace, schemas: tuple[str, str]) -> None:
    done = workspace.run("diff", *schemas, "--markdown", check=False)
    assert done.stdout.splitlines()[1:5] == [
        "| --- | ---: | ---: | ---: | --- |",
        "| both | 0 | 0 | 0 | added (not on both sides alike) |",
        "| plain | 2 | 3 | 0 |  |",
        "| readings | 1 | 2 | 2 | bpm 1, n 2 |",
    ]


def test_two_workspaces(workspace: Workspace, tmp_path: Path) -> None:
    """A copy of a workspace's files, of which one table has changed since."""
    home = workspace.home
    for statement in (
        "create schema if not exists gold",
        "create or replace table gold.diffed (id int not null, name string, "
        "constraint diffed_key primary key (id) rely) using delta",
        "insert into gold.diffed values (1, 'a'), (2, 'b')",
    ):
        workspace.sql(statement)
    shutil.copytree(home.warehouse / "gold.db", tmp_path / "warehouse/gold.db")
    workspace.sql("update gold.diffed set name = 'c' where id = 2")
    try:
        done = workspace.run("diff", str(home.root), f"{tmp_path}/", check=False)
    finally:
        workspace.sql("drop table gold.diffed")
    assert done.returncode == 1, done.stderr
    (found,) = [line.split() for line in done.stdout.splitlines() if line.startswith("gold.diffed")]
    assert found == ["gold.diffed", "0", "0", "1", "name", "1"]


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        (("nowhere", "silver"), "nowhere has no tables"),
        (("/nowhere", "silver"), "/nowhere is no workspace with tables"),
        (("--databricks", "a.gold", "b.gold"), "No SQL warehouse is named: set DATABRICKS_HOST"),
    ],
)
def test_what_cannot_be_compared(workspace: Workspace, sides: tuple[str, ...], told: str) -> None:
    done = workspace.run("diff", *sides, check=False)
    assert done.returncode == 1
    assert told in done.stderr

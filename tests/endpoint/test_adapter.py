"""The real dbt-databricks adapter on the endpoint: every materialization, by contents.

Exit codes are not enough: a table can exist although its model failed afterwards. With the catalog
`lakehouse` the adapter takes its paths for Unity Catalog, with `hive_metastore` those for the old
metastore, and with `use_materialization_v2` it states keys, masks and filters in CREATE TABLE.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoint.conftest import Client
from tests.support import Workspace

pytestmark = pytest.mark.drill

PROJECT = Path(__file__).parent / "project"

FIRST = "id,name,joined\n1,ann,2024-01-01\n2,bob,2024-01-02\n"
# One renamed, one new, one that stays.
SECOND = "id,name,joined\n1,ann,2024-01-01\n2,bea,2024-01-02\n3,cy,2024-01-03\n"


class Project:
    """A copy of the project that can be changed, and one target of it."""

    def __init__(self, workspace: Workspace, folder: Path, target: str) -> None:
        self.folder = folder
        self.target = target
        self._workspace = workspace
        shutil.copytree(PROJECT, folder)

    @property
    def schema(self) -> str:
        return f"adapter_{self.target}"

    def seed(self, text: str) -> None:
        (self.folder / "seeds" / "members.csv").write_text(text)

    def dbt(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "dbt"), *arguments),
                *("--target", self.target, "--no-use-colors"),
            ],
            cwd=self.folder,
            env={**self._workspace.environment, "DBT_PROFILES_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        return done


@pytest.fixture(scope="module", params=["lakehouse", "hive_metastore"])
def built(
    workspace: Workspace,
    client: Client,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Project]:
    """Built twice, with a change of the seed in between."""
    target: str = request.param
    project = Project(workspace, tmp_path_factory.mktemp("adapter") / target, target)
    try:
        client.rows(f"DROP SCHEMA IF EXISTS lakehouse.{project.schema} CASCADE")
        project.seed(FIRST)
        project.dbt("build", "--exclude", "tag:second")
        project.seed(SECOND)
        project.dbt("build", "--exclude", "tag:second")
        yield project
    finally:
        client.rows(f"DROP SCHEMA IF EXISTS lakehouse.{project.schema} CASCADE")


def contents(client: Client, project: Project, table: str, columns: str) -> list[tuple[Any, ...]]:
    rows = client.rows(f"SELECT {columns} FROM lakehouse.{project.schema}.{table} ORDER BY ALL")
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("members", [(1, "ann"), (2, "bea"), (3, "cy")]),
        ("as_view", [(1, "ann"), (2, "bea"), (3, "cy")]),
        ("as_table", [(1, "ANN"), (2, "BEA"), (3, "CY")]),
        ("merged", [(1, "ann"), (2, "bea"), (3, "cy")]),
        ("appended", [(1, "ann"), (1, "ann"), (2, "bea"), (2, "bob"), (3, "cy")]),
        (
            "deleted_and_inserted",
            [(1, "ann"), (1, "ann!"), (2, "bea"), (2, "bea!"), (3, "cy"), (3, "cy!")],
        ),
        ("overwritten", [(1, "ann"), (2, "bea"), (3, "cy")]),
        ("replaced", [(1, "ann"), (2, "bea"), (3, "cy")]),
    ],
)
def test_contents_after_two_builds(
    client: Client, built: Project, table: str, expected: list[tuple[Any, ...]]
) -> None:
    assert contents(client, built, table, "id, name") == expected


def test_the_snapshot_has_both_versions(client: Client, built: Project) -> None:
    columns = "id, name, dbt_valid_to IS NULL"
    assert contents(client, built, "members_history", columns) == [
        (1, "ann", True),
        (2, "bea", True),
        (2, "bob", False),
        (3, "cy", True),
    ]


def test_no_temporary_relation_is_left(client: Client, built: Project) -> None:
    names = {row["tableName"] for row in client.rows(f"SHOW TABLES IN {built.schema}")}
    assert not [name for name in names if "__dbt" in name]


def test_constraints_are_enforced_or_recorded(client: Client, built: Project) -> None:
    with pytest.raises(Exception, match="DELTA_VIOLATE_CONSTRAINT_WITH_VALUES"):
        client.rows(f"INSERT INTO {built.schema}.as_table VALUES (0, 'x', NULL, NULL)")
    with pytest.raises(Exception, match=r"DELTA_(VIOLATE|NOT_NULL)_CONSTRAINT"):
        client.rows(f"INSERT INTO {built.schema}.as_table VALUES (NULL, 'x', NULL, NULL)")
    if built.target == "lakehouse":
        keys = client.rows(
            "SELECT constraint_name FROM system.information_schema.table_constraints "
            f"WHERE table_schema = '{built.schema}' AND table_name = 'merged'"
        )
        assert [row["constraint_name"] for row in keys] == ["merged_pk"]


def test_tags_are_answered(client: Client, built: Project) -> None:
    tags = client.rows(
        "SELECT table_name, tag_value FROM system.information_schema.table_tags "
        f"WHERE schema_name = '{built.schema}' ORDER BY ALL"
    )
    expected = [("as_table", "gold"), ("as_view", "silver")]
    assert [tuple(t.values()) for t in tags] == (expected if built.target == "lakehouse" else [])


def test_a_wrong_type_breaks_the_contract(client: Client, built: Project) -> None:
    done = built.dbt("build", "--select", "wrong", "--vars", "wrong_contract: true", check=False)
    assert done.returncode == 1
    assert "This model has an enforced contract that failed" in done.stdout
    assert "wrong" not in {r["tableName"] for r in client.rows(f"SHOW TABLES IN {built.schema}")}


def test_the_docs_catalog_is_complete(client: Client, built: Project) -> None:
    built.dbt("docs", "generate", "--exclude", "tag:second")
    target = built.folder / "target"
    catalog = json.loads((target / "catalog.json").read_text())
    manifest = json.loads((target / "manifest.json").read_text())
    assert not catalog["errors"]
    expected = {
        key
        for key, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed", "snapshot")
        and node["config"]["materialized"] != "ephemeral"
        and "second" not in node["tags"]
    }
    assert set(catalog["nodes"]) == expected
    for key, node in catalog["nodes"].items():
        name = manifest["nodes"][key]["name"]
        described = client.rows(f"DESCRIBE TABLE {built.schema}.{name}")
        columns = {r["col_name"]: r["data_type"] for r in described if r["data_type"]}
        assert {c["name"]: c["type"] for c in node["columns"].values()} == {
            column: kind for column, kind in columns.items() if not column.startswith("#")
        }
        description = manifest["nodes"][key]["description"]
        assert node["metadata"]["comment"].strip() == description.strip(), key
    # The adapter gives dbt no comments of columns in the catalog, on Databricks neither; they are
    # with the tables.
    comments = {
        (row["table_name"], row["column_name"]): row["comment"]
        for row in client.rows(
            "SELECT table_name, column_name, comment FROM system.information_schema.columns "
            f"WHERE table_schema = '{built.schema}'"
        )
    }
    for node in (manifest["nodes"][key] for key in expected):
        for column in node["columns"].values():
            assert comments[node["name"], column["name"]] == column["description"]


def test_nothing_new_changes_nothing(client: Client, built: Project) -> None:
    before = contents(client, built, "merged", "id, name")
    built.dbt("build", "--select", "merged", "members_history")
    assert contents(client, built, "merged", "id, name") == before


def statements(workspace: Workspace) -> list[dict[str, Any]]:
    """The log of the endpoint's statements."""
    lines = (workspace.home.logs / "statements.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def altered_keys(workspace: Workspace, before: int) -> list[str]:
    """The rules by which keys were dropped and added since that many statements."""
    rules = [rule for line in statements(workspace)[before:] for rule in line.get("rules", [])]
    return [rule for rule in rules if rule in ("add-key", "drop-key")]


def test_the_second_materialization_states_everything_at_once(
    workspace: Workspace, client: Client, tmp_path: Path
) -> None:
    project = Project(workspace, tmp_path / "second", "second")
    settings = project.folder / "dbt_project.yml"
    text = settings.read_text()
    settings.write_text(
        text.replace("use_materialization_v2: false", "use_materialization_v2: true")
    )
    try:
        project.seed(FIRST)
        project.dbt("build", "--select", "+second+")
        before = len(statements(workspace))
        project.seed(SECOND)
        project.dbt("build", "--select", "+second+")
        assert contents(client, project, "second", "id, name") == [
            (1, "ann"),
            (2, "bea"),
            (3, "cy"),
        ]
        where = f"WHERE table_schema = '{project.schema}' AND table_name = 'second'"
        views = "system.information_schema"
        mask = client.rows(f"SELECT column_name, mask_name FROM {views}.column_masks {where}")
        assert [row["column_name"] for row in mask] == ["name"]
        filters = client.rows(f"SELECT target_columns FROM {views}.row_filters {where}")
        assert [row["target_columns"] for row in filters] == ["id"]
        names = (
            f"SELECT constraint_name FROM {views}.table_constraints "
            f"WHERE table_schema = '{project.schema}' ORDER BY ALL"
        )
        keys = [row["constraint_name"] for row in client.rows(names)]
        assert keys == ["second_pk", "third_pk", "third_second"]
        # What stands is not stated again; an edited key is, and takes what leads to it along.
        assert not altered_keys(workspace, before)
        models = project.folder / "models" / "second.yml"
        models.write_text(models.read_text().replace("name: second_pk", "name: second_key"))
        project.dbt("build", "--select", "second+")
        assert altered_keys(workspace, before) == ["drop-key", "add-key", "add-key"]
        keys = [row["constraint_name"] for row in client.rows(names)]
        assert keys == ["second_key", "third_pk", "third_second"]
    finally:
        client.rows(f"DROP SCHEMA IF EXISTS lakehouse.{project.schema} CASCADE")

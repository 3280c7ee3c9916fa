"""`ops.runs` tells what dbt did, and what its tests said; nothing of a run with nothing to tell."""

from __future__ import annotations

from typing import Any

from lakehouse.commands import docs
from lakehouse.warehouse import connection
from tests.support import Workspace


def told(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.sql(
        "select command, node, resource_type, status, failures from ops.runs"
        " order by started_at, node"
    )


def test_what_changes_or_fails_is_told_and_all_else_is_not(example_workspace: Workspace) -> None:
    workspace = example_workspace
    workspace.sql("drop table if exists silver.age_bands")
    workspace.sql("drop schema if exists ops cascade")
    seed = ("seed", "-s", "age_bands")
    try:
        workspace.dbt(*seed)
        built = {"command": "seed", "node": "age_bands", "resource_type": "seed"}
        first = [{**built, "status": "success", "failures": None}]
        assert told(workspace) == first
        workspace.dbt(*seed)
        workspace.dbt("test", "-s", "age_bands")
        # Exposures are nothing to build, and no news.
        with_exposures = workspace.dbt("build", "-s", "age_bands", "exposure:*")
        assert "NO-OP=1" in with_exposures.stdout
        assert told(workspace) == first

        workspace.sql("insert into silver.age_bands select * from silver.age_bands limit 1")
        assert workspace.dbt("test", "-s", "age_bands", check=False).returncode == 1
        key = {"command": "test", "resource_type": "test", "failures": 0, "status": "pass"}
        assert told(workspace) == [
            *first,
            {**key, "node": "not_null_age_bands_age_band"},
            {**key, "node": "unique_age_bands_age_band", "failures": 1, "status": "fail"},
        ]

        with connection(workspace.home) as opened, opened.cursor() as cursor:
            shown = docs._rows(cursor, "ops.runs", docs._RUNS)
        assert [row[1] for row in shown] == ["test", "seed"]
        assert [row[3:] for row in shown] == [
            ["0", "0", "1", "unique_age_bands_age_band (fail)"],
            ["1", "0", "0", ""],
        ]
    finally:
        workspace.sql("drop table if exists silver.age_bands")
        workspace.dbt(*seed)

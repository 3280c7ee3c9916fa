"""Data Factory's pipeline and the SQL that it calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy import factory

Mutant = Callable[[str, str, str], Path]


def test_factory_is_sound(root: Path) -> None:
    assert factory.check(root / "deploy/azure") == []


PIPELINE, TABLES, CHANGES = "pipelines/copy_changes.json", "sql/01_tables.sql", "sql/02_changes.sql"
MUTANTS = [
    (PIPELINE, '"retry": 3', '"retry": 0', "no retries"),
    (PIPELINE, '"timeout": "0.02:00:00"', '"timeout": "2h"', "no timeout"),
    (PIPELINE, '"activity": "Copy changes"', '"activity": "Copy change"', "depends on Copy change, which is not beside it"),
    (PIPELINE, "activity('Open window')", "activity('Close window')", "looks at Close window, which need not have run"),
    (PIPELINE, '"referenceName": "landing_file"', '"referenceName": "landed_file"', "no DatasetReference landed_file"),
    (PIPELINE, '"referenceName": "azure_sql"', '"referenceName": "sql"', "no LinkedServiceReference sql"),
    (PIPELINE, '"referenceName": "private"', '"referenceName": "AutoResolve"', "no IntegrationRuntimeReference AutoResolve"),
    (PIPELINE, "[etl].[close_window]", "[etl].[close]", "no procedure etl.close"),
    (PIPELINE, '"from_version": {', '"since": {', "etl.changes takes ['feed', 'from_version']"),
    (PIPELINE, "pipeline().parameters.catalog", "pipeline().parameters.catalogue", "no pipeline parameter catalogue"),
    (PIPELINE, "@concat(item(), '-'", "@concatenate(item(), '-'", "unknown function concatenate"),
    (PIPELINE, "pipeline().RunId, '.json')", "pipeline().RunId, '.json'", "unbalanced"),
    (PIPELINE, "'/unfinished/', item())", "'/feeds/', item())", "unfinished files would be seen"),
    (PIPELINE, "'registered_users', 'gym_logins'", "'registered_users'", "copies ['registered_users']"),
    (PIPELINE, '"type": "MSI"', '"type": "Basic"', "not by managed identity"),
    (PIPELINE, '"secureOutput": true', '"secureOutput": false', "rows may show in the run's log"),
    (PIPELINE, "setOfObjects", "arrayOfObjects", "one JSON object a line"),
    (PIPELINE, '"folder": {', '"directory": {', "dataset landing_file takes ['file', 'folder']"),
    (PIPELINE, '"isSequential": false,', '"isSequential": false,,', "copy_changes.json: "),
    ("pipelines/landing_file.json", "@dataset().folder", "@dataset().path", "dataset landing_file: declares"),
    (TABLES, "    device_id varchar(64) not null,\n", "", "dbo.registered_users: columns"),
    (TABLES, "create trigger dbo.gym_logins_modified on", "create trigger dbo.gym_logins_modified onto", "01_tables.sql: "),
    (CHANGES, "alter table dbo.gym_logins enable change_tracking", "alter table dbo.gym_logins disable change_tracking", "dbo.gym_logins: no change tracking"),
    (CHANGES, "select mac_address, gym, login, logout, modified_at", "select mac_address, gym, login, modified_at", "gym_logins without ['logout']"),
    (CHANGES, "@feed varchar(64), @to_version bigint", "@name varchar(64), @to_version bigint", "etl.close_window takes"),
    (CHANGES, "change_tracking = on (", "change_tracking = off (", "02_changes.sql: "),
    ("factory.tf", 'name                     = "azure_sql"', 'name                     = "source"', "no LinkedServiceReference azure_sql"),
    ("factory.tf", "    endpoint = azurerm", "    end_point = azurerm", "no pipeline parameter endpoint"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_factory_mutant_is_caught(
    mutant: Mutant, file: str, old: str, new: str, fault: str
) -> None:
    project = mutant(f"deploy/azure/{file}", old, new)
    found = factory.check(project / "deploy/azure")
    assert any(fault in text for text in found), found

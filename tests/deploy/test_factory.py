"""Data Factory's pipeline and the SQL that it calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.checks import factory, terraform
from deploy.checks.factory import Factory
from deploy.checks.terraform import State

Mutant = Callable[[str, str, str], Path]


@pytest.fixture(scope="module")
def made(states: dict[str, State]) -> Factory:
    """What Terraform makes of the factory."""
    return Factory.of(states["prod_from_inside"])


def test_factory_is_sound(root: Path, made: Factory) -> None:
    assert factory.check(root / "deploy/azure", made) == []


PIPELINE, TABLES, CHANGES = "pipelines/copy_changes.json", "sql/01_tables.sql", "sql/02_changes.sql"
MUTANTS = [
    (PIPELINE, '"retry": 3', '"retry": 0', "no retries"),
    (PIPELINE, '"timeout": "0.02:00:00"', '"timeout": "2h"', "no timeout"),
    (PIPELINE, '"activity": "Copy changes"', '"activity": "Copy change"', "Make folder: does not wait for Copy changes"),
    (PIPELINE, "activity('Open window')", "activity('Close window')", "Close window"),
    (PIPELINE, '"activity": "Make folder"', '"activity": "Copy changes"', "Publish file: does not wait for Make folder"),
    (PIPELINE, "?resource=directory", "?resource=file", "SourcePathNotFound"),
    (PIPELINE, "'/feeds/', item(), '?res", "'/feed/', item(), '?res", "RenameDestinationParentPathNotFound"),
    (PIPELINE, "@concat('/landing/', pipeline().parameters.catalog, '/unfinished/'", "@concat('/landing/', pipeline().parameters.catalog, '/done/'", "SourcePathNotFound"),
    (PIPELINE, "output.firstRow.to_version,", "output.firstRow.from_version,", "window (5, 9]: copies []"),
    (PIPELINE, '"referenceName": "landing_file"', '"referenceName": "landed_file"', "Terraform makes no DatasetReference landed_file"),
    (PIPELINE, '"referenceName": "azure_sql"', '"referenceName": "sql"', "Terraform makes no LinkedServiceReference sql"),
    (PIPELINE, '"referenceName": "private"', '"referenceName": "AutoResolve"', "Terraform makes no IntegrationRuntimeReference AutoResolve"),
    (PIPELINE, "[etl].[close_window]", "[etl].[close]", "no procedure etl.close"),
    (PIPELINE, '"from_version": {', '"since": {', "etl.changes takes ['feed', 'from_version']"),
    (PIPELINE, "pipeline().parameters.catalog", "pipeline().parameters.catalogue", "catalogue"),
    (PIPELINE, "@concat(item(), '-'", "@concatenate(item(), '-'", "concatenate"),
    (PIPELINE, "pipeline().RunId, '.json')", "pipeline().RunId, '.json'", "Error evaluating"),
    (PIPELINE, "'/unfinished/', item())", "'/feeds/', item())", "unfinished files would show"),
    (PIPELINE, "'registered_users', 'gym_logins'", "'registered_users'", "copies ['registered_users'], not"),
    (PIPELINE, '"type": "MSI"', '"type": "Basic"', "not by managed identity"),
    (PIPELINE, '"secureOutput": true', '"secureOutput": false', "rows may show in the run's log"),
    (PIPELINE, "setOfObjects", "arrayOfObjects", "one JSON object a line"),
    (PIPELINE, '"folder": {', '"directory": {', "dataset landing_file takes ['file', 'folder']"),
    (PIPELINE, '"isSequential": false,', '"isSequential": false,,', "copy_changes.json: "),
    ("pipelines/landing_file.json", "@dataset().folder", "@dataset().path", "dataset landing_file: declares"),
    (TABLES, "    device_id varchar(64) not null,\n", "", "dbo.registered_users: columns"),
    (TABLES, "create trigger dbo.gym_logins_modified on", "create trigger dbo.gym_logins_modified onto", "01_tables.sql, line "),
    (CHANGES, "alter table dbo.gym_logins enable change_tracking", "alter table dbo.gym_logins disable change_tracking", "dbo.gym_logins: no change tracking"),
    (CHANGES, "select mac_address, gym, login, logout, modified_at", "select mac_address, gym, login, modified_at", "gym_logins without ['logout']"),
    (CHANGES, "@feed varchar(64), @to_version bigint", "@name varchar(64), @to_version bigint", "etl.close_window takes"),
    (CHANGES, "change_tracking = on (", "change_tracking = off (", "02_changes.sql, line "),
    (CHANGES, "allow_snapshot_isolation on", "allow_snapshot_isolation off", "not set to AllowSnapshotIsolation On"),
    (CHANGES, "changed.sys_change_operation <> 'D'", "changed.sys_change_operation <> 'I'", "that leave no row to copy"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_factory_mutant_is_caught(
    mutant: Mutant, made: Factory, file: str, old: str, new: str, fault: str
) -> None:
    project = mutant(f"deploy/azure/{file}", old, new)
    found = factory.check(project / "deploy/azure", made)
    assert any(fault in text for text in found), found


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('name                     = "azure_sql"', 'name                     = "source"', "makes no LinkedServiceReference azure_sql"),
        ("    endpoint = azurerm", "    end_point = azurerm", "endpoint"),
        ('    file   = ""\n', "", "dataset landing_file: declares ['folder']"),
    ],
)  # fmt: skip
def test_a_factory_that_does_not_fit_is_caught(
    mutant: Mutant, root: Path, old: str, new: str, fault: str
) -> None:
    azure = mutant("deploy/azure/factory.tf", old, new) / "deploy/azure"
    found = factory.check(azure, Factory.of(terraform.applied(azure)["prod_from_inside"]))
    assert any(fault in text for text in found), found

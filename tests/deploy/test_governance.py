"""Who sees what: one table, kept by grants, policies, tags and the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlfluff

from tests.deploy import governance

Mutant = Callable[[str, str, str], Path]


def test_rights_are_as_written(root: Path) -> None:
    assert governance.check(root) == []


STORAGE, POLICIES = "deploy/bundle/storage.yml", "deploy/governance/policies.sql"
MUTANTS = [
    (STORAGE, "- principal: ${var.analysts_group}\n          privileges: [USE_SCHEMA, SELECT]", "- principal: ${var.analysts_group}\n          privileges: [USE_SCHEMA, SELECT, MODIFY]", "gold: granted"),
    (STORAGE, "[USE_SCHEMA, CREATE_TABLE, SELECT, MODIFY]", "[ALL_PRIVILEGES]", "gets ALL_PRIVILEGES"),
    (STORAGE, "        - principal: ${var.stewards_group}\n          privileges: [USE_CATALOG]\n", "", "stewards has no USE_CATALOG"),
    (STORAGE, "      comment: Typed, deduplicated, owned\n      grants:\n", "      comment: Typed, deduplicated, owned\n      grants:\n        - principal: ${var.analysts_group}\n          privileges: [USE_SCHEMA, SELECT]\n", "silver: granted"),
    (STORAGE, "privileges: [READ_VOLUME, WRITE_VOLUME]", "privileges: [READ_VOLUME]", "volumes: granted"),
    ("deploy/governance/grants.sql", ".gold.pipeline_health to", ".gold.gym_summary to", "gold.gym_summary: grants.sql and access.yml disagree"),
    (POLICIES, ".silver.member_access to `', :stewards", ".silver.member_access to `', :analysts", "silver.member_access: policies.sql and access.yml disagree on analysts"),
    (POLICIES, "'grant modify on", "'grant all privileges on", "grants more than the change of a table"),
    (POLICIES, "create table if not exists `', :catalog, '`.silver.member_access", "create table if not exists `', :catalog, '`.silver.members", "policies.sql makes ['silver.members']"),
    ("deploy/governance/access.yml", "silver.member_access: [stewards, ingest]", "silver.member_access: [stewards, operators]", "operators may change what it cannot read"),
    (POLICIES, r"or hasTagValue(\'personal_data\', \'mac_address\')", "", "policies mask"),
    (POLICIES, "except `', :stewards, '`, `', :ingest, '`, `', :transform, '` ", "except `', :stewards, '`, `', :analysts, '` ", "excepts"),
    (POLICIES, "to `account users` except", "to `', :analysts, '` except", "spares everyone but"),
    (POLICIES, ".silver.hidden_date ", ".silver.hide_date ", "no function hide_date"),
    (POLICIES, "(value date) returns date ", "(value string) returns string ", "hidden_date takes string"),
    (POLICIES, "'on column personal'", "'on column person'", "matches personal, acts on person"),
    ("models/silver/user_profiles.yml", "          databricks_tags: {personal_data: birth_date}\n", "", "date_of_birth: tag personal_data is None"),
    ("models/silver/user_profiles.yml", "databricks_tags: {personal_data: address}", "databricks_tags: {personal_data: street}", "nothing masks street"),
    ("models/gold/gym_summary.yml", "      - name: gym_id\n", "      - name: gym_id\n        config: {databricks_tags: {personal_data: name}}\n", "gold.gym_summary.gym_id: personal in gold"),
    ("models/gold/daily_heart_rates.yml", "databricks_tags: {row_filter: member}", "databricks_tags: {}", "daily_heart_rates.user_id: tag row_filter is None"),
    ("models/silver/user_profiles.yml", "databricks_tags: {personal_data: birth_date}", "databricks_tags: {row_filter: member}", "date_of_birth: tag row_filter is member"),
    ("models/gold/gyms.yml", "      - name: gym_id\n", "      - name: device_id\n", "gold.gyms: of single members, and no user_id"),
    ("models/gold/gym_hours.sql", "ref('gym_hourly_occupancy')", "ref('gym_summary')", "gold.gym_hours: a view over gym_summary, whose rows are filtered"),
    ("deploy/governance/access.yml", "  artifacts: {transform: write", "  artifacts: {transform: read", "its table is not this one"),
    ("databricks.yml", "[USE_CATALOG, USE_SCHEMA, SELECT, READ_VOLUME]", "[USE_CATALOG, USE_SCHEMA, SELECT, MODIFY]", "dev, catalogs.fitbit: also granted"),
    ("dashboards/fitbit.lvdash.json", "FROM pipeline_health", "FROM silver.rejected_records", "silver.rejected_records is no table of gold"),
    ("dashboards/fitbit.lvdash.json", "FROM gym_hours", "FROM gym_hourly_occupancy", "gym_managers may read the pages ['Who stays?']"),
    ("deploy/governance/access.yml", "[pipeline_health, unowned_activity]", "[pipeline_health]", "operators may read the pages []"),
    ("deploy/governance/access.yml", '["How full are we?", "Who stays?"]\n', '["How full are we?", "Who stays?", "How do they train?"]\n', "gym_managers may read the pages ['How full are we?', 'Who stays?'], access.yml"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_wrong_rights_are_caught(
    mutant: Mutant, root: Path, file: str, old: str, new: str, fault: str
) -> None:
    found = governance.check(mutant(file, old, new))
    assert any(fault in text for text in found), found


@pytest.mark.parametrize("name", ["policies", "grants"])
def test_statements_parse(root: Path, name: str) -> None:
    """All but policies, which the grammar does not know: governance.check reads those."""
    groups = ("stewards", "analysts", "operators", "gym_managers")
    values = {n: n for n in ("catalog", *groups, "ingest", "transform")}
    made = governance.statements(root / f"deploy/governance/{name}.sql", values)
    for statement in made:
        if " policy " not in statement and not statement.startswith("grant "):
            sqlfluff.parse(statement, dialect="databricks")
    assert len(made) == {"policies": 11, "grants": 8}[name]

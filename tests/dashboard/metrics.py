"""The SQL that MetricFlow makes of a metric, without a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BY_HAND = {
    "visits_per_member": "select count(user_id) / count(distinct user_id) as n from gym_summary",
    "exercise_share": "select sum(minutes_exercising) / sum(minutes_in_gym) as n"
    " from gym_summary where logout_at is not null",
    "active_zone_minutes_per_week": "select 7 * sum(active_zone_minutes) / count(*) as n"
    " from daily_heart_rates",
    "mean_recovery_bpm": "select avg(heart_rate_recovery_bpm) as n from workout_bpm_summary",
    "falling_members": "select count(*) as n from member_activity where is_falling",
    "retention": "select sum(active) / sum(members) as n from member_cohorts"
    " where not is_suppressed",
    "occupancy": "select sum(peak_members) / sum(capacity) as n from gym_hours"
    " where peak_members is not null and capacity is not null",
    "reject_rate": "select sum(rejected) / sum(received) as n from pipeline_health",
}
"""Metrics as somebody would ask for them in SQL on gold."""


class _Renders:
    """MetricFlow's client of a warehouse, as far as it takes to render SQL."""

    def __init__(self) -> None:
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.databricks import DatabricksSqlPlanRenderer

        self.sql_engine_type = SqlEngine.DATABRICKS
        self.sql_plan_renderer = DatabricksSqlPlanRenderer()


def statements(semantic_manifest: Path, metrics: list[str]) -> dict[str, str]:
    """Databricks SQL of each metric over all time, from dbt's semantic manifest."""
    return {name: _sql(semantic_manifest, metric_names=[name]) for name in metrics}


def saved_statement(semantic_manifest: Path, name: str) -> str:
    """Databricks SQL of a saved query."""
    return _sql(semantic_manifest, saved_query_name=name)


def _sql(semantic_manifest: Path, **asked: Any) -> str:
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow_semantics.model.dbt_manifest_parser import (
        parse_manifest_from_dbt_generated_manifest,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    manifest = parse_manifest_from_dbt_generated_manifest(semantic_manifest.read_text())
    client: Any = _Renders()
    engine = MetricFlowEngine(SemanticManifestLookup(manifest), client)
    sql: str = engine.explain(MetricFlowQueryRequest.create(**asked)).sql_statement.sql
    return sql

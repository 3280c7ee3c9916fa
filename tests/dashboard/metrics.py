"""The SQL that MetricFlow makes of a metric, without a warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class _Renders:
    """MetricFlow's client of a warehouse, as far as it takes to render SQL."""

    def __init__(self) -> None:
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.databricks import DatabricksSqlPlanRenderer

        self.sql_engine_type = SqlEngine.DATABRICKS
        self.sql_plan_renderer = DatabricksSqlPlanRenderer()


def statements(semantic_manifest: Path, metrics: list[str]) -> dict[str, str]:
    """Databricks SQL of each metric over all time, from dbt's semantic manifest."""
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow_semantics.model.dbt_manifest_parser import (
        parse_manifest_from_dbt_generated_manifest,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    manifest = parse_manifest_from_dbt_generated_manifest(semantic_manifest.read_text())
    client: Any = _Renders()
    engine = MetricFlowEngine(SemanticManifestLookup(manifest), client)
    made = {}
    for metric in metrics:
        request = MetricFlowQueryRequest.create(metric_names=[metric])
        made[metric] = engine.explain(request).sql_statement.sql
    return made

"""Metric views are the semantic models: what the file holds, and what its measures give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy import metric_views
from tests.dashboard.gold import Gold
from tests.dashboard.metrics import BY_HAND


def test_the_file_is_what_the_semantic_models_make(root: Path) -> None:
    assert metric_views.FILE.read_text() == metric_views.sql(root)


def test_measures_give_what_sql_by_hand_gives() -> None:
    """Each on its table, the measures it names put in."""
    held = Gold.of(300, 150)
    tried = set()
    for view in metric_views.views().values():
        table = view["source"].rpartition(".")[2]
        measures = {one["name"]: one["expr"] for one in view["measures"]}
        for name in measures.keys() & BY_HAND.keys():
            expression = measures[name]
            for other in re.findall(r"MEASURE\((\w+)\)", expression):
                expression = expression.replace(f"MEASURE({other})", f"({measures[other]})")
            (found,) = held.query(f"select {expression} as n from {table}").values[0]
            (wanted,) = held.query(BY_HAND[name]).values[0]
            assert float(found) == pytest.approx(float(wanted), rel=1e-9), name
            tried.add(name)
    assert tried == BY_HAND.keys()

"""Every table states its key where Databricks reads it, and tests it where it is stated."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Node = dict[str, Any]


@pytest.fixture
def nodes(manifest: dict[str, Any]) -> dict[str, Node]:
    """The nodes of the project, as dbt parses them."""
    found: dict[str, Node] = manifest["nodes"]
    return found


def key_of(node: Node) -> list[str]:
    key = node["config"]["unique_key"]
    return [key] if isinstance(key, str) else list(key)


def faults(nodes: dict[str, Node]) -> Iterator[str]:
    tests = [node for node in nodes.values() if node["resource_type"] == "test"]
    tested = {
        (test["attached_node"], tuple(test["test_metadata"]["kwargs"]["unique"]))
        for test in tests
        if (test.get("test_metadata") or {}).get("name") == "table_rules"
    }
    for test in tests:
        if len(test["name"]) >= 60:
            yield f"{test['name']}: a name of {len(test['name'])} characters"
    for unique_id, node in nodes.items():
        if node["config"].get("materialized") != "incremental":
            continue
        name, columns = node["name"], node["columns"]
        if not node["config"]["contract"]["enforced"]:
            yield f"{name}: no enforced contract"
        stated = [
            (constraint["name"], constraint["columns"], constraint["expression"])
            for constraint in node["constraints"]
            if constraint["type"] == "primary_key"
        ]
        if stated != [(f"{name}_key", key_of(node), "RELY")]:
            yield f"{name}: its primary key is not its unique_key"
        for column in key_of(node):
            if not any(c["type"] == "not_null" for c in columns[column]["constraints"]):
                yield f"{name}: {column} of its key may be null"
        if (unique_id, tuple(key_of(node))) not in tested:
            yield f"{name}: its key is not tested"
        for constraint in node["constraints"]:
            # dbt makes it an edge of the graph, so the SQL must have that edge anyway.
            if constraint["type"] == "foreign_key" and (
                constraint["expression"] or constraint["to"] not in node["raw_code"]
            ):
                yield f"{name}: its foreign key is relied on, or to what it does not read"


def test_every_table_states_and_tests_its_key(nodes: dict[str, Node]) -> None:
    assert list(faults(nodes)) == []


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda node: node["config"]["contract"].update(enforced=False), "no enforced contract"),
        (lambda node: node["config"].update(unique_key="device_id"), "primary key is not"),
        (lambda node: node["constraints"].clear(), "primary key is not"),
        (lambda node: node["constraints"][0].update(expression=None), "primary key is not"),
        (lambda node: node["columns"]["device_id"].update(constraints=[]), "may be null"),
        (
            lambda node: node["constraints"].append(
                {"type": "foreign_key", "expression": None, "to": "ref('gym_visits')"}
            ),
            "to what it does not read",
        ),
    ],
)
def test_a_key_that_is_not_stated_is_caught(
    nodes: dict[str, Node], edit: Callable[[Node], object], fault: str
) -> None:
    edited = copy.deepcopy(nodes)
    edit(edited["model.fitbit_lakehouse.heart_rates"])
    assert any(fault in text for text in faults(edited))


def test_a_key_without_a_test_is_caught(nodes: dict[str, Node]) -> None:
    kept = {key: node for key, node in nodes.items() if node["name"] != "heart_rates_rules"}
    assert "heart_rates: its key is not tested" in faults(kept)

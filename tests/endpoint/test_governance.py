"""The record of tags, masks, filters and keys survives restarts and follows its tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.endpoint.governance import Governance, KeyConstraint, Notes


@pytest.fixture
def record(tmp_path: Path) -> Governance:
    return Governance(tmp_path / "governance.json")


def tag(notes: Notes) -> None:
    notes.tags["layer"] = "gold"


def test_a_change_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "below" / "governance.json"
    first = Governance(file)
    first.change("Gold", "T", tag)
    first.change("gold", "t", lambda n: n.constraints.append(KeyConstraint("pk", ["id"])))
    first.change_schema_tags("gold", lambda tags: tags.update(a="b"))
    again = Governance(file)
    assert again.table("gold", "t") == Notes(
        tags={"layer": "gold"}, constraints=[KeyConstraint("pk", ["id"])]
    )
    assert again.schema_tags() == {"gold": {"a": "b"}}


def test_what_is_read_is_a_copy(record: Governance) -> None:
    record.change("gold", "t", tag)
    record.table("gold", "t").tags.clear()
    assert record.table("gold", "t").tags == {"layer": "gold"}


def test_a_dropped_table_is_forgotten_with_keys_that_lead_to_it(record: Governance) -> None:
    record.change("gold", "t", tag)
    foreign = KeyConstraint("fk", ["t_id"], ["gold", "t"], ["id"])
    record.change("gold", "u", lambda n: n.constraints.append(foreign))
    record.forget_table("gold", "t")
    assert record.table("gold", "t").empty
    assert record.table("gold", "u").empty


def test_keys_that_lead_to_a_table_can_be_dropped(record: Governance, tmp_path: Path) -> None:
    foreign = KeyConstraint("fk", ["t_id"], ["gold", "t"], ["id"])
    record.change("gold", "u", lambda n: n.constraints.append(foreign))
    record.change("gold", "u", lambda n: n.constraints.append(KeyConstraint("pk", ["id"])))
    assert record.references("Gold", "T") == [("gold", "u")]
    record.forget_references("Gold", "T")
    again = Governance(tmp_path / "governance.json")
    assert again.table("gold", "u").constraints == [KeyConstraint("pk", ["id"])]


def test_a_renamed_table_keeps_what_is_known(record: Governance) -> None:
    record.change("gold", "t", tag)
    foreign = KeyConstraint("fk", ["t_id"], ["gold", "t"], ["id"])
    record.change("gold", "u", lambda n: n.constraints.append(foreign))
    record.rename_table("gold", "t", "gold", "new")
    assert record.table("gold", "t").empty
    assert record.table("gold", "new").tags == {"layer": "gold"}
    assert record.table("gold", "u").constraints[0].parent == ["gold", "new"]


def test_a_dropped_schema_takes_its_tables(record: Governance) -> None:
    record.change("gold", "t", tag)
    record.change("silver", "t", tag)
    record.forget_schema("gold")
    assert list(record.tables()) == [("silver", "t")]

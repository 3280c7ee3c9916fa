"""What the audit says of a partition, from the counts of bronze and the broker's offsets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.audit import lines_of
from ingestion.broker import Topic
from ingestion.progress import KnownTopic

TOPIC = Topic("bpm", "id-1", {0: 0}, {0: 20})


def of(first: int, last: int, missing: int = 0, epoch: int = 0) -> Any:
    """A row of what bronze holds of partition 0."""
    found = {"topic_epoch": epoch, "partition": 0, "first": first, "last": last}
    counted = {"rows": 1, "repeats": 0, "accepted": 0, "missing": missing}

    class Row(SimpleNamespace):
        def __getitem__(self, name: str) -> Any:
            return getattr(self, name)

    return Row(**found, **counted)


@pytest.mark.parametrize(
    ("accepted", "unread"), [(set(), 9), ({(0, 0, 20)}, 0), ({(0, 0, 15), (1, 0, 20)}, 5)]
)
def test_an_accepted_gap_behind_the_last_row_is_not_unread(
    accepted: set[tuple[int, int, int]], unread: int
) -> None:
    (line,) = lines_of("bpm", [of(0, 10)], accepted, TOPIC, KnownTopic("bpm", "id-1", 0), False)
    assert (line.unread, line.sound) == (unread, True)


def test_a_partition_without_rows_that_was_given_up_is_not_unread() -> None:
    (line,) = lines_of("bpm", [], {(0, 0, 20)}, TOPIC, KnownTopic("bpm", "id-1", 0), False)
    assert (line.unread, line.sound) == (0, True)


def test_another_topic_of_the_same_name_is_not_sound() -> None:
    old, new = lines_of(
        "bpm",
        [of(0, 10, epoch=0), of(0, 19, epoch=1)],
        set(),
        TOPIC,
        KnownTopic("bpm", "id-0", 1),
        False,
    )
    assert (old.sound, new.sound) == (True, False)


def test_holes_are_missing_records_unless_the_topic_is_sparse() -> None:
    known = KnownTopic("bpm", "id-1", 0)
    for sparse in (False, True):
        (line,) = lines_of("bpm", [of(0, 19, missing=2)], set(), TOPIC, known, sparse)
        assert line.sound is sparse

"""What the histories hold, as the oracle decodes it: every kind of dirt, every reason."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from lakehouse.simulator.dirty_records import topic_kinds
from lakehouse.simulator.dirty_rows import row_kinds
from tests.histories.history import history, row_kinds_of, topic_kinds_of
from tests.oracle.decode import REASONS, Rejected, decode
from tests.oracle.load import from_bronze_rows
from tests.oracle.records import FEEDS, FILE_FEEDS, KAFKA_FEEDS

HISTORIES = range(1, 26)
SEED = 20260301
ARRIVED = datetime(2026, 3, 10, tzinfo=UTC)

# What a feed cannot be rejected for: it has no such field, or no record without a value.
_NOT_OF_FILES = {
    "missing_value",
    "unknown_action",
    "unknown_update_type",
    "heart_rate_out_of_range",
}
_NEVER = {
    "user_info": {"unknown_action", "heart_rate_out_of_range"},
    "bpm": {"unknown_action", "unknown_update_type"},
    "workout": {"unknown_update_type", "heart_rate_out_of_range"},
    "registered_users": _NOT_OF_FILES,
    "gym_logins": _NOT_OF_FILES,
}


def test_each_kind_of_dirt_has_its_turn() -> None:
    for topic in KAFKA_FEEDS:
        names = [kind.name for number in HISTORIES for kind in topic_kinds_of(topic, number)]
        assert sorted(names) == sorted(kind.name for kind in topic_kinds(topic))
    for feed in FILE_FEEDS:
        names = [kind.name for number in HISTORIES for kind in row_kinds_of(feed, number)]
        assert sorted(names) == sorted(kind.name for kind in row_kinds(feed))


@pytest.mark.parametrize("feed", FEEDS)
def test_each_reason_occurs_where_it_can(feed: str) -> None:
    entries = [e for number in HISTORIES for e in history(number, SEED) if e.feed == feed]
    rows = [{**entry.columns, "ingested_at": ARRIVED} for entry in entries]
    reasons: Counter[str] = Counter()
    accepted = 0
    for record in from_bronze_rows(feed, rows):
        try:
            _, is_logout_ignored = decode(record)
        except Rejected as rejected:
            reasons[rejected.reason] += 1
        else:
            accepted += 1
            reasons["logout_ignored"] += is_logout_ignored
    assert {*+reasons} - {"logout_ignored"} == {*REASONS} - _NEVER[feed]
    assert bool(reasons["logout_ignored"]) == (feed == "gym_logins")
    # Collisions are what the histories are for, so most records must count.
    assert accepted > sum(reasons.values()) / 2


def test_the_same_number_and_seed_give_the_same_world() -> None:
    assert history(3, SEED) == history(3, SEED)
    assert history(3, SEED) != history(3, SEED + 1)

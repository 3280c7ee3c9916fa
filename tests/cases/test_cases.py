"""The stated outcome of each record and the stated rows are those of the oracle."""

import dataclasses
import random

import pytest

from ..oracle import compute
from ..oracle.compare import compare
from ..oracle.decode import Rejected, decode
from ..oracle.records import Record
from .case import Case, Outcome
from .catalog import CASES, differences, records

# Some months after the cases' time, so that nothing of them lies in the future.
ARRIVAL = 1_710_000_000_000_000
#: What tells of arrivals.
ARRIVALS = {"records", "rejected_records", "feed_arrivals", "pipeline_health"}
TABLES = compute(record for record, _ in records(CASES, ingested_at=ARRIVAL))


def _fate(record: Record) -> Outcome:
    try:
        _, is_logout_ignored = decode(record)
    except Rejected as found:
        return Outcome(found.reason)
    return Outcome(is_logout_ignored=is_logout_ignored)


def test_tags_and_files_are_unique() -> None:
    tags = [case.tag for case in CASES]
    names = [landed.name for case in CASES for landed in case.files]
    assert len(set(tags)) == len(tags)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tag)
def test_fates(case: Case) -> None:
    for record, outcome in records([case], ingested_at=ARRIVAL):
        assert _fate(record) == outcome, record


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tag)
def test_rows(case: Case) -> None:
    assert differences(case, TABLES) == []


@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_repeats_give_the_same_tables(seed: int) -> None:
    chance = random.Random(seed)
    shuffled = [record for record, _ in records(CASES, ingested_at=ARRIVAL)]
    shuffled += chance.sample(shuffled, 100)
    chance.shuffle(shuffled)
    # Arrival in this order, a second each; the place in Kafka's topic stays.
    arrived = [
        dataclasses.replace(record, ingested_at=ARRIVAL + i * 1_000_000)
        for i, record in enumerate(shuffled)
    ]
    found = compute(arrived)
    for table in TABLES.keys() - ARRIVALS:
        assert compare(TABLES[table], found[table], table) == []

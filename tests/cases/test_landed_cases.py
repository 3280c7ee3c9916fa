"""The cases through Kafka, files, bronze and dbt: as stated, and as the oracle has it."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.landed import GOLD, SILVER, Landed
from tests.oracle import compute
from tests.oracle.compare import compare
from tests.oracle.records import FEEDS, KAFKA_FEEDS, FileRecord, KafkaRecord

from .case import Case, Outcome
from .catalog import CASES, differences, records

ARRIVAL = 1_710_000_000_000_000
SENT = records(CASES, ingested_at=ARRIVAL)


@pytest.fixture(scope="module")
def oracle(landed_cases: Landed) -> Mapping[str, list[dict[str, Any]]]:
    """The oracle's tables over the bronze that the models read."""
    return compute(landed_cases.records)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tag)
def test_stated_rows(landed_cases: Landed, case: Case) -> None:
    assert differences(case, landed_cases.tables) == []


def test_every_message_is_in_bronze_as_it_was_sent(landed_cases: Landed) -> None:
    in_bronze: Counter[tuple[Any, ...]] = Counter(
        (record.feed, record.key, record.value, record.timestamp)
        for record in landed_cases.records
        if isinstance(record, KafkaRecord) and record.source_file is None
    )
    sent: Counter[tuple[Any, ...]] = Counter(
        (message.feed, message.key, message.value, message.timestamp * 1000)
        for case in CASES
        for message in case.messages
    )
    assert not sent - in_bronze


def test_each_record_is_rejected_for_the_stated_reason(landed_cases: Landed) -> None:
    """Reasons by what the record holds, found through its place in bronze."""
    content = {_place(record): _content(record) for record in landed_cases.records}
    found = Counter(
        (row["feed"], content[_row_place(row)], row["reason"])
        for row in landed_cases.tables["rejected_records"]
    )
    stated = Counter(
        (record.feed, _content(record), outcome.reason)
        for record, outcome in SENT
        if outcome.reason is not None
    )
    # The worked example's own rejected records are there as well.
    assert not stated - found
    others = {(feed, what) for feed, what, _ in (found - stated)}
    # Tombstones without an id are alike wherever they were sent.
    sent = {(record.feed, _content(record)) for record, _ in SENT}
    assert not {one for one in others & sent if one[1][1:] != (None,)}


@pytest.mark.parametrize("feed", FEEDS)
def test_outcomes_are_as_stated(landed_example: Landed, landed_cases: Landed, feed: str) -> None:
    def outcomes(landed: Landed) -> Counter[Outcome]:
        return Counter(
            Outcome(row["reject_reason"], bool(row["is_logout_ignored"]))
            for row in landed.tables["records"]
            if row["feed"] == feed
        )

    stated = Counter(outcome for record, outcome in SENT if record.feed == feed)
    assert outcomes(landed_cases) - outcomes(landed_example) == stated


@pytest.mark.parametrize("table", [*SILVER, *GOLD])
def test_tables_are_those_of_the_oracle(
    landed_cases: Landed, oracle: Mapping[str, list[dict[str, Any]]], table: str
) -> None:
    assert compare(oracle[table], landed_cases.tables[table], table) == []


def _content(record: KafkaRecord | FileRecord) -> Any:
    if isinstance(record, FileRecord):
        return record.raw
    try:  # an object in an envelope arrives without the blanks between its parts
        content = json.loads(record.value or b"", object_pairs_hook=tuple, parse_float=str)
    except (ValueError, RecursionError):
        return record.key, record.value
    return record.key, repr(content)


def _place(record: KafkaRecord | FileRecord) -> tuple[Any, ...]:
    if record.record_id is not None:
        return record.feed, record.record_id
    assert isinstance(record, KafkaRecord)
    return record.feed, record.topic_epoch, record.partition, record.offset


def _row_place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    if row["record_id"] is not None:
        return row["feed"], row["record_id"]
    assert row["feed"] in KAFKA_FEEDS
    return row["feed"], row["topic_epoch"], row["partition"], row["offset"]

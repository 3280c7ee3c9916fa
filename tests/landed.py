"""The worked example, then the cases, through Kafka and files into a workspace of their own.

One workspace serves both: the example is landed and built first and all its tables are read, then
the cases come on top, in an incremental build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.serializer import Serializer

from lakehouse import kafka
from lakehouse.dbt import WITHOUT_UNIT_TESTS
from lakehouse.home import Home
from tests.cases.case import Case
from tests.cases.catalog import CASES
from tests.oracle import compare, compute
from tests.oracle.load import bronze_query, from_bronze_rows
from tests.oracle.records import FEEDS, Record
from tests.support import Workspace, running
from tests.worked_example import example

Row = dict[str, Any]

SILVER = (*example.SILVER, "records", "rejected_records", "feed_arrivals")
GOLD = (*example.GOLD, "pipeline_health")


@dataclass(frozen=True)
class Landed:
    """What a workspace holds after a build: rows by table, and bronze as the oracle takes it."""

    tables: Mapping[str, list[Row]]
    records: list[Record]


def read(workspace: Workspace) -> Landed:
    """Every table of silver and gold, and the records of bronze."""
    tables = {name: workspace.sql(f"select * from silver.{name}") for name in SILVER}
    tables |= {name: workspace.sql(f"select * from gold.{name}") for name in GOLD}
    records = [
        r for feed in FEEDS for r in from_bronze_rows(feed, workspace.sql(bronze_query(feed)))
    ]
    return Landed(tables, records)


def differences_from_oracle(landed: Landed, **options: Any) -> list[str]:
    """Every table of silver and gold against the oracle over the same bronze.

    `options` are those of `compute`. No differences: an empty list.
    """
    expected = compute(landed.records, **options)
    return [
        line
        for name in (*SILVER, *GOLD)
        for line in compare(expected[name], landed.tables[name], name)
    ]


class _Bytes(Serializer):  # type: ignore[misc]
    """Bytes as they are; the producer refuses a record without key and value, so ours is hidden."""

    def serialize(self, _topic: str, _headers: object, data: Any) -> bytes | None:
        unwrapped: bytes | None = data[0] if isinstance(data, tuple) else data
        return unwrapped


def publish(home: Home, cases: tuple[Case, ...]) -> None:
    """Send the cases' messages, bytes and nulls as they are stated."""
    producer = KafkaProducer(
        **kafka.client_options(home),
        acks="all",
        max_request_size=kafka.LARGEST_MESSAGE_BYTES,
        key_serializer=_Bytes(),
        value_serializer=_Bytes(),
    )
    try:
        sent = [
            producer.send(
                message.feed,
                key=(message.key,),
                value=(message.value,),
                timestamp_ms=message.timestamp,
                headers=list(message.headers),
            )
            for case in cases
            for message in case.messages
        ]
        for future in sent:
            future.get(timeout=60)
    finally:
        producer.close()


@pytest.fixture(scope="session")
def example_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace for the two fixtures below and nobody else."""
    with running(tmp_path_factory.mktemp("example")) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def landed_example(example_workspace: Workspace) -> Landed:
    """The worked example alone, built."""
    workspace = example_workspace
    workspace.run("replay", example.ENVELOPES)
    for feed, path in example.LANDED:
        workspace.run("land", feed, path)
    workspace.run("ingest")
    workspace.dbt("build")
    return read(workspace)


@pytest.fixture(scope="session")
def landed_cases(
    example_workspace: Workspace,
    landed_example: Landed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Landed:
    """The cases on top of the example, built; the example's build has run the unit tests."""
    assert landed_example.records
    workspace = example_workspace
    folder = tmp_path_factory.mktemp("cases")
    publish(workspace.home, CASES)
    for feed in FEEDS:
        paths: list[Path] = []
        for case in CASES:
            for landed in case.files:
                if landed.feed == feed:
                    paths.append(folder / landed.name)
                    paths[-1].write_bytes(landed.content)
        if paths:
            workspace.run("land", feed, *paths)
    workspace.run("ingest")
    workspace.dbt("build", *WITHOUT_UNIT_TESTS)
    return read(workspace)


@pytest.fixture(scope="session")
def landed_month(example_workspace: Workspace, landed_cases: Landed) -> Landed:
    """A simulated month with every bad kind of record, on top of the cases, built."""
    assert landed_cases.records
    workspace = example_workspace
    # A reading every 90 s instead of 8: rows enough for every rule, and a build of a minute.
    workspace.run(
        *("simulate", "--users", "5", "--days", "30", "--seed", "7"),
        *("--interval", "90", "--dirty", "0.02"),
    )
    workspace.run("ingest")
    workspace.dbt("build", *WITHOUT_UNIT_TESTS)
    return read(workspace)

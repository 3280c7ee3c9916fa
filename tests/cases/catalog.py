"""All cases, and the same cases as the oracle takes them."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..oracle.compare import KEYS, compare, normal
from ..oracle.load import from_landed
from ..oracle.records import KafkaRecord, Record
from . import decoding, files, hearts, members
from .case import Case, Outcome

CASES: tuple[Case, ...] = (*decoding.CASES, *members.CASES, *hearts.CASES, *files.CASES)


def records(cases: Iterable[Case], *, ingested_at: int) -> list[tuple[Record, Outcome]]:
    """Records in the order of sending, each with its stated outcome."""
    found: list[tuple[Record, Outcome]] = []
    offsets: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            for message in case.messages:
                offset = offsets.get(message.feed, 0)
                offsets[message.feed] = offset + 1
                record = KafkaRecord(
                    feed=message.feed,
                    key=message.key,
                    value=message.value,
                    timestamp=message.timestamp * 1000,
                    ingested_at=ingested_at,
                    topic=message.feed,
                    topic_epoch=0,
                    partition=0,
                    offset=offset,
                )
                found.append((record, message.outcome))
            for landed in case.files:
                path = Path(folder) / landed.name
                path.write_bytes(landed.content)
                read = from_landed(landed.feed, path, ingested_at=ingested_at)
                found.extend(zip(read, landed.outcomes, strict=True))
    return found


def differences(case: Case, found: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """What the rows of silver and gold (by table) differ in from those that the case states.

    A stated row says nothing about the columns that it lacks.
    """
    wrong: list[str] = []
    for table, rows in case.rows.items():
        own = [dict(row) for row in found[table] if case.owns(row)]
        by_key = {_key(table, row): row for row in own}
        columns = list(dict.fromkeys(name for row in rows for name in row))
        filled = []
        for row in rows:
            known = by_key.get(_key(table, row), {})
            filled.append({name: row.get(name, known.get(name)) for name in columns})
        wrong += compare(filled, own, table, columns=columns)
    return wrong


def _key(table: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(normal(name, row[name]) for name in KEYS[table])

"""Kafka to a table: how many records a second a drain takes in.

project       `lakehouse ingest --feed bpm`, the whole command, into bronze
query         its streaming query alone, without the command around it, into a table like bronze's
parquet       the same rows written to Parquet by bare Spark, without Delta
hand_written  a Python consumer (bench/hand_written.py), the whole process, into a Delta table

Each round produces new records, which all of them read. All must count the same, and the tables
must hold the same records.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import duckdb
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from bench import compare, data, workspaces
from bench.results import Seconds, Unequal, medians, note, ratio, report
from ingestion import broker, bronze, sources, streaming
from lakehouse import kafka
from lakehouse.client import Workspace
from lakehouse.commands.ingest import config_of
from lakehouse.home import CHECKOUT, Home

CONTENDERS = ("project", "query", "parquet", "hand_written")
_DEVICES = 500
_SCHEMA = "landing"
"""Where `query` writes."""

Offsets = Mapping[int, int]


def measure(workspace: Workspace, records: int, repeats: int) -> None:
    """Run the rounds, the first of which warms up unless it is the only one, and report."""
    seconds: Seconds = {}
    for turn in range(repeats + 1):
        first = broker.describe(config_of(workspace.home), "bpm").latest
        produce(workspace.home, records)
        last = broker.describe(config_of(workspace.home), "bpm").latest
        _require("the broker", sum(last.values()) - sum(first.values()), records)
        folder = workspace.home.root / "drained" / str(turn)
        ways: dict[str, Callable[[], float]] = {
            "project": partial(_project, workspace, records),
            "query": partial(_drain, workspace, first, records, folder / "query", _to_delta),
            "parquet": partial(_drain, workspace, first, records, folder / "parquet", _to_parquet),
            "hand_written": partial(_consume, workspace, first, last, str(folder / "by_hand")),
        }
        for name in workspaces.in_turn(CONTENDERS, turn):
            note(seconds, name, ways[name](), turn > 0 or repeats == 0)
        _check(workspace, first, records, folder)
    middle = medians(seconds)
    result = (
        f"query {ratio(middle['parquet'], middle['query'])} the rate of Parquet without Delta; "
        f"command {records / middle['project']:,.0f} records a second, "
        f"{ratio(middle['hand_written'], middle['project'])} the rate of the hand-written"
    )
    report("landing", f"{records:,} records", result, seconds)
    print(f"  {_kept(workspace)}", flush=True)


def produce(home: Home, records: int) -> None:
    """Send so many readings at once, acknowledged."""
    from confluent_kafka import Producer

    producer = Producer(
        {**_librdkafka(home), "acks": "all", "linger.ms": 20, "batch.size": 1 << 18}
    )
    for number in range(records):
        device = data.FIRST_DEVICE + number % _DEVICES
        at = data.EPOCH + number // _DEVICES
        value = b'{"device_id":%d,"time":%d,"heartrate":%d}' % (device, at, 60 + number % 90)
        while True:
            try:
                producer.produce("bpm", value, key=b"%d" % device)
                break
            except BufferError:  # its queue is full: let it send
                producer.poll(0.1)
    _require("the producer", records - producer.flush(120), records)


def _librdkafka(home: Home) -> dict[str, str]:
    """The options with which its clients reach the broker."""
    given = kafka.client_settings(home)
    same = ("bootstrap.servers", "security.protocol", "sasl.mechanism")
    login = {"sasl.username": kafka.USER, "sasl.password": home.token}
    return {name: given[name] for name in same} | login


def _project(workspace: Workspace, records: int) -> float:
    before = _bronze_rows(workspace)
    command = partial(workspace.run, "ingest", "--feed", "bpm", timeout=workspaces.PATIENCE_SECONDS)
    taken = workspaces.stopwatch(command)
    _require("the project", _bronze_rows(workspace) - before, records)
    return taken


def _to_delta(rows: DataFrame, folder: Path) -> StreamingQuery:
    table = bronze.table_name("bpm", schema=_SCHEMA)
    names = {"table": table, "name": "bpm", "writer_id": "bpm/0"}
    return streaming.start_writing(
        rows, **names, checkpoint=folder, continuous=False, trigger_seconds=1
    )


def _to_parquet(rows: DataFrame, folder: Path) -> StreamingQuery:
    writer = rows.writeStream.format("parquet").option("path", str(folder / "rows"))
    checkpoint = str(folder / "checkpoint")
    return writer.trigger(availableNow=True).option("checkpointLocation", checkpoint).start()


def _drain(
    workspace: Workspace,
    first: Offsets,
    records: int,
    folder: Path,
    start: Callable[[DataFrame, Path], StreamingQuery],
) -> float:
    """Seconds of a query from its start to its end, with ingestion's source."""
    config = config_of(workspace.home)
    topic = broker.describe(config, "bpm")
    with workspaces.connect(workspace) as spark:
        spark.sql(f"create schema if not exists {_SCHEMA}")
        spark.sql(f"create table if not exists {_SCHEMA}.bpm like bronze.bpm")
        # All micro-batches are counted, not only the newest.
        spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", "100000")
        stream = sources.kafka_stream(
            spark, config, topic, epoch=0, start=dict(first), most=config.max_offsets_per_trigger
        )
        queries: list[StreamingQuery] = []

        def run() -> None:
            queries.append(start(stream, folder))
            queries[0].awaitTermination()

        taken = workspaces.stopwatch(run)
        batches = queries[0].recentProgress
        read = sum(source["numInputRows"] for batch in batches for source in batch["sources"])
    _require("Spark", read, records)
    return taken


def _consume(workspace: Workspace, first: Offsets, last: Offsets, table: str) -> float:
    offsets = (json.dumps(dict(first)), json.dumps(dict(last)))
    command = [sys.executable, "-m", "bench.hand_written", "bpm", table, *offsets]
    # Not among the arguments, which all users of the machine can see.
    client = json.dumps(_librdkafka(workspace.home))
    return workspaces.stopwatch(
        lambda: subprocess.run(command, cwd=CHECKOUT, check=True, input=client, text=True)
    )


def _check(workspace: Workspace, first: Offsets, records: int, folder: Path) -> None:
    """Raises Unequal unless the tables hold the same records, byte by byte, and all of them."""
    from deltalake import DeltaTable

    with workspaces.connect(workspace) as spark:
        files = {
            "project": workspaces.files_of(spark, "bronze.bpm"),
            "query": workspaces.files_of(spark, f"{_SCHEMA}.bpm"),
            "parquet": [str(path) for path in (folder / "parquet" / "rows").glob("*.parquet")],
            "hand_written": DeltaTable(str(folder / "by_hand")).file_uris(),
        }
    # Bronze has those of the rounds before as well.
    new = " or ".join(f'partition = {p} and "offset" >= {at}' for p, at in first.items())
    relations = {
        who: f'(select partition, "offset", key, value, timestamp from '
        f"{compare.parquet(of)} where {new})"
        for who, of in files.items()
    }
    with duckdb.connect() as connection:
        _require("each table", compare.check(connection, "bpm", relations), records)


def _bronze_rows(workspace: Workspace) -> int:
    return int(workspace.sql("select count(*) as rows from bronze.bpm")[0]["rows"])


def _kept(workspace: Workspace) -> str:
    """Bytes a record in Kafka's log and in bronze."""
    rows = _bronze_rows(workspace)
    log = sum(p.stat().st_size for p in workspace.home.kafka.glob("bpm-*/*.log"))
    with workspaces.connect(workspace) as spark:
        table = workspaces.bytes_of(spark, "bronze.bpm")
    return f"bytes a record: Kafka {log / rows:.1f}, bronze {table / rows:.1f}"


def _require(who: str, found: int, expected: int) -> None:
    if found != expected:
        raise Unequal(f"{who} counts {found} records, not {expected}")

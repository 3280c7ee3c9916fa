"""Bronze rows: a stream of a Kafka topic's, and a batch of those in landed files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession, functions

from ingestion import files
from ingestion.broker import YEAR_10000, Record, Topic, isolation_level
from ingestion.config import Config
from ingestion.feeds import EnvelopeFeed, FileFeed
from ingestion.landing import LandedFile

if TYPE_CHECKING:
    import pyarrow as pa

_EARLIEST = -2
# Of an Arrow batch on its way to Spark, whichever comes first.
_MOST_ROWS, _MOST_BYTES = 10_000, 8 * 2**20

# Spark asks again 3 times within 30 ms by default; a broker needs seconds to restart.
_KAFKA_DEFAULTS = {
    "failOnDataLoss": "true",
    "includeHeaders": "true",
    "fetchOffset.numRetries": "30",
    "fetchOffset.retryIntervalMs": "1000",
    "kafkaConsumer.pollTimeoutMs": "60000",
    "kafka.default.api.timeout.ms": "30000",
}


def kafka_stream(
    spark: SparkSession,
    config: Config,
    topic: Topic,
    *,
    epoch: int,
    start: Mapping[int, int],
    most: int,
) -> DataFrame:
    """All records of a topic from `start` (offset by partition); other partitions from their first.

    At most `most` of them in a micro-batch. Spark heeds `start` for a new checkpoint only.
    """
    options = _kafka_options(config, topic, start) | {"maxOffsetsPerTrigger": str(most)}
    records = spark.readStream.format("kafka").options(**options).load()
    return _kafka_rows(records, epoch, arrived_at(config, "timestamp"))


def arrived_at(config: Config, sent_at: str) -> str:
    """When a row counts as arrived: now, or, in a replayed past, at the time in `sent_at`."""
    if config.arrival == "sent":
        return f"least(current_timestamp(), {sent_at})"
    return "current_timestamp()"


def kafka_batch(
    spark: SparkSession, config: Config, topic: Topic, *, epoch: int, partition: int, span: range
) -> DataFrame:
    """The records of a span of offsets in one partition."""
    nothing = {**topic.earliest, partition: span.start}
    options = _kafka_options(config, topic, nothing)
    ends = {str(p): span.stop if p == partition else at for p, at in nothing.items()}
    options["endingOffsets"] = json.dumps({topic.name: ends})
    records = spark.read.format("kafka").options(**options).load()
    return _kafka_rows(records, epoch, arrived_at(config, "timestamp"))


def fetched_rows(spark: SparkSession, records: Sequence[Record], epoch: int) -> DataFrame:
    """Records that were fetched without Spark."""
    fetched = spark.createDataFrame(
        [(*record[:6], record.timestamp) for record in records], _FETCHED
    ).withColumn("timestamp", functions.expr("timestamp_millis(timestamp)"))
    return _kafka_rows(fetched, epoch, "current_timestamp()")


_FETCHED = (
    "key binary, value binary, headers array<struct<key: string, value: binary>>, topic string, "
    "partition int, offset bigint, timestamp bigint"
)


def _kafka_options(config: Config, topic: Topic, start: Mapping[int, int]) -> dict[str, str]:
    offsets = {str(partition): start.get(partition, _EARLIEST) for partition in topic.latest}
    return {
        **_KAFKA_DEFAULTS,
        "kafka.isolation.level": isolation_level(config.kafka),
        **{f"kafka.{name}": value for name, value in config.kafka.items()},
        "subscribe": topic.name,
        "startingOffsets": json.dumps({topic.name: offsets}),
    }


def _kafka_rows(records: DataFrame, epoch: int, arrived: str) -> DataFrame:
    return records.selectExpr(
        "key",
        "value",
        "headers",
        "topic",
        "partition",
        "offset",
        # Later years are no dates to Python's clients, nor to much else that reads bronze.
        f"if(unix_millis(timestamp) < {YEAR_10000}, timestamp, null) as timestamp",
        f"{epoch} as topic_epoch",
        "cast(null as string) as source_file",
        "cast(null as string) as source_version",
        f"{arrived} as ingested_at",
        "cast(null as string) as record_id",
        "cast(null as timestamp) as erased_at",
    )


def landed_rows(
    spark: SparkSession,
    config: Config,
    feed: FileFeed | EnvelopeFeed,
    landed: Sequence[LandedFile],
) -> DataFrame:
    """The rows of some of a feed's files, as bronze has them. Spark's workers open the files."""
    listed = spark.createDataFrame(
        [
            (os.fsencode(file.path), file.name, file.version, file.size, file.modified_at)
            for file in landed
        ],
        _LISTED,
    )
    if isinstance(feed, EnvelopeFeed):
        columns = _ENVELOPE_COLUMNS
        none = {"headers": "array<struct<key: string, value: binary>>", "topic_epoch": "int"}
    else:
        columns = {"raw": "string", **dict.fromkeys(feed.columns, "string"), **_FILE_COLUMNS}
        none = {}
    rows = listed.mapInArrow(arrow_parser(parser_of(feed), columns), _ddl(columns))
    return rows.selectExpr(
        "*",
        *(f"cast(null as {kind}) as {name}" for name, kind in none.items()),
        f"{arrived_at(config, 'source_modified_at')} as ingested_at",
        "cast(null as timestamp) as erased_at",
    )


def parser_of(feed: FileFeed | EnvelopeFeed) -> files.Parser:
    """How the lines of a feed's files become rows."""
    if isinstance(feed, EnvelopeFeed):
        return files.parse_envelopes(feed.table, feed.required)
    return files.parse_rows(feed.columns)


_LISTED = (
    "path binary, source_file string, source_version string, size bigint, "
    "source_modified_at timestamp"
)
_ENVELOPE_COLUMNS = {
    "key": "binary",
    "value": "binary",
    "topic": "string",
    "partition": "int",
    "offset": "bigint",
    "timestamp": "timestamp",
    "source_file": "string",
    "source_version": "string",
    "record_id": "string",
}
_FILE_COLUMNS = {
    "source_file": "string",
    "source_modified_at": "timestamp",
    "source_version": "string",
    "record_id": "string",
}


def _ddl(columns: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())


def arrow_parser(
    parse: files.Parser, columns: Mapping[str, str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The parser for `mapInArrow`: batches of file names in, of rows out, bounded by their bytes.

    A file that is gone by now has no rows: it is not known then, and read if it comes back.
    """

    def convert(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        types = {
            "string": pa.string(),
            "binary": pa.binary(),
            "int": pa.int32(),
            "bigint": pa.int64(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }
        schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])

        def rows() -> Iterator[files.Row]:
            for batch in batches:
                for listed in batch.to_pylist():
                    place = files.Source(
                        listed["source_file"], listed["source_version"], listed["size"]
                    )
                    try:
                        with Path(os.fsdecode(listed["path"])).open("rb") as file:
                            for row in parse(place, file):
                                yield {**listed, **row}
                    except FileNotFoundError:
                        continue

        page: list[files.Row] = []
        size = 0
        for row in rows():
            page.append(row)
            size += sum(len(v) for v in row.values() if isinstance(v, str | bytes))
            if len(page) == _MOST_ROWS or size >= _MOST_BYTES:
                yield pa.RecordBatch.from_pylist(page, schema)
                page, size = [], 0
        if page:
            yield pa.RecordBatch.from_pylist(page, schema)

    return convert

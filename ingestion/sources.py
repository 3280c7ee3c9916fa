"""Streams of bronze rows: from a Kafka topic, or from files in the landing zone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession

from ingestion import files
from ingestion.broker import Topic, isolation_level
from ingestion.config import Config
from ingestion.feeds import EnvelopeFeed, FileFeed, IngestionError

if TYPE_CHECKING:
    import pyarrow as pa

_EARLIEST = -2
_ROWS_A_BATCH = 10_000

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
    spark: SparkSession, config: Config, topic: Topic, *, epoch: int, start: Mapping[int, int]
) -> DataFrame:
    """All records of a topic from `start` (offset by partition); other partitions from their first.

    Spark heeds `start` for a new checkpoint only.
    """
    offsets = {str(partition): start.get(partition, _EARLIEST) for partition in topic.latest}
    options = {
        **_KAFKA_DEFAULTS,
        "kafka.isolation.level": isolation_level(config.kafka),
        **{f"kafka.{name}": value for name, value in config.kafka.items()},
        "subscribe": topic.name,
        "startingOffsets": json.dumps({topic.name: offsets}),
        "maxOffsetsPerTrigger": str(config.max_offsets_per_trigger),
    }
    return (
        spark.readStream.format("kafka")
        .options(**options)
        .load()
        .selectExpr(
            "key",
            "value",
            "headers",
            "topic",
            "partition",
            "offset",
            "timestamp",
            f"{epoch} as topic_epoch",
            "cast(null as string) as source_file",
            "current_timestamp() as ingested_at",
            "cast(null as string) as record_id",
            "cast(null as timestamp) as erased_at",
        )
    )


def file_stream(
    spark: SparkSession, config: Config, feed: FileFeed | EnvelopeFeed, held: Collection[str]
) -> DataFrame:
    """Rows of the feed's files but those `held` already, by the path below the feed's folder.

    A file is taken whole in one micro-batch, so its name in bronze says that all of it is there:
    a lost checkpoint repeats nothing. The names are given, not joined: a stream that reads the
    table it appends to is in conflict with all others that append to it.
    """
    root = f"{config.landing}/{feed.folder}"
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IngestionError(f"Landing folder {root} is not there: create it.") from error
    content = _file_reader(spark, config, root).selectExpr(
        f"substring_index(path, {_quoted(root + '/')}, -1) as source_file",
        "modificationTime as source_modified_at",
        "content",
    )
    if isinstance(feed, EnvelopeFeed):
        parser, columns = files.parse_envelopes(feed.table), _ENVELOPE_COLUMNS
        rows = content.mapInArrow(arrow_parser(parser, columns, held), _ddl(columns))
        return rows.selectExpr(
            "key",
            "value",
            "cast(null as array<struct<key: string, value: binary>>) as headers",
            "topic",
            "partition",
            "offset",
            "timestamp",
            "cast(null as int) as topic_epoch",
            "source_file",
            "current_timestamp() as ingested_at",
            "record_id",
            "cast(null as timestamp) as erased_at",
        )
    columns = {"raw": "string", **dict.fromkeys(feed.columns, "string")}
    columns |= {"source_file": "string", "source_modified_at": "timestamp", "record_id": "string"}
    parser = files.parse_rows(feed.columns)
    rows = content.mapInArrow(arrow_parser(parser, columns, held), _ddl(columns))
    return rows.selectExpr(
        "raw",
        *feed.columns,
        "source_file",
        "source_modified_at",
        "current_timestamp() as ingested_at",
        "record_id",
        "cast(null as timestamp) as erased_at",
    )


_ENVELOPE_COLUMNS = {
    "key": "binary",
    "value": "binary",
    "topic": "string",
    "partition": "int",
    "offset": "bigint",
    "timestamp": "timestamp",
    "source_file": "string",
    "record_id": "string",
}


def _ddl(columns: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _file_reader(spark: SparkSession, config: Config, root: str) -> DataFrame:
    """Whole files: path, modificationTime, content."""
    stream = spark.readStream
    if config.spark_remote:
        # A file whose modification time is long past (copied, unpacked) is a new file, too; by
        # default Spark passes over files 7 days older than the newest.
        return (
            stream.format("binaryFile")
            .schema("path string, modificationTime timestamp, length bigint, content binary")
            .option("recursiveFileLookup", "true")
            .option("maxFileAge", "36500d")
            .option("maxFilesPerTrigger", config.max_files_per_trigger)
            .load(root)
        )
    return (
        stream.format("cloudFiles")
        .option("cloudFiles.format", "binaryFile")
        .option("cloudFiles.maxFilesPerTrigger", config.max_files_per_trigger)
        # By the events of the external location: no folder is listed.
        .option("cloudFiles.useManagedFileEvents", "true")
        .load(root)
    )


def arrow_parser(
    parse: files.Parser, columns: Mapping[str, str], held: Collection[str] = ()
) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    """The parser for `mapInArrow`: batches of files in, batches of at most 10,000 rows out.

    Files in `held` (a set, if there are many) are passed over.
    """

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
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
                for i in range(batch.num_rows):
                    file = {name: batch.column(name)[i].as_py() for name in batch.schema.names}
                    content = file.pop("content")
                    if file["source_file"] not in held:
                        for row in parse(file["source_file"], content):
                            yield {**file, **row}

        source = rows()
        while page := list(itertools.islice(source, _ROWS_A_BATCH)):
            yield pa.RecordBatch.from_pylist(page, schema)

    return convert

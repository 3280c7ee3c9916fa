"""One client's session: a Spark Connect session and the statements that run in it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql.types import StructType

from lakehouse.endpoint import schema as types
from lakehouse.endpoint.catalog import Catalog
from lakehouse.endpoint.catalog_names import CATALOGS
from lakehouse.endpoint.connect import SparkError, SparkSession
from lakehouse.endpoint.describe import describe_json, show_table_extended
from lakehouse.endpoint.descriptions import Descriptions, question
from lakehouse.endpoint.effects import DropKey, Effect
from lakehouse.endpoint.governance import Governance
from lakehouse.endpoint.information_schema import subquery
from lakehouse.endpoint.operation import TEXT, Operation, Result, State, table
from lakehouse.endpoint.sizes import Sizes
from lakehouse.endpoint.sqltext import identifier
from lakehouse.endpoint.statement_log import StatementLog
from lakehouse.endpoint.translate import translate
from lakehouse.endpoint.translation import (
    DescribeJson,
    ShowCatalogs,
    ShowTableExtended,
    Translation,
)

logger = logging.getLogger(__name__)

# Session settings of Databricks that Spark has under another name.
SETTINGS = {
    "ansi_mode": "spark.sql.ansi.enabled",
    "timezone": "spark.sql.session.timeZone",
    "max_file_partition_bytes": "spark.sql.files.maxPartitionBytes",
}


class _Whole(NamedTuple):
    """A small result that can be given many times."""

    columns: StructType
    batches: tuple[pa.RecordBatch, ...]
    as_text: frozenset[int]


class Session:
    """Runs statements; several at once are allowed."""

    def __init__(
        self,
        spark: SparkSession,
        governance: Governance,
        descriptions: Descriptions,
        log: StatementLog,
        catalog: str | None = None,
    ) -> None:
        self.guid = uuid.uuid4().bytes
        self.secret = uuid.uuid4().bytes
        self.last_used = time.monotonic()
        self._spark = spark
        self._governance = governance
        self._descriptions = descriptions
        self._log = log
        known = catalog if catalog and catalog.lower() in CATALOGS else CATALOGS[0]
        self.catalog = Catalog(spark, governance, descriptions, known.lower())
        self._sizes = Sizes(descriptions.warehouse, spark.configure)
        self._lock = threading.Lock()
        self._operations: dict[bytes, Operation] = {}

    @property
    def id(self) -> str:
        return str(uuid.UUID(bytes=self.guid))

    def configure(self, settings: Mapping[str, str], schema: str | None) -> None:
        """Apply what the client wants for the session. Raises SparkError."""
        wanted = {}
        for key, value in settings.items():
            name = SETTINGS.get(key.lower(), key)
            # Others are of Databricks' own service (query tags, Arrow options): no effect here.
            if name.startswith(("spark.sql.", "spark.databricks.delta.")):
                wanted[name] = value
        self._spark.configure(wanted)
        if schema:
            try:
                self._spark.rows(f"USE {identifier(schema)}")
            except SparkError as error:
                # As on Databricks: dbt connects before it creates its schema.
                if error.condition != "SCHEMA_NOT_FOUND":
                    raise

    # Statements

    def execute(self, sql: str, bound: str) -> Operation:
        """Start a statement, `bound` with its parameters; the log gets the one without."""

        def run(operation: Operation) -> Result:
            translation = translate(bound)
            operation.rules = translation.rules
            result = self._result(operation, translation)
            self.catalog.ran(bound)
            return result

        return self._start(run, "execute", sql)

    def answer(self, call: str, make: Callable[[Catalog], Result]) -> Operation:
        """Start a call about the catalog."""
        return self._start(lambda _: make(self.catalog), call, None)

    def _start(self, run: Callable[[Operation], Result], call: str, sql: str | None) -> Operation:
        def closed(operation: Operation) -> None:
            error = operation.error
            self._log.write(
                session=self.id,
                call=call,
                sql=sql,
                seconds=operation.seconds,
                rows=operation.rows,
                state=operation.final_state.value,
                error=error.condition or "UNKNOWN" if error else None,
                sqlstate=error.sqlstate if error else None,
                rules=operation.rules,
            )
            with self._lock:
                self._operations.pop(operation.guid, None)

        self.last_used = time.monotonic()
        operation = Operation(run, self._interrupt, closed)
        with self._lock:
            self._operations[operation.guid] = operation
        operation.start()
        return operation

    def _interrupt(self, spark_operation: str) -> bool:
        try:
            return self._spark.interrupt(spark_operation)
        except SparkError as error:
            logger.warning("a statement could not be stopped: %s", error.condition)
            return True

    def _result(self, operation: Operation, translation: Translation) -> Result:
        if translation.answer is not None:
            result = self._answered(translation)
            if not isinstance(result, Translation):
                self._refuse(translation.effects, is_alter=True)
                self._record(translation.effects)
                return result
            translation = result
        self._refuse(translation.effects, is_alter=False)
        views = {view: subquery(self.catalog, view) for view in translation.views}
        text = translation.text(views.__getitem__)
        try:
            about = question(text)
            if about is None:
                result = self._query(operation, text)
            else:
                described = self._descriptions.get(about, lambda: self._whole(operation, text))
                result = Result(described.columns, iter(described.batches), described.as_text)
            if translation.effects:
                # Only once Spark has done it; such statements have small results.
                result.batches = iter(list(result.batches))
        except SparkError as error:
            if error.condition is None or not any(
                error.condition.startswith(known) for known in translation.tolerate
            ):
                raise
            if translation.instead is not None:
                self._spark.rows(translation.instead)
            result = Result(StructType([]), iter(()))
        self._record(translation.effects)
        return result

    def _whole(self, operation: Operation, text: str) -> _Whole:
        result = self._query(operation, text)
        return _Whole(result.columns, tuple(result.batches), result.as_text)

    def _query(self, operation: Operation, text: str) -> Result:
        """Ask Spark; once more with casts if there are columns the connector cannot read."""
        self._sizes.prepare(text)
        spark_operation = operation.spark_operation()
        stream = self._spark.stream(text, spark_operation)
        columns = next(stream, StructType([]))
        assert isinstance(columns, StructType), "Spark sends the schema first"
        as_text = types.unreadable(columns)
        if as_text:
            # Only queries have such columns, so that nothing is done twice.
            self._interrupt(spark_operation)
            again = operation.spark_operation()
            stream = self._spark.stream(text, again, as_text, len(columns.fields))
            next(stream, None)
        return Result(columns, _only_batches(stream), as_text)

    def _answered(self, translation: Translation) -> Result | Translation:
        """A result made here, or the translation that Spark must run after all."""
        answer = translation.answer
        if isinstance(answer, DescribeJson):
            return table([("json_metadata", TEXT)], [[describe_json(self.catalog, answer.table)]])
        if isinstance(answer, ShowTableExtended):
            schema = answer.schema[0] if answer.schema else self.catalog.current_schema()
            rows = show_table_extended(self.catalog, schema, answer.pattern)
            names = ("database", "tableName", "isTemporary", "information")
            return table([(name, TEXT) for name in names], rows)
        if isinstance(answer, ShowCatalogs):
            return table([("catalog", TEXT)], [[self.catalog.name]])
        for effect in translation.effects:
            if (
                isinstance(effect, DropKey)
                and effect.then
                and not effect.is_recorded(self._governance, self.catalog)
            ):
                return Translation((effect.then,), translation.rules)
        return Result(StructType([]), iter(()))

    def _refuse(self, effects: tuple[Effect, ...], *, is_alter: bool) -> None:
        for effect in effects:
            effect.refuse(self._governance, self.catalog, is_alter=is_alter)

    def _record(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            effect.apply(self._governance, self.catalog)

    # Life

    @property
    def busy(self) -> bool:
        with self._lock:
            return any(o.state is State.RUNNING for o in self._operations.values())

    def operation(self, guid: bytes) -> Operation | None:
        with self._lock:
            found = self._operations.get(guid)
        if found is not None:
            self.last_used = time.monotonic()
        return found

    def operations(self) -> list[Operation]:
        with self._lock:
            return list(self._operations.values())

    def close(self) -> None:
        """Stop and free everything of this session, here and in Spark."""
        for operation in self.operations():
            operation.close()
        self._spark.close()


def _only_batches(stream: Iterator[Any]) -> Iterator[pa.RecordBatch]:
    for item in stream:
        if isinstance(item, pa.RecordBatch):
            yield item

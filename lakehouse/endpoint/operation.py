"""One statement: runs in a thread of its own, its result is pulled batch by batch.

A result is held once: the batch that was fetched ahead, and what a client asks for at a time.
Spark is not asked for the next batch before the client wants it.
"""

from __future__ import annotations

import enum
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyspark.sql.types import (
    DataType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from lakehouse.endpoint import schema as types
from lakehouse.endpoint.connect import SparkError

# Most bytes of Arrow data in one answer: larger ones only cost memory on both sides.
CHUNK_BYTES = 4 << 20
_CANCELLED = SparkError(
    "[OPERATION_CANCELED] The operation was cancelled. SQLSTATE: HY008",
    "OPERATION_CANCELED",
    "HY008",
)


INT, TEXT = IntegerType(), StringType()


class State(enum.Enum):
    """Where a statement is, in the words of the statement log."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    CLOSED = "CLOSED"
    ERROR = "ERROR"


@dataclass
class Result:
    """What a statement gives: columns, then batches. `as_text` are columns cast to text."""

    columns: StructType
    batches: Iterator[pa.RecordBatch]
    as_text: frozenset[int] = field(default_factory=frozenset)


def table(columns: Sequence[tuple[str, DataType]], rows: Iterable[Sequence[Any]]) -> Result:
    """A result of text and INT columns."""
    schema = StructType([StructField(name, kind) for name, kind in columns])
    listed = list(rows)
    arrays = [
        pa.array([row[i] for row in listed], pa.int32() if kind == INT else pa.string())
        for i, (_, kind) in enumerate(columns)
    ]
    batch = pa.record_batch(arrays, names=[name for name, _ in columns])
    return Result(schema, iter([batch]))


class Operation:
    """State and result of a statement. All methods are safe for threads."""

    def __init__(
        self,
        run: Callable[[Operation], Result],
        interrupt: Callable[[str], bool],
        closed: Callable[[Operation], None],
    ) -> None:
        """`run` makes the result, `closed` is told once.

        `interrupt` stops a Spark operation and tells whether Spark found it.
        """
        self.guid = uuid.uuid4().bytes
        self.state = State.RUNNING
        self.error: SparkError | None = None
        self.modified_rows: int | None = None
        self.rows = 0
        self.rules: tuple[str, ...] = ()
        self.started = time.monotonic()
        self.seconds = 0.0
        self.last_used = self.started
        self.columns = StructType([])
        self.arrow = pa.schema([])
        self._run = run
        self._interrupt = interrupt
        self._closed = closed
        self._ready = threading.Event()
        self._lock = threading.RLock()  # of the state
        self._pull = threading.Lock()  # of the stream of batches
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._ahead: pa.RecordBatch | None = None
        self._spark_operation: str | None = None

    def start(self) -> None:
        threading.Thread(target=self._work, name="statement", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the first rows, the end or an error; whether it came to that."""
        self.last_used = time.monotonic()
        return self._ready.wait(seconds)

    def spark_operation(self) -> str:
        """A fresh id for the next call to Spark. Raises SparkError if it was cancelled."""
        with self._lock:
            if self.state is not State.RUNNING:
                raise _CANCELLED
            self._spark_operation = str(uuid.uuid4())
            return self._spark_operation

    def cancel(self) -> None:
        """Stop it, with its jobs in Spark; nothing if it has ended."""
        with self._lock:
            unread = self.state is State.FINISHED and self._spark_operation is not None
            if self.state is not State.RUNNING and not unread:
                return
            self.state, self.error = State.CANCELED, _CANCELLED
            running, self._spark_operation = self._spark_operation, None
        if running is not None:
            self._stop(running)
        self._ready.set()

    def close(self) -> None:
        """Free the result; stops what still runs."""
        with self._lock:
            if self.state is State.CLOSED:
                return
            was, self.state = self.state, State.CLOSED
            running, self._spark_operation = self._spark_operation, None
        if running is not None:
            self._stop(running)
        with self._pull:
            self._batches, self._ahead = iter(()), None
        self._ready.set()
        self.final_state = was
        self._closed(self)

    final_state = State.RUNNING

    def _stop(self, spark_operation: str) -> None:
        """Interrupt it in Spark, which may only be about to hear of it."""
        for _ in range(100):
            if self._interrupt(spark_operation) or self._ready.wait(0.1):
                return

    def fetch(self, max_rows: int, max_bytes: int) -> tuple[list[pa.RecordBatch], bool, int]:
        """Next batches, whether more follow, and the offset of the first row.

        Raises SparkError if the statement failed, also while it made these rows.
        """
        limit = min(max_bytes or CHUNK_BYTES, CHUNK_BYTES)
        with self._pull:
            self.last_used = time.monotonic()
            if self.error is not None:
                raise self.error
            offset, rows, size = self.rows, 0, 0
            taken: list[pa.RecordBatch] = []
            while self._ahead is not None and rows < max_rows and size < limit:
                batch = self._ahead
                room = max_rows - rows
                # A batch of a wide result may be larger than the limit by itself.
                share = max(1, int(batch.num_rows * (limit - size) / max(batch.nbytes, 1)))
                count = min(batch.num_rows, room, share)
                taken.append(batch.slice(0, count))
                rows, size = rows + count, size + taken[-1].nbytes
                if count < batch.num_rows:
                    self._ahead = batch.slice(count)
                else:
                    self._ahead = self._next()
            self.rows += rows
            return taken, self._ahead is not None, offset

    def _work(self) -> None:
        try:
            result = self._run(self)
            with self._pull:
                self._batches = result.batches
                self.columns = result.columns
                first = self._next()
                found = first.schema if first is not None else None
                self.arrow = types.arrow_schema(result.columns, found, result.as_text)
                self._ahead = first
                self.modified_rows = _modified(result.columns, first)
            with self._lock:
                if self.state is State.RUNNING:
                    self.state = State.FINISHED
        except Exception as error:
            self._fail(error)
        finally:
            self.seconds = time.monotonic() - self.started
            self._ready.set()

    def _next(self) -> pa.RecordBatch | None:
        """The next batch with rows; call with `_pull` held."""
        try:
            while (batch := next(self._batches, None)) is not None:
                if batch.num_rows:
                    return batch
        except Exception as error:
            self._fail(error)
            raise self.error or error from None
        with self._lock:
            self._spark_operation = None
        return None

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self._spark_operation = None
            if self.state in (State.RUNNING, State.FINISHED):
                self.state = State.ERROR
                known = isinstance(error, SparkError)
                self.error = error if known else SparkError(f"{type(error).__name__}: {error}")  # type: ignore[assignment]


def _modified(columns: StructType, first: pa.RecordBatch | None) -> int | None:
    """Rows that a DELETE, UPDATE or MERGE says it changed."""
    if first is None or not columns.fields or columns.fields[0].name != "num_affected_rows":
        return None
    if not isinstance(columns.fields[0].dataType, LongType):
        return None
    value: Any = first.column(0)[0].as_py()
    return int(value) if value is not None else None

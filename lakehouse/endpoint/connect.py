"""A thin client of Spark Connect: one object a session, results as a stream of Arrow batches.

It uses PySpark's own Connect client below the DataFrame, because three things need it there: a
statement in one round trip instead of three, an operation id that is known before the statement
runs (to cancel it), and batches as they arrive.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import grpc  # type: ignore[import-untyped]
import pyarrow as pa
import pyspark.sql.connect.proto as pb2
from pyspark.errors import PySparkException
from pyspark.sql.connect.client import SparkConnectClient
from pyspark.sql.connect.client.core import DefaultChannelBuilder
from pyspark.sql.types import StructType

# PySpark writes every failed statement, with its text, to stderr; the text may hold personal data.
logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)

# As long as a restart of Spark's network side may take; PySpark's own default is 15 tries in 10
# minutes, in which a client would see nothing happen.
_RETRIES = {"max_retries": 4, "initial_backoff": 50, "backoff_multiplier": 3.0}


class SparkError(Exception):
    """What Spark said: its message without the stack, its error class and SQLSTATE."""

    def __init__(
        self, message: str, condition: str | None = None, sqlstate: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.condition = condition
        self.sqlstate = sqlstate


class _SharedChannel(DefaultChannelBuilder):
    """All sessions use one HTTP/2 connection, so that opening one costs no handshake."""

    def __init__(self, url: str, channel: grpc.Channel) -> None:
        super().__init__(url)
        self._shared = channel

    def toChannel(self) -> grpc.Channel:
        return self._shared


class SparkServer:
    """The Spark Connect server at `url` (sc://host:port); opens sessions on it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._channel = DefaultChannelBuilder(url).toChannel()

    def open(self) -> SparkSession:
        """Start a session; the server learns of it with the first statement."""
        return SparkSession(
            SparkConnectClient(
                _SharedChannel(self._url, self._channel),
                user_id="lakehouse",
                retry_policy=_RETRIES,
            )
        )

    def is_ready(self, seconds: float = 5.0) -> bool:
        """Whether the server takes calls."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            return False
        return True

    def close(self) -> None:
        self._channel.close()


class SparkSession:
    """One Connect session: temporary views, settings and the current schema live in it."""

    def __init__(self, client: SparkConnectClient) -> None:
        self._client = client
        # The client registers itself for the end of the process and so would never be freed.
        atexit.unregister(client._on_exit)

    @property
    def id(self) -> str:
        return str(self._client._session_id)

    def stream(
        self,
        sql: str,
        operation_id: str | None = None,
        as_text: frozenset[int] = frozenset(),
        width: int = 0,
    ) -> Iterator[StructType | pa.RecordBatch]:
        """Run a statement; yields its schema, then its batches. Raises SparkError.

        `as_text` are positions of columns (of `width` in all) to be cast to text by Spark.
        """
        plan = _plan(sql)
        if as_text:
            plan = _cast_columns(plan, as_text, width)
        request = self._client._execute_plan_request_with_metadata()
        request.operation_id = operation_id or str(uuid.uuid4())
        request.plan.CopyFrom(plan)
        try:
            for item in self._client._execute_and_fetch_as_iterator(request, {}, None):
                if isinstance(item, (StructType, pa.RecordBatch)):
                    yield item
        except (PySparkException, grpc.RpcError) as error:
            raise to_spark_error(error) from None

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a small result."""
        found: list[dict[str, Any]] = []
        for item in self.stream(sql):
            if isinstance(item, pa.RecordBatch):
                found.extend(item.to_pylist())
        return found

    def schema(self, sql: str) -> StructType:
        """Columns of a query, without running it. Raises SparkError."""
        try:
            return self._client.schema(_plan(sql))
        except (PySparkException, grpc.RpcError) as error:
            raise to_spark_error(error) from None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set session settings. Raises SparkError if Spark refuses one."""
        if not settings:
            return
        operation = pb2.ConfigRequest.Operation()
        for key, value in settings.items():
            pair = operation.set.pairs.add()
            pair.key, pair.value = key, value
        try:
            self._client.config(operation)
        except (PySparkException, grpc.RpcError) as error:
            raise to_spark_error(error) from None

    def interrupt(self, operation_id: str) -> bool:
        """Stop a running statement with its Spark jobs; whether Spark found it running."""
        try:
            return bool(self._client.interrupt_operation(operation_id))
        except (PySparkException, grpc.RpcError) as error:
            raise to_spark_error(error) from None

    def close(self) -> None:
        """Free what the server holds for this session. Never raises: the server may be gone.

        Not `SparkConnectClient.close`, which closes the connection that all sessions share.
        """
        try:
            self._client.release_session()
        except Exception:
            logging.getLogger(__name__).debug("session %s was not released", self.id)


def _plan(sql: str) -> pb2.Plan:
    plan = pb2.Plan()
    plan.root.sql.query = sql
    return plan


def _cast_columns(plan: pb2.Plan, as_text: frozenset[int], width: int) -> pb2.Plan:
    """A plan over `plan` with some columns as text; by position, since names may repeat."""
    outer = pb2.Plan()
    project = outer.root.project
    renamed = project.input.to_df
    renamed.input.CopyFrom(plan.root)
    for place in range(width):
        name = f"c{place}"
        renamed.column_names.append(name)
        alias = project.expressions.add().alias
        alias.name.append(name)
        column = alias.expr
        if place in as_text:
            column.cast.type_str = "string"
            column = column.cast.expr
        column.unresolved_attribute.unparsed_identifier = name
    return outer


def to_spark_error(error: Exception) -> SparkError:
    """What a user should see of an error of PySpark or gRPC."""
    if isinstance(error, grpc.RpcError):
        code = getattr(error, "code", lambda: None)()
        return SparkError(f"Spark does not answer ({code}).", "SPARK_UNAVAILABLE", "08001")
    if not isinstance(error, PySparkException):
        return SparkError(str(error))
    message = str(getattr(error, "_message", None) or error)
    message = message.split("\n\nJVM stacktrace")[0].strip()
    # Spark adds the whole plan of a query that it could not analyse, with its literals.
    message = re.sub(r"(SQLSTATE: \w{5}; line \d+ pos \d+);\n.*", r"\1", message, flags=re.DOTALL)
    condition, state = None, None
    try:
        condition, state = error.getCondition(), error.getSqlState()
    except Exception:
        logging.getLogger(__name__).debug("no details in %s", type(error).__name__)
    if condition is None and message.startswith("["):
        condition = message[1:].partition("]")[0]
    if "StatusCode.UNAVAILABLE" in message or "failed to connect" in message.lower():
        address = os.environ.get("LAKEHOUSE_HOME") or "the default home"
        text = f"Spark of {address} does not answer: run `lakehouse up`."
        return SparkError(text, "SPARK_UNAVAILABLE", "08001")
    return SparkError(message, condition, state)

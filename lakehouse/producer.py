"""Publishing to Kafka: idempotent, acknowledged, counted, and only to the loopback."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaProducer
from kafka.codec import has_lz4
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2
from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.serializer import Serializer

from lakehouse.envelopes import Envelope, Header
from lakehouse.home import WorkspaceError

# Unacknowledged events held in memory: the client itself sets no bound.
_MOST_PENDING = 30_000
_MOST_KEYS = 200_000
_BATCH_BYTES = 256 * 1024
_LINGER_MS = 20
_REQUEST_BYTES = 8 * 1024 * 1024  # the local broker's own limit
_ACKNOWLEDGED_WITHIN_SECONDS = 120

# Stands for a null key or value: the client's own check refuses an event with both null.
_NULL = object()


class _NullHeader(bytes):
    """Stands for a null header: the client can write one, but its producer refuses to take it."""


_NULL_HEADER = _NullHeader()


class _Builder(DefaultRecordBatchBuilder):  # type: ignore[misc]
    """The client's writer of batches, which gets the nulls that the producer did not see."""

    def append(
        self, offset: int, timestamp: int, key: object, value: object, headers: list[Header]
    ) -> object:
        if headers:
            headers = [(name, None if text is _NULL_HEADER else text) for name, text in headers]
        return super().append(offset, timestamp, key, value, headers)


memory_records.DefaultRecordBatchBuilder = _Builder


class PublishError(WorkspaceError):
    """Publishing ended early; says how many events the broker acknowledged."""

    def __init__(self, message: str, acknowledged: int) -> None:
        super().__init__(message)
        self.acknowledged = acknowledged


def require_loopback(hosts: Iterable[str]) -> None:
    """Raise WorkspaceError unless every host name or address is this machine's loopback."""
    for host in hosts:
        try:
            addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
        except OSError:
            addresses = set()
        if not addresses or not all(ipaddress.ip_address(a).is_loopback for a in addresses):
            raise WorkspaceError(
                f"The broker {host} is not on this machine's loopback: give --allow-remote if "
                "you really mean to publish there."
            )


def host_of(address: str) -> str:
    """The host of `host:port`, `[v6]:port` or `host`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else address


class Publisher:
    """A producer for many events; use it as a context manager.

    `acknowledged` counts the events that the broker confirmed; `on_acknowledged`, if given, is
    called with each increment. `client`: kafka-python's options that lead to the broker, as
    `lakehouse.kafka.client_options` gives them. Raises WorkspaceError if no broker answers, the
    broker is not on the loopback (`allow_remote` lifts that) or a topic is missing.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topics: Iterable[str],
        *,
        allow_remote: bool = False,
        on_acknowledged: Callable[[int], object] | None = None,
    ) -> None:
        # Faults reach the user as one sentence; the client's log would bury it.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        bootstrap = str(client["bootstrap_servers"])
        servers = [part.strip() for part in bootstrap.split(",") if part.strip()]
        client = {**client, "bootstrap_servers": servers}
        if not allow_remote:
            require_loopback(host_of(server) for server in servers)
        self.acknowledged = 0
        self._on_acknowledged = on_acknowledged
        self._pending: deque[Any] = deque()
        self._partitions: dict[tuple[str, str | None], int] = {}
        try:
            self._check_cluster(client, tuple(topics), allow_remote)
            self._producer = KafkaProducer(
                **client,
                bootstrap_timeout_ms=10_000,
                acks="all",
                enable_idempotence=True,
                compression_type="lz4" if has_lz4() else "gzip",
                batch_size=_BATCH_BYTES,
                linger_ms=_LINGER_MS,
                max_request_size=_REQUEST_BYTES,
                delivery_timeout_ms=_ACKNOWLEDGED_WITHIN_SECONDS * 1000,
                allow_auto_create_topics=False,
                key_serializer=_Encoder(),
                value_serializer=_Encoder(),
                metrics_enabled=False,
            )
        except KafkaError as error:
            raise WorkspaceError(
                f"No Kafka broker answers at {bootstrap} ({type(error).__name__}): "
                "start the workspace with `lakehouse up`."
            ) from error

    @staticmethod
    def _check_cluster(
        client: Mapping[str, Any], topics: tuple[str, ...], allow_remote: bool
    ) -> None:
        admin = KafkaAdminClient(**client, bootstrap_timeout_ms=10_000)
        try:
            # A forwarded local port can lead to a broker that announces itself elsewhere.
            if not allow_remote:
                require_loopback(b["host"] for b in admin.describe_cluster()["brokers"])
            missing = sorted(set(topics) - set(admin.list_topics()))
        finally:
            admin.close()
        if missing:
            raise WorkspaceError(
                f"The broker has no topic {', '.join(missing)}: `lakehouse up` makes them."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            done = self.acknowledged + sum(f.is_done and f.succeeded() for f in self._pending)
            print(f"{done} events were acknowledged before the interruption.", file=sys.stderr)
        # After a fault there is nothing to wait for.
        with suppress(KafkaError):
            self._producer.close(timeout=None if error is None else 0)

    def send(self, events: Iterable[Envelope]) -> None:
        """Queue events in their order; blocks while too many are unacknowledged.

        Raises PublishError if the broker refuses one or does not answer in time.
        """
        produce, pending, places = self._producer.send, self._pending, self._partitions
        for topic, key, value, timestamp, headers in events:
            try:
                partition = places.get((topic, key))
                if partition is None and key is not None:
                    partition = places[topic, key] = self._partition(topic, key)
                pending.append(
                    produce(
                        topic,
                        _NULL if value is None else value,
                        _NULL if key is None else key,
                        _without_nulls(headers) if headers else None,
                        partition,
                        timestamp,
                    )
                )
            except KafkaError as error:
                self._settle(0)
                raise self._failed(error) from error
            if len(pending) >= _MOST_PENDING:
                self._settle(_MOST_PENDING // 2)

    def _partition(self, topic: str, key: str) -> int:
        """Kafka's own choice for a key; it costs a third of a send, and there are few keys."""
        if len(self._partitions) > _MOST_KEYS:
            self._partitions.clear()
        partitions = sorted(self._producer.partitions_for(topic))
        return int(partitions[(murmur2(key.encode()) & 0x7FFFFFFF) % len(partitions)])

    def flush(self) -> int:
        """Wait until everything is acknowledged; gives the count so far."""
        self._settle(0)
        return self.acknowledged

    def _settle(self, down_to: int) -> None:
        """Wait for the oldest events until at most `down_to` are unacknowledged."""
        count, pending = 0, self._pending
        if down_to == 0:
            self._producer.flush()
        try:
            while len(pending) > down_to:
                future = pending[0]
                if not future.is_done:
                    future.get(timeout=_ACKNOWLEDGED_WITHIN_SECONDS)
                elif future.failed():
                    raise future.exception
                pending.popleft()
                count += 1
        except KafkaError as error:
            self.acknowledged += count
            raise self._failed(error) from error
        self.acknowledged += count
        if self._on_acknowledged:
            self._on_acknowledged(count)

    def _failed(self, error: KafkaError) -> PublishError:
        later = sum(1 for f in self._pending if f.is_done and f.succeeded())
        total = self.acknowledged + later
        return PublishError(
            f"The broker did not take event {self.acknowledged + 1} ({type(error).__name__}: "
            f"{error}); {total} events were acknowledged.",
            total,
        )


def _without_nulls(headers: Iterable[Header]) -> list[Header]:
    return [(name, _NULL_HEADER if text is None else text) for name, text in headers]


class _Encoder(Serializer):  # type: ignore[misc]
    """Text to UTF-8 and the mark of a null to None."""

    def serialize(self, _topic: str, _headers: object, data: object) -> bytes | None:
        return None if data is _NULL else str(data).encode()

"""What the broker says of a topic: its identity, its partitions, the offsets it still holds; and
records themselves, where Spark cannot read them.
"""

from __future__ import annotations

import functools
import logging
import ssl
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    LeaderNotAvailableError,
    SaslAuthenticationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    for_code,
)

from ingestion.config import Config, jaas_options
from ingestion.feeds import IngestionError, Unreachable
from ingestion.oauth import TokenProvider

_NO_ID = "00000000-0000-0000-0000-000000000000"
_TIMEOUT_MS = 15_000
_REFUSED = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, AuthorizationError)


class _Causes(logging.Handler):
    """Why connections failed lately, of any thread: all speak to the same brokers.

    The client logs it, tries again, and in the end raises (and logs) no more than that time is up.
    Nothing of it goes to a log of ours: its texts may echo what was sent.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lately: deque[tuple[float, BaseException]] = deque(maxlen=100)

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        for argument in arguments:
            if isinstance(argument, BaseException):
                self._lately.append((time.monotonic(), argument))

    def since(self, moment: float) -> list[BaseException]:
        """The reasons of an attempt that began at this moment, the newest first."""
        return [error for at, error in reversed(self._lately.copy()) if at >= moment]


_causes = _Causes()
logging.getLogger("kafka").addHandler(_causes)


@dataclass(frozen=True)
class Topic:
    """A topic as the broker has it now.

    `id` is empty where the broker gives none (before Kafka 2.8, Event Hubs). `earliest` and
    `latest` hold an offset for each partition: the first one kept and the next one to come.
    """

    name: str
    id: str
    earliest: Mapping[int, int]
    latest: Mapping[int, int]


def describe(config: Config, name: str) -> Topic:
    """The topic of this name. Raises IngestionError if the broker lacks it or refuses the user,
    Unreachable if it may answer, or have it, in a while.
    """
    with _admin(config) as admin:
        found = _found(admin, config, name)
        partitions = [TopicPartition(name, p["partition_index"]) for p in found["partitions"]]
        # Records of an open transaction are not to be read yet: the same end as Spark sees.
        level = isolation_level(config.kafka)
        ends = [
            admin.list_partition_offsets(dict.fromkeys(partitions, spec), isolation_level=level)
            for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
        ]
    earliest, latest = ({p.partition: at.offset for p, at in end.items()} for end in ends)
    return Topic(name, _id(found), earliest, latest)


def topic_id(config: Config, name: str) -> str:
    """The broker's id of the topic, empty where it gives none. Raises as `describe` does."""
    with _admin(config) as admin:
        return _id(_found(admin, config, name))


def isolation_level(kafka: Mapping[str, str]) -> str:
    """Records of aborted transactions never happened, unless the operator wants to see them."""
    return kafka.get("isolation.level", "read_committed")


def _id(found: Mapping[str, Any]) -> str:
    topic_id = str(found["topic_id"])
    return "" if topic_id == _NO_ID else topic_id


def _found(admin: KafkaAdminClient, config: Config, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = admin.describe_topics([name])[0]
    error = for_code(found["error_code"])
    if error is LeaderNotAvailableError:
        raise Unreachable(f"Topic {name} has no leader: wait for the broker that has it.")
    if error is UnknownTopicOrPartitionError:
        # A broker that has just started does not know its topics yet.
        raise Unreachable(_no_topic(config, name))
    if found["error_code"]:
        raise IngestionError(_no_topic(config, name))
    return found


def _no_topic(config: Config, name: str) -> str:
    return (
        f"Kafka at {config.kafka['bootstrap.servers']} has no topic {name}, or hides it from this "
        "user: create it, or grant DESCRIBE and READ."
    )


class Client(KafkaAdminClient):  # type: ignore[misc]
    """One that ends its thread and frees its sockets also if it cannot connect."""

    def __init__(self, **options: Any) -> None:
        self._closed = False
        try:
            super().__init__(**options)
        except BaseException:
            if hasattr(self, "_net"):
                self.close()
            raise


@contextmanager
def _admin(config: Config) -> Iterator[KafkaAdminClient]:
    """A client for the length of the block. Its errors become IngestionErrors."""
    with _errors_told(config):
        admin = Client(**client_options(config.kafka))
        try:
            yield admin
        finally:
            admin.close()


YEAR_10000 = 253_402_300_800_000
"""In milliseconds since 1970."""


class Record(NamedTuple):
    """A record as it came; `timestamp` is in ms since 1970, None from the year 10000 on."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    topic: str
    partition: int
    offset: int
    timestamp: int | None


def records(config: Config, topic: str, partition: int, span: range) -> Iterator[Record]:
    """The records of a span of offsets in one partition, fetched without Spark.

    Raises as `describe` does, and Unreachable if the broker gives none for a while.
    """
    place = TopicPartition(topic, partition)
    given = client_options(config.kafka)
    options = {name: value for name, value in given.items() if name in KafkaConsumer.DEFAULT_CONFIG}
    with _errors_told(config):
        consumer = KafkaConsumer(
            **options, isolation_level=isolation_level(config.kafka), enable_auto_commit=False
        )
        try:
            consumer.assign([place])
            consumer.seek(place, span.start)
            heard = time.monotonic()
            while (before := consumer.position(place)) < span.stop:
                for found in consumer.poll(1000).get(place, ()):
                    if found.offset < span.stop:
                        yield _record(found)
                if consumer.position(place) != before:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _TIMEOUT_MS / 1000:
                    raise Unreachable(
                        f"Kafka at {config.kafka['bootstrap.servers']} gives no record of topic "
                        f"{topic}, partition {partition}, from offset {before} on: check it."
                    )
        finally:
            consumer.close()


def _record(found: Any) -> Record:
    at = found.timestamp
    return Record(
        *(found.key, found.value, list(found.headers), found.topic, found.partition, found.offset),
        timestamp=at if at is not None and at < YEAR_10000 else None,
    )


@contextmanager
def _errors_told(config: Config) -> Iterator[None]:
    """Errors of a client become IngestionErrors."""
    servers = config.kafka["bootstrap.servers"]
    started = time.monotonic()
    try:
        yield
    except (KafkaError, OSError) as error:
        causes = [error, *_causes.since(started)]
        # Only the kind of error: its text may echo what was sent.
        for cause in causes:
            if isinstance(cause, _REFUSED):
                raise IngestionError(
                    f"Kafka at {servers} refuses this user ({type(cause).__name__}): check the "
                    "sasl.* and ssl.* settings in [kafka]."
                ) from None
        if any("certificate" in str(cause).lower() for cause in causes):
            raise IngestionError(
                f"The certificate of Kafka at {servers} is not accepted (expired, another name, or "
                "not signed by 'ssl.truststore.location'): check the ssl.* settings in [kafka]."
            ) from None
        # A client too slow to read a refusal before the broker hangs up sees no more than that.
        if "sasl.mechanism" in config.kafka and any("disconnected" in str(c) for c in causes):
            raise Unreachable(
                f"Kafka at {servers} ends the connection during sign-in: it refuses this user "
                "(check the sasl.* and ssl.* settings in [kafka]) or is about to stop."
            ) from None
        raise Unreachable(
            f"Kafka at {servers} does not answer ({type(error).__name__}): check that it runs, "
            "and that 'bootstrap.servers' and 'security.protocol' fit it."
        ) from None


def client_options(kafka: Mapping[str, str]) -> dict[str, Any]:
    """Options of kafka-python for the Java client's names; PEM files only, no Java key stores."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka["bootstrap.servers"].split(","),
        "client_id": "fitbit-ingest",
        "security_protocol": kafka.get("security.protocol", "PLAINTEXT"),
        "request_timeout_ms": _TIMEOUT_MS,
        "bootstrap_timeout_ms": _TIMEOUT_MS,
        "reconnect_backoff_ms": 1000,  # a wrong password is not tried 15 times
        "ssl_check_hostname": kafka.get("ssl.endpoint.identification.algorithm", "https") != "",
    }
    renamed = {
        "ssl.truststore.location": "ssl_cafile",
        "ssl.keystore.location": "ssl_certfile",
        "ssl.key.password": "ssl_password",
        "sasl.mechanism": "sasl_mechanism",
    }
    options.update({ours: kafka[java] for java, ours in renamed.items() if java in kafka})
    if "ssl_certfile" in options:
        options["ssl_keyfile"] = options["ssl_certfile"]  # one PEM file holds both in Java
    if any(name in kafka for name in _INLINE):
        options["ssl_context"] = _tls(kafka, options)
    jaas = jaas_options(kafka.get("sasl.jaas.config", ""))
    if kafka.get("sasl.mechanism") == "OAUTHBEARER":
        url = kafka.get("sasl.oauthbearer.token.endpoint.url", "")
        options["sasl_oauth_token_provider"] = _tokens(url, tuple(sorted(jaas.items())))
    elif "username" in jaas:
        options["sasl_plain_username"] = jaas["username"]
        options["sasl_plain_password"] = jaas.get("password", "")
    return options


@functools.cache
def _tokens(url: str, jaas: tuple[tuple[str, str], ...]) -> TokenProvider:
    """One for all clients, which come and go."""
    return TokenProvider(url, dict(jaas))


_INLINE = ("ssl.truststore.certificates", "ssl.keystore.key", "ssl.keystore.certificate.chain")


def _tls(kafka: Mapping[str, str], options: Mapping[str, Any]) -> ssl.SSLContext:
    """With certificates that stand in the settings themselves, which the client cannot take."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = options["ssl_check_hostname"]
    authorities = kafka.get("ssl.truststore.certificates")
    try:
        if authorities or "ssl_cafile" in options:
            context.load_verify_locations(options.get("ssl_cafile"), cadata=authorities)
        else:
            context.load_default_certs()
        if "ssl.keystore.key" in kafka:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # Python reads files only
                chain = kafka.get("ssl.keystore.certificate.chain", "")
                file.write(f"{kafka['ssl.keystore.key']}\n{chain}\n")
                file.flush()
                context.load_cert_chain(file.name, password=options.get("ssl_password"))
    except (ssl.SSLError, ValueError):
        raise IngestionError(
            "The PEM text of ssl.truststore.certificates, ssl.keystore.key or "
            "ssl.keystore.certificate.chain in [kafka] cannot be read: check it."
        ) from None
    return context

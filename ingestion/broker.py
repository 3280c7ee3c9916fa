"""What the broker says of a topic: its identity, its partitions and the offsets it still holds."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from ingestion.config import Config
from ingestion.feeds import IngestionError, Unreachable

_NO_ID = "00000000-0000-0000-0000-000000000000"
_TIMEOUT_MS = 15_000
_REFUSED = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, AuthorizationError)


class _Causes(logging.Handler):
    """The newest reason why a connection failed.

    The client logs it, tries again, and in the end raises no more than that time is up. Nothing of
    it goes to a log of ours: its texts may echo what was sent.
    """

    _newest: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        for argument in arguments:
            if isinstance(argument, BaseException):
                self._newest = argument

    def pop(self) -> BaseException | None:
        newest, self._newest = self._newest, None
        return newest


_causes = _Causes(logging.WARNING)
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
    """The topic of this name. Raises IngestionError if the broker is not reached or lacks it."""
    servers = config.kafka["bootstrap.servers"]
    try:
        admin = KafkaAdminClient(**client_options(config.kafka))
        try:
            found = admin.describe_topics([name])[0]
            if found["error_code"]:
                raise IngestionError(
                    f"Kafka at {servers} has no topic {name}, or hides it from this user: create "
                    "it, or grant DESCRIBE and READ."
                )
            numbers = [p["partition_index"] for p in found["partitions"]]
            earliest = _offsets(admin, name, numbers, OffsetSpec.EARLIEST)
            latest = _offsets(admin, name, numbers, OffsetSpec.LATEST)
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        cause = _causes.pop() or error
        # Only the kind of error: its text may echo what was sent.
        if isinstance(cause, _REFUSED):
            raise IngestionError(
                f"Kafka at {servers} refuses this user ({type(cause).__name__}): check the sasl.* "
                "and ssl.* settings in [kafka]."
            ) from None
        if "certificate" in str(cause).lower():
            raise IngestionError(
                f"The certificate of Kafka at {servers} is not accepted (expired, another name, or "
                "not signed by 'ssl.truststore.location'): check the ssl.* settings in [kafka]."
            ) from None
        raise Unreachable(
            f"Kafka at {servers} does not answer ({type(error).__name__}): check that it runs, "
            "and that 'bootstrap.servers' and 'security.protocol' fit it."
        ) from None
    topic_id = str(found["topic_id"])
    return Topic(name, "" if topic_id == _NO_ID else topic_id, earliest, latest)


def _offsets(
    admin: KafkaAdminClient, topic: str, partitions: list[int], spec: OffsetSpec
) -> dict[int, int]:
    answer = admin.list_partition_offsets({TopicPartition(topic, p): spec for p in partitions})
    return {partition.partition: found.offset for partition, found in answer.items()}


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
    jaas = dict(re.findall(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']", kafka.get("sasl.jaas.config", "")))
    if "username" in jaas:
        options["sasl_plain_username"] = jaas["username"]
        options["sasl_plain_password"] = jaas.get("password", "")
    return options

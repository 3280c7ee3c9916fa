"""What the broker says of a topic: its identity, its partitions and the offsets it still holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import AuthenticationFailedError, KafkaError

from ingestion.config import Config
from ingestion.feeds import IngestionError

_NO_ID = "00000000-0000-0000-0000-000000000000"
_TIMEOUT_MS = 15_000


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


def describe(config: Config, names: list[str]) -> dict[str, Topic]:
    """Topics by name. Raises IngestionError if the broker is not reached or lacks one."""
    servers = config.kafka["bootstrap.servers"]
    try:
        admin = KafkaAdminClient(**client_options(config.kafka))
        try:
            found = {t["name"]: t for t in admin.describe_topics(names)}
            absent = [n for n in names if found.get(n, {}).get("error_code", 3)]
            if absent:
                raise IngestionError(
                    f"Kafka at {servers} has no topic {', '.join(absent)}, or hides it from this "
                    "user: create it or grant DESCRIBE and READ."
                )
            partitions = [
                TopicPartition(n, p["partition_index"])
                for n in names
                for p in found[n]["partitions"]
            ]
            earliest = _offsets(admin, partitions, OffsetSpec.EARLIEST)
            latest = _offsets(admin, partitions, OffsetSpec.LATEST)
        finally:
            admin.close()
    except AuthenticationFailedError as error:
        # The broker's text may echo what was sent.
        raise IngestionError(
            f"Kafka at {servers} refuses this user ({type(error).__name__}): check the "
            "sasl.* and ssl.* settings in [kafka]."
        ) from None
    except (KafkaError, OSError) as error:
        raise IngestionError(
            f"Kafka at {servers} does not answer ({type(error).__name__}): check that it runs "
            "and that 'bootstrap.servers' and 'security.protocol' fit it."
        ) from None
    return {
        name: Topic(
            name,
            "" if str(found[name]["topic_id"]) == _NO_ID else str(found[name]["topic_id"]),
            earliest[name],
            latest[name],
        )
        for name in names
    }


def _offsets(
    admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec
) -> dict[str, dict[int, int]]:
    answer = admin.list_partition_offsets(dict.fromkeys(partitions, spec))
    offsets: dict[str, dict[int, int]] = {}
    for partition, found in answer.items():
        offsets.setdefault(partition.topic, {})[partition.partition] = found.offset
    return offsets


def client_options(kafka: Mapping[str, str]) -> dict[str, Any]:
    """Options of kafka-python for the Java client's names; PEM files only, no Java key stores."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka["bootstrap.servers"].split(","),
        "client_id": "fitbit-ingest",
        "security_protocol": kafka.get("security.protocol", "PLAINTEXT"),
        "request_timeout_ms": _TIMEOUT_MS,
        "bootstrap_timeout_ms": _TIMEOUT_MS,
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

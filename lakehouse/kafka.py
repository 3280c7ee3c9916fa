"""The Kafka broker: one JVM in KRaft mode, which keeps everything it was ever given.

Clients sign in by SASL PLAIN, as `lakehouse` with the home's token.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from lakehouse import class_archive, log4j
from lakehouse.home import TOPICS, Home, WorkspaceError
from lakehouse.jars import Jars
from lakehouse.java import Java
from lakehouse.processes import Command

PARTITIONS = 2
HEAP = "512m"
LARGEST_MESSAGE_BYTES = 8 * 1024 * 1024
USER = "lakehouse"
_PROTOCOL, _MECHANISM = "SASL_PLAINTEXT", "PLAIN"


def client_settings(home: Home) -> dict[str, str]:
    """What a client of Kafka's own (Java) needs. Raises WorkspaceError before the first `up`."""
    return {
        "bootstrap.servers": home.kafka_bootstrap,
        "security.protocol": _PROTOCOL,
        "sasl.mechanism": _MECHANISM,
        "sasl.jaas.config": f"{_login(home)};",
    }


def client_options(home: Home) -> dict[str, Any]:
    """The same for kafka-python."""
    return {
        "bootstrap_servers": home.kafka_bootstrap,
        "security_protocol": _PROTOCOL,
        "sasl_mechanism": _MECHANISM,
        "sasl_plain_username": USER,
        "sasl_plain_password": home.token,
    }


def client_file(home: Home) -> Path:
    """The same as a file, for Kafka's own programs; there once the broker has been started."""
    return home.run / "kafka-client.properties"


def _login(home: Home) -> str:
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return f'{module} required username="{USER}" password="{_quoted(home.token)}"'


def settings(home: Home) -> dict[str, str]:
    """The broker's configuration."""
    largest = str(LARGEST_MESSAGE_BYTES)
    # Who reaches the controller's port could delete topics there: both ports ask who it is.
    login = f'{_login(home)} user_{USER}="{_quoted(home.token)}";'
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{home.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": (
            f"BROKER://127.0.0.1:{home.kafka_port},CONTROLLER://127.0.0.1:{home.controller_port}"
        ),
        "advertised.listeners": f"BROKER://127.0.0.1:{home.kafka_port}",
        "listener.security.protocol.map": f"BROKER:{_PROTOCOL},CONTROLLER:{_PROTOCOL}",
        "inter.broker.listener.name": "BROKER",
        "sasl.enabled.mechanisms": _MECHANISM,
        "sasl.mechanism.inter.broker.protocol": _MECHANISM,
        "sasl.mechanism.controller.protocol": _MECHANISM,
        **{
            f"listener.name.{listener}.plain.sasl.jaas.config": login
            for listener in ("broker", "controller")
        },
        "log.dirs": str(home.kafka),
        "auto.create.topics.enable": "false",
        # Replayed records are months old: by the default they would expire at once, or, with a
        # clock ahead, be refused. A segment for each leap in time would exhaust open files.
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        "log.message.timestamp.before.max.ms": str(2**63 - 1),
        "log.message.timestamp.after.max.ms": str(2**63 - 1),
        "log.roll.hours": "876000",
        "message.max.bytes": largest,
        "replica.fetch.max.bytes": largest,
        "socket.request.max.bytes": "104857600",
        # One broker, few clients.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        "num.network.threads": "2",
        "num.io.threads": "2",
        "num.recovery.threads.per.data.dir": "2",
        "log.cleaner.dedupe.buffer.size": "4194304",
        # The controller writes a record this often also when nothing happens.
        "metadata.max.idle.interval.ms": "5000",
    }


def prepare(home: Home, java: Java, jars: Jars) -> None:
    """Write the configuration; format the storage if that has not been done.

    Raises WorkspaceError if the storage cannot be formatted.
    """
    (home.run / "kafka-log4j2.properties").write_text(log4j.settings(home.logs / "kafka", 10))
    configuration = home.run / "kafka.properties"
    _write(configuration, settings(home))
    _write(client_file(home), client_settings(home))
    # The formatter writes meta.properties last: with it, the storage is whole.
    if (home.kafka / "meta.properties").exists():
        return
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    done = subprocess.run(
        [
            *(str(java.path), "-Xmx256m", "-cp", _class_path(jars)),
            f"-Dlog4j2.configurationFile=file:{home.run}/kafka-log4j2.properties",
            *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
            # One argument: an id may begin with a hyphen.
            *(f"--cluster-id={cluster_id}", "--config", str(configuration)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        (home.logs / "kafka-format.log").write_text(done.stdout + done.stderr)
        raise WorkspaceError(
            f"Kafka's storage in {home.kafka} could not be formatted: see "
            f"{home.logs}/kafka-format.log."
        )


def command(home: Home, java: Java, jars: Jars) -> Command:
    """How to start the broker."""
    return Command(
        part="kafka",
        arguments=(
            str(java.path),
            f"-Xmx{HEAP}",
            "-Xms64m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.net.preferIPv4Stack=true",
            *class_archive.options(home, "kafka", java, [str(jar) for jar in jars.kafka_jars()]),
            f"-Dlog4j2.configurationFile=file:{home.run}/kafka-log4j2.properties",
            *("-cp", _class_path(jars)),
            "kafka.Kafka",
            f"{home.run}/kafka.properties",
        ),
        folder=home.root,
    )


def answers(home: Home, timeout: float = 3.0) -> bool:
    """Whether the broker gives its metadata."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        client = KafkaAdminClient(
            **client_options(home),
            request_timeout_ms=int(timeout * 1000),
            bootstrap_timeout_ms=int(timeout * 1000),
        )
    except (KafkaError, OSError, ValueError):
        return False
    try:
        client.describe_cluster()
    except (KafkaError, OSError):
        return False
    finally:
        client.close()
    return True


def create_topics(home: Home) -> None:
    """Create the topics that are missing, with 2 partitions each."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic
    from kafka.errors import TopicAlreadyExistsError

    client = KafkaAdminClient(**client_options(home))
    try:
        missing = sorted(set(TOPICS) - set(client.list_topics()))
        if missing:
            client.create_topics([NewTopic(t, PARTITIONS, 1) for t in missing])
    except TopicAlreadyExistsError:
        pass
    finally:
        client.close()


def _class_path(jars: Jars) -> str:
    return os.pathsep.join(str(jar) for jar in jars.kafka_jars())


def _write(path: Path, properties: dict[str, str]) -> None:
    """They hold the password."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{key}={_escaped(value)}\n" for key, value in properties.items()))


def _quoted(value: str) -> str:
    """A value between double quotes in a JAAS configuration."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _escaped(value: str) -> str:
    """A value in a Java properties file."""
    return value.replace("\\", "\\\\")

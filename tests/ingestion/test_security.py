"""SCRAM over TLS with brokers of its own; what is wrong is one short, redacted error."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from ingestion import broker, sessions, sources
from ingestion.config import Config
from lakehouse import jars
from lakehouse.java import find_java
from tests.ingestion.drills import Drills
from tests.support import free_base_port

pytestmark = pytest.mark.drill

PASSWORD = "correct horse battery"
STORE_PASSWORD = "for the key store"
LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required"


_LOGGING = """rootLogger.level = info
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %p %c{1}: %m%n
"""


@dataclass(frozen=True)
class SecureBroker:
    port: int
    certificate: Path
    output: Path

    def failures(self) -> int:
        """Attempts to connect that the broker has turned down."""
        return self.output.read_text().count("Failed authentication")

    def options(self, password: str = PASSWORD) -> dict[str, str]:
        """As an operator writes them in [kafka]."""
        return {
            "bootstrap.servers": f"localhost:{self.port}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": f'{LOGIN} username="reader" password="{password}";',
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificate),
        }


@pytest.fixture(scope="module")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with _secure_broker(tmp_path_factory.mktemp("secure-kafka")) as found:
        yield found


@pytest.fixture(scope="module")
def expired_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """Its certificate was valid for a day, a week ago."""
    with _secure_broker(
        tmp_path_factory.mktemp("expired-kafka"),
        ("-startdate", "-7d", "-validity", "1"),
    ) as found:
        yield found


@contextmanager
def _secure_broker(
    folder: Path, validity: tuple[str, ...] = ("-validity", "2")
) -> Iterator[SecureBroker]:
    java = find_java()
    class_path = os.pathsep.join(str(jar) for jar in jars.resolve(java).kafka_jars())
    keytool = java.path.resolve().parent / "keytool"
    store = ["-keystore", str(folder / "keys.p12"), "-storepass", STORE_PASSWORD, "-alias", "kafka"]
    _run(
        *(keytool, "-genkeypair", "-keyalg", "RSA", *validity, "-dname", "CN=localhost"),
        *("-ext", "SAN=dns:localhost,ip:127.0.0.1", "-storetype", "PKCS12", *store),
    )
    certificate = folder / "ca.pem"
    _run(keytool, "-exportcert", "-rfc", "-file", certificate, *store)
    port = free_base_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{port + 1}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}",
        "advertised.listeners": f"SASL_SSL://localhost:{port}",
        "inter.broker.listener.name": "SASL_SSL",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            f'{LOGIN} username="reader" password="{PASSWORD}";'
        ),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(folder / "keys.p12"),
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificate),
        "log.dirs": str(folder / "data"),
        "offsets.topic.replication.factor": "1",
    }
    properties = folder / "kafka.properties"
    properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    logging = folder / "log4j2.properties"
    logging.write_text(_LOGGING)
    command = [str(java.path), "-Xmx256m", f"-Dlog4j2.configurationFile=file:{logging}"]
    command += ["-cp", class_path]
    _run(
        *(*command, "kafka.tools.StorageTool", "format", "--config", properties),
        "--cluster-id=MkU3OEVBNTcwNTJENDM2Qg",
        *("--add-scram", f'SCRAM-SHA-512=[name="reader",password="{PASSWORD}"]'),
    )
    with (folder / "kafka.out").open("wb") as output:
        process = subprocess.Popen(
            [*command, "kafka.Kafka", str(properties)], stdout=output, stderr=output
        )
    try:
        found = SecureBroker(port, certificate, folder / "kafka.out")
        _wait_for(found, process)
        yield found
    finally:
        process.kill()
        process.wait()


def _run(*arguments: object) -> None:
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _wait_for(secure: SecureBroker, process: subprocess.Popen[bytes]) -> None:
    """It is up when it says so: nobody can connect to one whose certificate has expired."""
    deadline = time.monotonic() + 120
    while "Kafka Server started" not in secure.output.read_text():
        assert process.poll() is None, secure.output.read_text()[-2000:]
        assert time.monotonic() < deadline, secure.output.read_text()[-2000:]
        time.sleep(0.2)


def test_scram_over_tls(drills: Drills, secure_broker: SecureBroker, tmp_path: Path) -> None:
    options = secure_broker.options()
    admin = KafkaAdminClient(**broker.client_options(options))
    admin.create_topics({"bpm": {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    producer = KafkaProducer(**broker.client_options(options), acks="all")
    for number in range(20):
        producer.send("bpm", b"%d" % number)
    producer.flush()
    producer.close()
    config = Config(spark_remote=drills.home.connect_url, kafka=options)
    topic = broker.describe(config, "bpm")
    assert topic.latest == {0: 20}
    fetched = list(broker.records(config, "bpm", 0, range(5, 8)))
    assert [(record.offset, record.value) for record in fetched] == [
        (5, b"5"),
        (6, b"6"),
        (7, b"7"),
    ]
    with sessions.session(config.spark_remote) as spark:
        query = (
            sources.kafka_stream(spark, config, topic, epoch=0, start={0: 5}, most=100)
            .writeStream.format("delta")
            .option("checkpointLocation", str(tmp_path / "checkpoint"))
            .trigger(availableNow=True)
            .start(str(tmp_path / "table"))
        )
        query.awaitTermination()
        assert spark.read.format("delta").load(str(tmp_path / "table")).count() == 15


def test_a_wrong_password_is_one_redacted_error(
    drills: Drills, secure_broker: SecureBroker
) -> None:
    wrong = "a secret that is wrong"
    failures = secure_broker.failures()
    with drills.ingesting("--feed", "bpm", **_environment(secure_broker.options(wrong))) as found:
        arguments: set[str] = set()
        while found.process.poll() is None:
            arguments |= _arguments_of_all_processes()
            time.sleep(0.2)
        assert found.process.returncode == 1
        log = found.log
    line = one_error(log)
    assert "refuses this user" in line
    assert "Traceback" not in log
    status = drills.workspace.run("status").stdout
    logs = "".join(path.read_text(errors="replace") for path in drills.home.logs.glob("*.log"))
    for shown in (log, status, logs, *arguments):
        assert wrong not in shown
        assert PASSWORD not in shown
    # One client, which tries once a second until its time is up: no storm.
    assert 0 < secure_broker.failures() - failures < 25


def one_error(log: str) -> str:
    """What is logged as an error: that of the feed, which the command repeats at its end."""
    feed, command = [line for line in log.splitlines() if " ERROR " in line]
    message = feed.partition(" feed=bpm ended: ")[2]
    assert message and command.endswith(message)
    return message


def _environment(options: dict[str, str]) -> dict[str, str]:
    prefix = "FITBIT_INGEST_KAFKA_"
    return {prefix + name.replace(".", "_").upper(): value for name, value in options.items()}


def _arguments_of_all_processes() -> set[str]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found.add(" ".join(process.cmdline()))
    return found


def test_a_certificate_of_somebody_else_is_one_error(
    drills: Drills, secure_broker: SecureBroker, expired_broker: SecureBroker
) -> None:
    """Names and times are right; only who signed it is not the one that is trusted."""
    foreign = {
        **secure_broker.options(),
        "ssl.truststore.location": str(expired_broker.certificate),
    }
    _assert_not_accepted(drills, foreign)


def test_an_expired_certificate_is_one_error(drills: Drills, expired_broker: SecureBroker) -> None:
    _assert_not_accepted(drills, expired_broker.options())


def _assert_not_accepted(drills: Drills, options: dict[str, str]) -> None:
    log = drills.drain("--feed", "bpm", check=False, environment=_environment(options))
    line = one_error(log)
    assert "is not accepted" in line
    assert PASSWORD not in log

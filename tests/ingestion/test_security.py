"""SCRAM over TLS with a broker of its own; a wrong password is one short, redacted error."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from ingestion import broker, sessions, sources
from ingestion.config import Config
from local import jars
from local.java import find_java
from tests.ingestion.drills import Drills
from tests.support import free_base_port

PASSWORD = "correct horse battery"
STORE_PASSWORD = "for the key store"
LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required"


@dataclass(frozen=True)
class SecureBroker:
    port: int
    certificate: Path

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
    folder = tmp_path_factory.mktemp("secure-kafka")
    java = find_java()
    class_path = os.pathsep.join(str(jar) for jar in jars.resolve(java).kafka_jars())
    keytool = java.path.resolve().parent / "keytool"
    store = ["-keystore", str(folder / "keys.p12"), "-storepass", STORE_PASSWORD, "-alias", "kafka"]
    _run(
        *(keytool, "-genkeypair", "-keyalg", "RSA", "-validity", "2", "-dname", "CN=localhost"),
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
    command = [str(java.path), "-Xmx256m", "-cp", class_path]
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
        found = SecureBroker(port, certificate)
        _wait_for(found, process, folder / "kafka.out")
        yield found
    finally:
        process.kill()
        process.wait()


def _run(*arguments: object) -> None:
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _wait_for(secure: SecureBroker, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, output.read_text()[-2000:]
        assert time.monotonic() < deadline, output.read_text()[-2000:]
        try:
            admin = KafkaAdminClient(**broker.client_options(secure.options()))
            admin.create_topics({"bpm": {"num_partitions": 1, "replication_factor": 1}})
            admin.close()
            return
        except Exception:
            time.sleep(0.5)


def test_scram_over_tls(drills: Drills, secure_broker: SecureBroker, tmp_path: Path) -> None:
    options = secure_broker.options()
    producer = KafkaProducer(**broker.client_options(options), acks="all")
    for number in range(20):
        producer.send("bpm", b"%d" % number)
    producer.flush()
    producer.close()
    config = Config(spark_remote=drills.home.connect_url, kafka=options)
    topic = broker.describe(config, "bpm")
    assert topic.latest == {0: 20}
    with sessions.session(config.spark_remote) as spark:
        query = (
            sources.kafka_stream(spark, config, topic, epoch=0, start={0: 5})
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
    environment = {
        "FITBIT_INGEST_KAFKA_" + name.replace(".", "_").upper(): value
        for name, value in secure_broker.options(wrong).items()
    }
    started = time.monotonic()
    log = drills.drain("--feed", "bpm", check=False, environment=environment)
    assert time.monotonic() - started < 60  # 30 s, and the start of Python on a busy machine
    (line,) = [line for line in log.splitlines() if " ERROR " in line]
    assert "refuses this user" in line
    assert wrong not in log
    assert "Traceback" not in log

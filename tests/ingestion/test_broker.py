"""What an operator is told when Kafka cannot be asked, and the client's options."""

from __future__ import annotations

import logging
import time

import pytest
from kafka.errors import KafkaTimeoutError, SaslAuthenticationFailedError

from ingestion import broker
from ingestion.broker import client_options, describe
from ingestion.config import Config
from ingestion.feeds import IngestionError, Unreachable
from tests.support import free_base_port


def refuse_with(monkeypatch: pytest.MonkeyPatch, cause: Exception) -> None:
    """A client that logs the cause and raises that time is up, as kafka-python does."""

    def client(**options: object) -> None:
        logging.getLogger("kafka.net.manager").warning(
            "Bootstrap connection to %s failed: %s (backoff %.2f secs)", "b", cause, 1.0
        )
        raise KafkaTimeoutError("Unable to bootstrap")

    monkeypatch.setattr(broker, "KafkaAdminClient", client)


def config(**kafka: str) -> Config:
    return Config(kafka={"bootstrap.servers": "127.0.0.1:1", **kafka})


def test_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_TIMEOUT_MS", 1000)
    absent = Config(kafka={"bootstrap.servers": f"127.0.0.1:{free_base_port()}"})
    started = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer"):
        describe(absent, "bpm")
    assert time.monotonic() - started < 30


def test_a_refused_user_is_no_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_with(monkeypatch, SaslAuthenticationFailedError("password hush is wrong"))
    with pytest.raises(IngestionError, match="refuses this user") as caught:
        describe(config(), "bpm")
    assert not isinstance(caught.value, Unreachable)
    assert "hush" not in str(caught.value)


def test_a_certificate_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Handshake failed: certificate verify failed: certificate has expired"
    refuse_with(monkeypatch, ConnectionError(text))
    with pytest.raises(IngestionError, match=r"certificate .* is not accepted") as caught:
        describe(config(), "bpm")
    assert not isinstance(caught.value, Unreachable)


def test_the_java_clients_options_in_pythons_terms() -> None:
    options = client_options(
        {
            "bootstrap.servers": "a:1,b:2",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": 'x.PlainLoginModule required username="u" password="p;=q";',
            "ssl.truststore.location": "/ca.pem",
            "ssl.keystore.location": "/me.pem",
            "ssl.endpoint.identification.algorithm": "",
        }
    )
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("u", "p;=q")
    assert (options["ssl_cafile"], options["ssl_certfile"]) == ("/ca.pem", "/me.pem")
    assert options["ssl_check_hostname"] is False

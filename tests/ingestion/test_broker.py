"""What an operator is told when Kafka cannot be asked, and the client's options."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, SaslAuthenticationFailedError

from ingestion import broker
from ingestion.broker import client_options, describe
from ingestion.config import Config
from ingestion.feeds import IngestionError, Unreachable
from tests.support import free_base_port


def refuse_with(monkeypatch: pytest.MonkeyPatch, cause: Exception) -> None:
    """A client that logs the cause, then logs and raises that time is up, as kafka-python does."""
    log = logging.getLogger("kafka.net.manager")

    def client(**options: object) -> None:
        log.warning("Bootstrap connection to %s failed: %s (backoff %.2f secs)", "b", cause, 1.0)
        timeout = KafkaTimeoutError("Unable to bootstrap")
        log.error("Bootstrap failed: %s", timeout)
        raise timeout

    monkeypatch.setattr(broker, "Client", client)


def config(**kafka: str) -> Config:
    return Config(kafka={"bootstrap.servers": "127.0.0.1:1", **kafka})


def test_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_TIMEOUT_MS", 1000)
    absent = Config(kafka={"bootstrap.servers": f"127.0.0.1:{free_base_port()}"})
    started = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer"):
        describe(absent, "bpm")
    assert time.monotonic() - started < 30
    assert not [t for t in threading.enumerate() if "fitbit-ingest" in t.name]


def test_a_broker_that_hangs_up_during_sign_in_may_refuse_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse_with(monkeypatch, KafkaConnectionError("socket disconnected"))
    with pytest.raises(Unreachable, match="refuses this user"):
        describe(config(**{"sasl.mechanism": "PLAIN"}), "bpm")
    with pytest.raises(Unreachable, match="does not answer"):
        describe(config(), "bpm")


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


def test_a_cause_of_an_earlier_attempt_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_with(monkeypatch, SaslAuthenticationFailedError("wrong"))
    with pytest.raises(IngestionError, match="refuses this user"):
        describe(config(), "bpm")

    def silent(**_: object) -> None:
        raise KafkaTimeoutError("Unable to bootstrap")

    monkeypatch.setattr(broker, "Client", silent)
    with pytest.raises(Unreachable, match="does not answer"):
        describe(config(), "bpm")


class Admin:
    """A client of a broker with one topic, of which it says what it is told to."""

    levels: ClassVar[list[str]] = []

    def __init__(self, error_code: int) -> None:
        self.error_code = error_code

    def describe_topics(self, _: list[str]) -> list[dict[str, Any]]:
        partitions = [{"partition_index": 0}]
        found = {"error_code": self.error_code, "topic_id": "id", "partitions": partitions}
        return [found]

    def list_partition_offsets(
        self, specs: dict[TopicPartition, int], isolation_level: str
    ) -> dict[TopicPartition, Any]:
        self.levels.append(isolation_level)
        return {p: SimpleNamespace(offset=7 + spec) for p, spec in specs.items()}

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (3, Unreachable, "has no topic"),  # a broker that has just started does not know it yet
        (5, Unreachable, "no leader"),
        (17, IngestionError, "has no topic"),
        (29, IngestionError, "grant DESCRIBE"),
    ],
)
def test_a_topic_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], text: str
) -> None:
    monkeypatch.setattr(broker, "Client", lambda **_: Admin(code))
    with pytest.raises(IngestionError, match=text) as caught:
        describe(config(), "bpm")
    assert type(caught.value) is kind


def test_offsets_are_asked_for_as_spark_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "Client", lambda **_: Admin(0))
    monkeypatch.setattr(Admin, "levels", [])
    found = describe(config(), "bpm")
    assert (found.id, found.earliest, found.latest) == ("id", {0: 5}, {0: 6})
    describe(config(**{"isolation.level": "read_uncommitted"}), "bpm")
    assert Admin.levels == ["read_committed"] * 2 + ["read_uncommitted"] * 2


def test_pem_in_the_settings_themselves() -> None:
    with pytest.raises(IngestionError, match="PEM text") as caught:
        client_options({"bootstrap.servers": "a:1", "ssl.truststore.certificates": "no PEM"})
    assert "no PEM" not in str(caught.value)
    certificate = ssl.get_default_verify_paths().cafile
    if certificate is not None:
        text = Path(certificate).read_text().split("-----END CERTIFICATE-----")[0]
        given = {"ssl.truststore.certificates": f"{text}-----END CERTIFICATE-----\n"}
        context = client_options({"bootstrap.servers": "a:1", **given})["ssl_context"]
        assert len(context.get_ca_certs()) == 1


@contextmanager
def token_endpoint(status: int = 200) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Its URL, and what it was asked: the Authorization header and the body."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.headers["Authorization"], body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": "t0k3n", "expires_in": 3600}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def oauth_options(url: str, secret: str) -> dict[str, str]:
    return {
        "bootstrap.servers": "a:1",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": url,
        "sasl.jaas.config": (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
            f"clientId='me' clientSecret='{secret}' scope=\"kafka read\";"
        ),
    }


def test_a_token_is_asked_for_once_and_kept_by_all_clients() -> None:
    with token_endpoint() as (url, asked):
        for _ in range(2):
            provider = client_options(oauth_options(url, "hush"))["sasl_oauth_token_provider"]
            assert provider.token() == provider.token() == "t0k3n"
        ((authorization, body),) = asked
    assert authorization == "Basic bWU6aHVzaA=="
    assert parse_qs(body) == {"grant_type": ["client_credentials"], "scope": ["kafka read"]}


def test_a_token_endpoint_that_refuses() -> None:
    with token_endpoint(401) as (url, _):
        provider = client_options(oauth_options(url, "wrong"))["sasl_oauth_token_provider"]
        with pytest.raises(SaslAuthenticationFailedError, match="401") as caught:
            provider.token()
    assert "wrong" not in str(caught.value)


def test_other_ways_to_a_token_are_told_to_be_missing() -> None:
    with pytest.raises(IngestionError, match=r"token\.endpoint\.url"):
        client_options(oauth_options("", "hush"))


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
    quoted = """x.PlainLoginModule required username='u' password="it's \\\"so\\\"";"""
    options = client_options({"bootstrap.servers": "a:1", "sasl.jaas.config": quoted})
    assert options["sasl_plain_password"] == 'it\'s "so"'

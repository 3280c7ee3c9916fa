"""Settings: file, then environment; unknown keys refused; secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.config import Config, load
from ingestion.feeds import IngestionError, select

BASE = Config(
    landing="/l", checkpoints="/c", leases="/s", kafka={"bootstrap.servers": "127.0.0.1:9092"}
)
JAAS = (
    "org.apache.kafka.common.security.scram.ScramLoginModule required "
    'username="reader" password="hush-hush";'
)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ingest.toml"
    file.write_text(
        'landing = "/here"\nmax_offsets_per_trigger = 5\nfeeds = ["bpm", "workout"]\n'
        '[kafka]\n"bootstrap.servers" = "a:1"\n"client.id" = "x"\n[topics]\nbpm = "prod.bpm"\n'
    )
    environment = {
        "FITBIT_INGEST_CONFIG": str(file),
        "FITBIT_INGEST_LANDING": "/there",
        "FITBIT_INGEST_TRIGGER_SECONDS": "2.5",
        "FITBIT_INGEST_KAFKA_BOOTSTRAP_SERVERS": "b:2",
        "FITBIT_INGEST_TOPICS_WORKOUT": "prod.workout",
        "PATH": "/bin",
    }
    config = load(environment, base=BASE)
    assert (config.landing, config.checkpoints) == ("/there", "/c")
    assert (config.max_offsets_per_trigger, config.trigger_seconds) == (5, 2.5)
    assert config.feeds == ("bpm", "workout")
    assert config.kafka == {"bootstrap.servers": "b:2", "client.id": "x"}
    assert [config.topic_of(f) for f in ("bpm", "workout", "user_info")] == [
        "prod.bpm",
        "prod.workout",
        "user_info",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FITBIT_INGEST_LANDINGS", "/x"),
        ("FITBIT_INGEST_MAX_FILES_PER_TRIGGER", "many"),
        ("FITBIT_INGEST_MAX_FILES_PER_TRIGGER", "0"),
        ("FITBIT_INGEST_TOPICS_PULSE", "x"),
        ("FITBIT_INGEST_ARRIVAL", "tomorrow"),
        ("FITBIT_INGEST_CHECKPOINTS", ""),
        ("FITBIT_INGEST_CONFIG", "/does/not/exist.toml"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: str) -> None:
    with pytest.raises(IngestionError):
        load({name: value}, base=BASE)


def test_unknown_keys_of_the_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ingest.toml"
    file.write_text('password = "hush-hush"\n')
    with pytest.raises(IngestionError, match="password") as caught:
        load({}, file, BASE)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [(b'landing = "/f\xfcr"', "not UTF-8 text"), (b"landing =", "not valid TOML")],
)
def test_a_file_that_is_no_settings_is_told(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "ingest.toml"
    file.write_bytes(content)
    with pytest.raises(IngestionError, match=what):
        load({}, file)


def test_secrets_are_not_shown() -> None:
    config = load(
        {
            "FITBIT_INGEST_KAFKA_SASL_JAAS_CONFIG": JAAS,
            "FITBIT_INGEST_KAFKA_SSL_KEY_PASSWORD": "open sesame",
            "FITBIT_INGEST_SPARK_REMOTE": "sc://localhost:1/;token=abracadabra",
        },
        base=BASE,
    )
    assert config.kafka["sasl.jaas.config"] == JAAS
    shown = config.redact(f"{config} {JAAS} hush-hush open sesame {config.spark_remote}")
    for secret in ("hush-hush", "open sesame", "abracadabra"):
        assert secret not in repr(config)
        assert secret not in shown


def test_secrets_within_other_settings_are_not_shown() -> None:
    config = load(
        {
            "FITBIT_INGEST_KAFKA_SASL_JAAS_CONFIG": (
                "x.LoginModule required clientId=\"me\" clientSecret='one two' "
                'username="reader" password="it\'s three";'
            ),
            "FITBIT_INGEST_JDBC_URL": (
                "jdbc:sqlserver://h:1;databaseName=gyms;user=reader;password={fo;ur};"
                "AADSecurePrincipalSecret=five"
            ),
        },
        base=BASE,
    )
    shown = config.redact("one two, it's three, {fo;ur}, five, reader, gyms")
    assert shown == "***, ***, ***, ***, reader, gyms"
    other = load({"FITBIT_INGEST_JDBC_URL": "jdbc:postgresql://h/d?user=u&password=six"}, base=BASE)
    assert "six" not in other.redact(f"{other.jdbc}")


def test_feeds_are_known_by_name() -> None:
    assert [feed.name for feed in select(["workout", "bpm", "gym_logins"])] == [
        "bpm",
        "workout",
        "gym_logins",
    ]
    with pytest.raises(IngestionError, match="pulse"):
        select(["pulse"])

"""The command line without Spark: what it refuses, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.cli import feeds_of, main
from ingestion.config import Config

NEEDED = {
    "FITBIT_INGEST_LANDING": "landing",
    "FITBIT_INGEST_CHECKPOINTS": "checkpoints",
    "FITBIT_INGEST_LEASES": "leases",
    "FITBIT_INGEST_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "FITBIT_INGEST_SPARK_REMOTE": "sc://127.0.0.1:1",
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in NEEDED.items():
        is_folder = "://" not in value and ":" not in value
        monkeypatch.setenv(name, str(tmp_path / value) if is_folder else value)


def end_of(arguments: list[str]) -> object:
    """Exit code; as an exception, since a platform that calls main ignores what it returns."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_wrong_usage_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert end_of(["--feed", "pulse"]) == 2
    assert "pulse" in capsys.readouterr().err


def test_a_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FITBIT_INGEST_LANDINGS", "x")
    assert end_of([]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_spark_it_ends_at_once_and_leaves_no_lease(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of(["--feed", "gym_logins"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Spark does not answer at 127.0.0.1:1" in line
    assert not list((tmp_path / "leases").glob("*.json"))


def test_envelope_files_are_watched_for_while_it_runs_without_an_end(tmp_path: Path) -> None:
    config = Config(landing=str(tmp_path))
    drained = {feed.name for feed in feeds_of(config, None, continuous=False)}
    watched = {feed.name for feed in feeds_of(config, None, continuous=True)}
    assert watched - drained == {"user_info_files", "bpm_files", "workout_files"}
    (tmp_path / "bpm").mkdir()
    (tmp_path / "bpm" / "a.json").write_text("{}")
    drained = {feed.name for feed in feeds_of(config, None, continuous=False)}
    assert watched - drained == {"user_info_files", "workout_files"}
    assert [feed.name for feed in feeds_of(config, ["bpm"], continuous=True)] == ["bpm"]

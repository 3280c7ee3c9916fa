"""Landing: whole, unique, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.cli import main
from lakehouse.home import Home, WorkspaceError
from lakehouse.landing import land, land_bytes, landed_name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    return Home.from_environment()


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("a.csv", r"a-[0-9a-f]{8}\.csv"),
        ("a.b.CSV.GZ", r"a\.b-[0-9a-f]{8}\.csv\.gz"),
        ("x.ndjson", r"x-[0-9a-f]{8}\.ndjson"),
        ("x.jsonl.gz", r"x-[0-9a-f]{8}\.jsonl\.gz"),
        ("x.json", r"x-[0-9a-f]{8}\.json"),
        ("_hidden.csv", r"hidden-[0-9a-f]{8}\.csv"),
        (".csv", r"file-[0-9a-f]{8}\.csv"),
    ],
)
def test_names(name: str, pattern: str) -> None:
    assert re.fullmatch(pattern, landed_name(name))


@pytest.mark.parametrize("name", ["a.parquet", "a", "csv", "a.gz", "a.csv.zip"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(WorkspaceError, match=r"\.ndjson"):
        landed_name(name)


def test_a_file_lands_unchanged_and_twice_gives_two(home: Home, tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "a.csv.gz").write_bytes(content)
    first = land(home, "gym_logins", tmp_path / "a.csv.gz")
    second = land(home, "gym_logins", tmp_path / "a.csv.gz")
    assert first != second
    assert first.read_bytes() == second.read_bytes() == content
    assert sorted((home.landing / "gym_logins").iterdir()) == sorted([first, second])


def test_a_fault_leaves_nothing_behind(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        land(home, "gym_logins", tmp_path / "a.csv")
    assert list((home.landing / "gym_logins").iterdir()) == []


def test_a_files_time_of_change_can_be_given(home: Home) -> None:
    path = land_bytes(home, "gym_logins", "a.csv", b"x", 1_460_000_000_500)
    assert path.stat().st_mtime == 1_460_000_000.5


def test_unknown_feed_and_missing_file(home: Home, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no feed 'x'"):
        land_bytes(home, "x", "a.csv", b"")
    with pytest.raises(WorkspaceError, match="that is no file"):
        land(home, "gym_logins", tmp_path / "a.csv")


def test_the_command_lands_all_or_none(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    assert main(["land", "bpm", str(tmp_path / "a.csv"), str(tmp_path / "b.txt")]) == 1
    assert "b.txt" in capsys.readouterr().err
    assert not (home.landing / "bpm").exists()
    assert main(["land", "bpm", str(tmp_path / "a.csv")]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == "x"

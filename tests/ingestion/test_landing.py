"""Which files lie in a landing folder, and which of them are new."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ingestion.feeds import IngestionError
from ingestion.landing import Folder, Known, LandedFile


def names(root: Path) -> list[str]:
    return sorted(file.name for file in Folder(root).files())


def put(path: Path, content: str = "x", changed: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if changed is not None:
        os.utime(path, ns=(changed, changed))
    return path


def test_a_folder_is_made_and_one_that_cannot_be_is_told(tmp_path: Path) -> None:
    assert names(tmp_path / "a" / "b") == []
    put(tmp_path / "file")
    with pytest.raises(IngestionError, match="cannot be made"):
        names(tmp_path / "file" / "c")


def test_names_of_any_kind(tmp_path: Path) -> None:
    wanted = ["10:30 visits.csv", "déjà.csv", "a/b/Ж.csv", "line\nbreak.csv", "café.csv"]
    for name in wanted:
        put(tmp_path / name)
    for name in (".hidden.csv", "_hidden.csv", "a/.part", "_folder/x.csv"):
        put(tmp_path / name)
    latin = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    put(latin)
    os.mkfifo(tmp_path / "fifo")
    assert names(tmp_path) == sorted([*wanted, "caf\\xe9.csv"])
    (found,) = (file for file in Folder(tmp_path).files() if file.name == "caf\\xe9.csv")
    assert Path(found.path).read_text() == "x"


def test_each_folder_is_entered_once_whatever_links_lead_to_it(tmp_path: Path) -> None:
    put(tmp_path / "feed" / "z" / "own.csv")
    put(tmp_path / "elsewhere" / "linked.csv")
    (tmp_path / "feed" / "back").symlink_to(tmp_path / "feed")
    (tmp_path / "feed" / "a").symlink_to(tmp_path / "feed" / "z")
    (tmp_path / "feed" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "feed" / "nowhere.csv").symlink_to(tmp_path / "nothing")
    (tmp_path / "feed" / "one.csv").symlink_to(tmp_path / "elsewhere" / "linked.csv")
    assert names(tmp_path / "feed") == ["one.csv", "out/linked.csv", "z/own.csv"]


def test_the_oldest_come_first_and_any_time_is_one(tmp_path: Path) -> None:
    century = 100 * 365 * 86400 * 10**9
    put(tmp_path / "future", changed=century + 1_700_000_000 * 10**9)
    put(tmp_path / "now", changed=1_700_000_000 * 10**9 + 123_456_789)
    put(tmp_path / "epoch", changed=0)
    found = Folder(tmp_path).files()
    assert [file.name for file in found] == ["epoch", "now", "future"]
    assert found[1].version == "1-1700000000123456789"
    assert [at.year for file in found if (at := file.modified_at)] == [1970, 2023, 2123]
    assert LandedFile("far", "far", 1, 2**63 * 1000).modified_at is None


def test_a_file_is_known_by_name_size_and_time_of_change(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", changed=5_000_000_000)
    folder = Folder(tmp_path)
    known = Known([], {})
    (first,) = folder.files()
    assert not known.has(first)
    known.add([first])
    assert known.has(first)
    put(path, "longer", changed=5_000_000_000)
    assert not any(map(known.has, folder.files()))
    put(path, changed=5_000_000_001)
    assert not any(map(known.has, folder.files()))
    put(path, changed=5_000_000_000)
    assert all(map(known.has, folder.files()))


def test_rows_of_the_first_edition_name_no_version(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", changed=5_123_456_789)
    (file,) = Folder(tmp_path).files()
    assert Known([], {"a.csv": None}).has(file)
    assert Known([], {"a.csv": 5123}).has(file)
    assert not Known([], {"a.csv": 5124}).has(file)
    assert not Known([], {"b.csv": None}).has(file)


def test_what_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "closed" / "a.csv")
    put(tmp_path / "b.csv")
    look = os.scandir

    def closed(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", closed)  # root, as which this may run, sees everything
    folder = Folder(tmp_path)
    assert [file.name for file in folder.files()] == ["b.csv"]
    assert folder.unreadable == {"closed": "Permission denied"}

"""What a file feed reads next, and what it says of files that it cannot read; without Spark."""

from __future__ import annotations

import errno
import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingestion import commits, progress, sources
from ingestion.config import Config
from ingestion.feeds import FILE_FEEDS, IngestionError
from ingestion.filereader import FileReader, waiting
from ingestion.landing import Known, LandedFile

FEED = FILE_FEEDS[1]
HEADER = "mac_address,gym,login,logout\n"


class Table:
    """Stands in for bronze: keeps what is appended."""

    def __init__(self) -> None:
        self.pages: list[list[str]] = []
        self.held: list[LandedFile] = []
        self.refuses = 0

    def known_files(self, *_: object) -> Known:
        return Known(((file.name, file.version) for file in self.held), {})

    def append(self, rows: Any, *_: object) -> int | None:
        page: Sequence[LandedFile] = rows
        if self.refuses:
            self.refuses -= 1
            self.held.append(page[0])  # by the other writer
            return None
        self.pages.append([file.name for file in page])
        self.held += page
        return len(page)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(commits, "next_number", lambda *_: 1)
    monkeypatch.setattr(progress, "known_files", made.known_files)
    monkeypatch.setattr(commits, "append", made.append)
    monkeypatch.setattr(sources, "landed_rows", lambda _, __, ___, page: page)
    return made


def reader(folder: Path, *, continuous: bool = False, **settings: Any) -> FileReader:
    config = Config(landing=str(folder), **settings)
    spark: Any = None
    return FileReader(spark, config, FEED, lambda: None, continuous=continuous)


def put(folder: Path, *names: str, content: str = f"{HEADER}m,g,1,\n") -> None:
    for name in names:
        path = folder / FEED.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def drain(files: FileReader) -> None:
    while files.read_some() is not None:
        pass
    files.check_all_read()


def closed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As a file that this user may not read; root, as which tests may run, may read all."""
    really: Callable[..., io.BufferedReader] = Path.open

    def open_(self: Path, *arguments: Any, **options: Any) -> io.BufferedReader:
        if self.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_)


def test_the_first_page_is_small_and_pages_are_bounded_by_bytes(
    tmp_path: Path, table: Table
) -> None:
    put(tmp_path, *(f"{n:02}" for n in range(40)))
    drain(reader(tmp_path, max_files_per_trigger=32))
    assert [len(page) for page in table.pages] == [2, 32, 6]
    table.pages.clear()
    table.held.clear()
    put(tmp_path, "large", content=HEADER + "m,g,1,\n" * 1000)
    drain(reader(tmp_path, max_file_bytes_per_trigger=20 * 36))
    assert [len(page) for page in table.pages] == [1, 20, 19, 1]  # of 36 bytes each
    assert table.pages[-1] == ["large"]


def test_a_drain_reads_what_was_there_when_it_began(tmp_path: Path, table: Table) -> None:
    put(tmp_path, "a", "b")
    files = reader(tmp_path, max_files_per_trigger=16)
    files.read_some()
    put(tmp_path, "c")
    drain(files)
    assert table.pages == [["a"], ["b"]]


def test_continuous_mode_waits_until_a_file_rests(tmp_path: Path, table: Table) -> None:
    files = reader(tmp_path, continuous=True)
    put(tmp_path, "a")
    assert files.read_some() is None
    put(tmp_path, "a", content=f"{HEADER}m,g,1,\nm,g,2,\n")
    assert files.read_some() is None
    assert files.read_some() is not None
    assert files.read_some() is None
    assert table.pages == [["a"]]


def test_files_without_records_make_no_commit(tmp_path: Path, table: Table) -> None:
    put(tmp_path, "empty", "blank", content="\n \n")
    put(tmp_path, "header", content=HEADER)
    drain(reader(tmp_path))
    assert table.pages == []


def test_what_another_writer_wrote_first_is_not_written_again(tmp_path: Path, table: Table) -> None:
    put(tmp_path, "a", "b")
    table.refuses = 1
    drain(reader(tmp_path))
    assert table.pages == [["b"]]
    put(tmp_path, "c", "d", "e", "f")
    table.refuses = 9
    with pytest.raises(IngestionError, match="set back"):
        drain(reader(tmp_path))


def test_a_file_that_cannot_be_opened_is_named_and_the_others_are_read(
    tmp_path: Path,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(tmp_path, "a", "b", "c")
    closed(monkeypatch, "a")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(IngestionError, match=r"'a' \(Permission denied\) in .* cannot be read"),
    ):
        drain(reader(tmp_path))
    assert sorted(name for page in table.pages for name in page) == ["b", "c"]
    assert caplog.text.count("cannot read 'a'") == 1
    spark: Any = None
    (told,) = waiting(spark, Config(landing=str(tmp_path)))
    assert str(told) == "gym_logins: 'a' (Permission denied)"

"""Records that bronze has read leave the broker's files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lakehouse.kafka_log import drop_before


def batch(first: int, count: int) -> bytes:
    """A batch as a broker writes it; its payload says which offsets it has."""
    payload = f"offsets {first} to {first + count - 1}".encode()
    body = struct.pack(">ibIhi", 0, 2, 0, 0, count - 1) + payload
    return struct.pack(">qi", first, len(body)) + body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Offsets 0 to 9 in two segments."""
    (tmp_path / f"{0:020d}.log").write_bytes(batch(0, 3) + batch(3, 2))
    (tmp_path / f"{5:020d}.log").write_bytes(batch(5, 1) + batch(6, 4))
    for name in ("0.index", "0.timeindex", "5.snapshot", "5.txnindex"):
        (tmp_path / name).write_bytes(b"offsets 0")
    (tmp_path / "partition.metadata").write_text("version: 0")
    return tmp_path


@pytest.mark.parametrize(
    ("end", "name", "kept"),
    [
        (10, 10, b""),
        (6, 6, batch(6, 4)),
        (8, 6, batch(6, 4)),  # half read: it stays until it is read
        (5, 5, batch(5, 1) + batch(6, 4)),
        (0, 0, batch(0, 3) + batch(3, 2) + batch(5, 1) + batch(6, 4)),
    ],
)
def test_what_is_read_goes(folder: Path, end: int, name: int, kept: bytes) -> None:
    drop_before(folder, end)
    assert {path.name for path in folder.iterdir()} == {f"{name:020d}.log", "partition.metadata"}
    assert (folder / f"{name:020d}.log").read_bytes() == kept


def test_a_batch_that_was_not_written_whole_is_no_record(folder: Path) -> None:
    last = folder / f"{5:020d}.log"
    last.write_bytes(last.read_bytes() + batch(10, 3)[:-4])
    drop_before(folder, 6)
    assert (folder / f"{6:020d}.log").read_bytes() == batch(6, 4)


@pytest.mark.parametrize("step", ["replace", "unlink"])
def test_a_kill_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Before what is kept has its place, or after: run again, it is all there, once."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, step, killed)
        drop_before(folder, 6)
    drop_before(folder, 6)
    assert {path.name for path in folder.iterdir()} == {f"{6:020d}.log", "partition.metadata"}
    assert (folder / f"{6:020d}.log").read_bytes() == batch(6, 4)

"""When a checkpoint is trusted: it must be the one that wrote the feed's last commit."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from ingestion import checkpoints
from ingestion.checkpoints import Commit

QUERY = "11111111-1111-1111-1111-111111111111"


def sum_up(path: Path) -> None:
    """Write Hadoop's checksums of a short file beside it."""
    head = b"crc\0" + (512).to_bytes(4)
    chunks = (path.read_bytes()[at : at + 512] for at in range(0, path.stat().st_size, 512))
    sums = b"".join(zlib.crc32(chunk).to_bytes(4) for chunk in chunks)
    path.with_name(f".{path.name}.crc").write_bytes(head + sums)


def make(path: Path, planned: int, committed: int) -> Path:
    """A checkpoint as Spark leaves it, of a topic with 10 records a batch in partition 0."""
    for folder in ("offsets", "commits"):
        (path / folder).mkdir(parents=True)
    (path / "metadata").write_text(json.dumps({"id": QUERY}))
    (path / "sources" / "0").mkdir(parents=True)
    (path / "sources" / "0" / "0").write_bytes(b'\0v1\n{"bpm":{"0":0,"1":0}}')
    for batch in range(planned + 1):
        offsets = {"bpm": {"0": 10 * (batch + 1), "1": 0}}
        lines = ["v1", json.dumps({"batchTimestampMs": 1}), json.dumps(offsets)]
        (path / "offsets" / str(batch)).write_text("\n".join(lines))
        sum_up(path / "offsets" / str(batch))
    for batch in range(committed + 1):
        (path / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    return path


def test_a_folder_that_is_not_there_or_was_not_used_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoints.trusted(tmp_path / "bpm", None) is None
    (tmp_path / "bpm").mkdir()
    assert checkpoints.trusted(tmp_path / "bpm", Commit(QUERY, 3)) is None


@pytest.mark.parametrize(
    ("planned", "committed", "last", "unread"),
    [
        (4, 4, 4, 50),  # at rest
        (4, 3, 4, 50),  # ended after Delta's commit, before its own: Delta skips the repeat
        (4, 3, 3, 40),  # ended before Delta's commit: its last micro-batch is read again
    ],
)
def test_trusted(tmp_path: Path, planned: int, committed: int, last: int, unread: int) -> None:
    path = make(tmp_path / "bpm", planned, committed)
    state = checkpoints.trusted(path, Commit(QUERY, last))
    assert state is not None
    assert state.unread(Commit(QUERY, last)) == {0: unread, 1: 0}
    assert path.exists()


def test_a_first_batch_that_was_not_committed_is_trusted(tmp_path: Path) -> None:
    path = make(tmp_path / "bpm", 0, -1)
    state = checkpoints.trusted(path, None)
    assert state is not None
    assert state.unread(None) == {}  # bronze knows


def test_a_checkpoint_without_a_batch_is_forgotten(tmp_path: Path) -> None:
    path = make(tmp_path / "bpm", -1, -1)
    assert checkpoints.trusted(path, Commit(QUERY, 4)) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "last",
    [
        Commit(QUERY, 5),  # restored from a backup: Delta would skip its batches without a word
        Commit(QUERY, 2),  # the table was restored
        Commit("22222222-2222-2222-2222-222222222222", 4),  # another checkpoint was used since
        None,  # the table was made anew
    ],
    ids=["older than the table", "newer than the table", "of another query", "without a table"],
)
def test_not_trusted_and_moved_aside(
    tmp_path: Path, last: Commit | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = make(tmp_path / "bpm", 4, 4)
    assert checkpoints.trusted(path, last) is None
    assert not path.exists()
    (kept,) = tmp_path.glob("bpm.old-*")
    assert (kept / "metadata").exists()
    assert "bpm" in caplog.text


@pytest.mark.parametrize("file", ["metadata", "offsets/4", "offsets/3", "commits/4", "sources/0/0"])
@pytest.mark.parametrize("content", ["", "v1\n{", None], ids=["empty", "truncated", "gone"])
def test_damaged_files(tmp_path: Path, file: str, content: str | None) -> None:
    path = make(tmp_path / "bpm", 4, 4)
    if content is None:
        (path / file).unlink()
    else:
        (path / file).write_text(content)
    state = checkpoints.trusted(path, Commit(QUERY, 4))
    if (file, content) == ("commits/4", None):  # the same as never written: the batch is repeated
        assert state is not None
        assert (state.planned, state.committed) == (4, 3)
    elif content is None and file in ("offsets/3", "sources/0/0"):  # Spark does without them
        assert state is not None
    else:
        assert state is None
        assert not path.exists()


def test_a_file_that_is_not_what_its_checksum_says(tmp_path: Path) -> None:
    path = make(tmp_path / "bpm", 4, 4)
    whole = (path / "offsets" / "4").read_text()
    (path / "offsets" / "4").write_text(whole.replace("50", "60"))
    with pytest.raises(checkpoints.Damaged, match="offsets/4"):
        checkpoints.read(path)


def test_at_the_end_of_the_topic(tmp_path: Path) -> None:
    path = make(tmp_path / "bpm", 4, 4)
    assert checkpoints.has_reached(path, {0: 50, 1: 0})
    assert checkpoints.has_reached(path, {0: 49, 1: 0})
    assert not checkpoints.has_reached(path, {0: 51, 1: 0})
    assert not checkpoints.has_reached(path, {0: 50, 1: 0, 2: 0})
    (path / "commits" / "4").unlink()
    assert not checkpoints.has_reached(path, {0: 50, 1: 0})
    assert not checkpoints.has_reached(path, {})  # ended in the midst of a micro-batch
    assert checkpoints.has_reached(tmp_path / "none", {})

"""When a checkpoint is trusted: it must be the one that wrote the feed's last commit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingestion import checkpoints
from ingestion.checkpoints import Commit

QUERY = "11111111-1111-1111-1111-111111111111"


def make(path: Path, planned: int, committed: int) -> Path:
    """A checkpoint as Spark leaves it, of a topic with 10 records a batch in partition 0."""
    for folder in ("offsets", "commits"):
        (path / folder).mkdir(parents=True)
    (path / "metadata").write_text(json.dumps({"id": QUERY}))
    for batch in range(planned + 1):
        offsets = {"bpm": {"0": 10 * (batch + 1), "1": 0}}
        lines = ["v1", json.dumps({"batchTimestampMs": 1}), json.dumps(offsets)]
        (path / "offsets" / str(batch)).write_text("\n".join(lines))
        (path / "offsets" / f".{batch}.crc").write_bytes(b"crc")
    for batch in range(committed + 1):
        (path / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    return path


def test_a_folder_that_is_not_there_or_was_not_used_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoints.trusted(tmp_path / "bpm", None) is None
    (tmp_path / "bpm").mkdir()
    assert checkpoints.trusted(tmp_path / "bpm", Commit(QUERY, 3)) is None


@pytest.mark.parametrize(
    ("planned", "committed", "last"),
    [
        (4, 4, 4),  # at rest
        (4, 3, 4),  # ended after Delta's commit, before the checkpoint's: Delta skips the repeat
        (4, 3, 3),  # ended before Delta's commit
    ],
)
def test_trusted(tmp_path: Path, planned: int, committed: int, last: int) -> None:
    path = make(tmp_path / "bpm", planned, committed)
    state = checkpoints.trusted(path, Commit(QUERY, last))
    assert state is not None
    assert state.position == {0: 10 * (planned + 1), 1: 0}
    assert path.exists()


def test_a_first_batch_that_was_not_committed_is_trusted(tmp_path: Path) -> None:
    path = make(tmp_path / "bpm", 0, -1)
    assert checkpoints.trusted(path, None) is not None


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


@pytest.mark.parametrize("file", ["metadata", "offsets/4", "commits/4"])
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
    else:
        assert state is None
        assert not path.exists()


def test_at_the_end_of_the_topic(tmp_path: Path) -> None:
    path = make(tmp_path / "bpm", 4, 4)
    assert checkpoints.has_reached(path, {0: 50, 1: 0})
    assert checkpoints.has_reached(path, {0: 49, 1: 0})
    assert not checkpoints.has_reached(path, {0: 51, 1: 0})
    assert not checkpoints.has_reached(path, {0: 50, 1: 0, 2: 0})
    (path / "commits" / "4").unlink()
    assert not checkpoints.has_reached(path, {0: 50, 1: 0})

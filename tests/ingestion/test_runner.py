"""Where a feed starts, and when it refuses to: decided by the checkpoint, bronze and the broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from ingestion import broker, commits, jdbc, progress, runner, sessions, sources, streaming
from ingestion.broker import Topic
from ingestion.checkpoints import Commit
from ingestion.config import Config
from ingestion.feeds import IngestionError, Unreachable, select
from ingestion.lease import Lease
from ingestion.progress import KnownTopic
from ingestion.runner import FeedRun
from ingestion.telemetry import Telemetry
from ingestion.topics import RunOptions
from tests.ingestion.test_checkpoints import QUERY, make, sum_up

KNOWN = KnownTopic("bpm", "id-1", 0)
DRAIN = RunOptions()
ACCEPT = RunOptions(accept_data_loss=True)


@dataclass
class Query:
    """A streaming query that has ended, or goes on until it is stopped."""

    ends: bool = True
    stopped: bool = False
    lastProgress: Any = None

    def awaitTermination(self, _: float) -> bool:
        return self.ends or self.stopped

    def stop(self) -> None:
        self.stopped = True


@dataclass
class Held:
    session_id: str = "s"
    feed: str = "bpm"
    lost: bool = False
    check = Lease.check

    def is_lost(self) -> bool:
        return self.lost


@dataclass
class World:
    """Bronze, the broker and Spark, as far as a start asks them; what it does to them is kept."""

    folder: Path
    topic: Topic = field(default_factory=lambda: Topic("bpm", "id-1", {0: 0, 1: 0}, {0: 50, 1: 0}))
    last: Commit | None = None
    offsets: dict[int, int] = field(default_factory=dict)
    gaps: list[dict[int, tuple[int, int]]] = field(default_factory=list)
    topics: list[KnownTopic] = field(default_factory=list)
    started_at: list[dict[int, int]] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    query: Query = field(default_factory=Query)
    lease: Held = field(default_factory=Held)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "bpm"

    def last_commit(self, _: object, __: str, writer_id: str) -> Commit | None:
        return self.last if writer_id == "bpm/0" else None

    def next_offsets(self, *arguments: object) -> dict[int, int]:
        """Of epoch 0, and of later ones nothing."""
        if arguments[-1]:
            return {}
        ends = {p: end for gaps in self.gaps for p, (_, end) in gaps.items()}
        return {**self.offsets, **ends}

    def kafka_stream(self, *_: object, start: dict[int, int], most: int, **__: object) -> str:
        self.started_at.append(dict(start))
        self.most.append(most)
        return "rows"

    def feed(self, options: RunOptions = DRAIN, known: KnownTopic | None = KNOWN) -> FeedRun:
        config = Config(checkpoints=str(self.folder), kafka={"bootstrap.servers": "x:1"})
        lease: Any = self.lease
        (bpm,) = select(["bpm"])
        return FeedRun(config, bpm, lease, known, options, threading.Event(), Telemetry())

    def attempt(self, feed: FeedRun) -> bool:
        spark: Any = None
        return feed._attempt(spark)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(broker, "describe", lambda *_: made.topic)
    monkeypatch.setattr(broker, "topic_id", lambda *_: made.topic.id)
    monkeypatch.setattr(commits, "last_commit", made.last_commit)
    monkeypatch.setattr(progress, "next_offsets", made.next_offsets)
    monkeypatch.setattr(progress, "record_gaps", lambda *args: made.gaps.append(args[-1]))
    monkeypatch.setattr(progress, "record_topic", lambda *args: made.topics.append(args[-1]))
    monkeypatch.setattr(streaming, "start_writing", lambda *_, **__: made.query)
    monkeypatch.setattr(sources, "kafka_stream", made.kafka_stream)
    monkeypatch.setattr(streaming, "_TOPIC_SECONDS", 0.0)
    return made


def test_a_drain_of_what_has_been_read_starts_nothing(world: World) -> None:
    make(world.checkpoint, 4, 4)
    world.last = Commit(QUERY, 4)
    assert world.attempt(world.feed())
    assert world.started_at == []


@pytest.mark.parametrize("last", [None, Commit(QUERY, 2)], ids=["table made anew", "restored"])
def test_a_drain_asks_the_table_before_it_says_that_all_is_read(
    world: World, last: Commit | None
) -> None:
    make(world.checkpoint, 4, 4)
    world.last, world.offsets = last, {0: 20}
    with pytest.raises(IngestionError, match="stopped from outside"):  # the stub reads nothing
        world.attempt(world.feed())
    assert world.started_at == [{0: 20}]


def test_the_first_micro_batch_after_a_start_is_small(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.topic = Topic("bpm", "id-1", {0: 0}, {0: 200_000})
    world.query = Query(ends=False)
    feed = world.feed()
    monkeypatch.setattr(feed.stream, "_report", lambda *_: 0)  # one micro-batch has ended
    assert not world.attempt(feed)
    assert world.query.stopped
    world.query = Query()
    with pytest.raises(IngestionError, match="stopped from outside"):  # the stub reads nothing
        world.attempt(feed)
    assert world.most == [50_000, 2_000_000]


def test_where_little_is_unread_the_query_goes_on_after_its_first_micro_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = world.feed()
    monkeypatch.setattr(feed.stream, "_report", lambda *_: 0)
    with pytest.raises(IngestionError, match="stopped from outside"):
        world.attempt(feed)
    assert not world.query.stopped


@pytest.mark.parametrize(
    ("planned_to", "last", "is_cut"),
    [(90_000, 3, True), (89_999, 3, False), (90_000, 4, False)],
    ids=["large", "small", "in the table"],
)
def test_a_large_micro_batch_that_was_cut_off_is_repeated_in_pieces(
    world: World, planned_to: int, last: int, is_cut: bool
) -> None:
    make(world.checkpoint, 4, 3)
    offsets = world.checkpoint / "offsets" / "4"
    offsets.write_text(offsets.read_text().replace('"0": 50', f'"0": {planned_to}'))
    sum_up(offsets)
    world.last = Commit(QUERY, last)
    world.topic = Topic("bpm", "id-1", {0: 0, 1: 0}, {0: 200_000, 1: 0})
    begin = Path(world.checkpoint / "offsets" / "3")
    begin.write_text(begin.read_text().replace('"0": 40', '"0": 39999'))
    sum_up(begin)
    world.query = Query(ends=True)
    with pytest.raises(IngestionError, match="stopped from outside"):
        world.attempt(world.feed())
    assert bool(list(world.folder.glob("bpm.old-*"))) == is_cut
    assert world.started_at == [{0: 39_999 if last == 3 else planned_to, 1: 0}]


def test_more_read_than_the_topic_has_is_refused(world: World) -> None:
    make(world.checkpoint, 4, 4)
    world.last = Commit(QUERY, 4)
    world.topic = Topic("bpm", "id-1", {0: 0, 1: 0}, {0: 49, 1: 0})
    with pytest.raises(IngestionError, match=r"partition 0: read to 50, ends at 49"):
        world.attempt(world.feed())


def test_a_topic_without_an_id_that_ends_before_what_was_read_is_a_new_one_if_meant(
    world: World,
) -> None:
    make(world.checkpoint, 4, 4)
    world.last = Commit(QUERY, 4)
    world.topic = Topic("bpm", "", {0: 0}, {0: 7})
    feed = world.feed(RunOptions(new_topic=True), KnownTopic("bpm", "", 0))
    with pytest.raises(IngestionError, match="stopped from outside"):
        world.attempt(feed)
    assert world.topics == [KnownTopic("bpm", "", 1)]
    assert world.started_at == [{}]


def test_a_planned_batch_that_expired_is_a_gap(world: World) -> None:
    make(world.checkpoint, 4, 3)  # 40 to 50 was planned, and is not in the table
    world.last, world.offsets = Commit(QUERY, 3), {0: 40}
    world.topic = Topic("bpm", "id-1", {0: 45, 1: 0}, {0: 50, 1: 0})
    with pytest.raises(IngestionError, match="partition 0: 40 to 44"):
        world.attempt(world.feed())
    feed = world.feed(ACCEPT)
    with pytest.raises(IngestionError, match="stopped from outside"):
        world.attempt(feed)
    assert world.gaps == [{0: (40, 45)}]
    assert world.started_at == [{0: 45}]
    assert not world.checkpoint.exists()


def test_all_that_a_partition_lost_before_its_first_row_is_a_gap(world: World) -> None:
    world.topic = Topic("bpm", "id-1", {0: 0, 2: 30}, {0: 0, 2: 40})
    with pytest.raises(IngestionError, match="partition 2: 0 to 29"):
        world.attempt(world.feed())


def test_what_a_topic_lacked_when_it_was_first_met_is_no_gap_later(world: World) -> None:
    world.topic = Topic("bpm", "id-1", {0: 30}, {0: 40})
    for _ in range(2):
        with pytest.raises(IngestionError, match="stopped from outside"):
            world.attempt(world.feed(known=None if not world.topics else world.topics[-1]))
    assert world.gaps == [{0: (0, 30)}]
    assert world.started_at == [{0: 30}, {0: 30}]


def test_a_loss_recorded_twice_is_not_possible(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(world.checkpoint, 4, 4)
    world.last, world.offsets = Commit(QUERY, 4), {0: 50}
    world.topic = Topic("bpm", "id-1", {0: 60, 1: 0}, {0: 60, 1: 0})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(progress, "record_gaps", killed)
        world.attempt(world.feed(ACCEPT))
    assert world.attempt(world.feed(ACCEPT))
    assert world.gaps == [{0: (50, 60)}]


def test_an_accepted_loss_is_accepted_once(world: World) -> None:
    world.offsets = {0: 10}
    world.topic = Topic("bpm", "id-1", {0: 20}, {0: 20})
    feed = world.feed(ACCEPT)
    assert world.attempt(feed)
    world.topic = Topic("bpm", "id-1", {0: 30}, {0: 30})
    with pytest.raises(IngestionError, match="partition 0: 20 to 29"):
        world.attempt(feed)


def test_a_topic_made_anew_stops_the_query(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.query = Query(ends=False)
    monkeypatch.setattr(broker, "topic_id", lambda *_: "id-2")
    monkeypatch.setattr(streaming, "_POLL_SECONDS", 0)
    with pytest.raises(IngestionError, match="created anew"):
        world.attempt(world.feed(RunOptions(continuous=True)))
    assert world.query.stopped


def test_a_drain_looks_at_the_topic_again_at_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "topic_id", lambda *_: "id-2")
    world.topic = Topic("bpm", "id-1", {0: 0}, {0: 0})
    with pytest.raises(IngestionError, match="created anew"):
        world.attempt(world.feed())


def test_a_continuous_query_does_not_end_by_itself(world: World) -> None:
    world.topic = Topic("bpm", "id-1", {0: 0}, {0: 0})
    assert world.attempt(world.feed())
    with pytest.raises(IngestionError, match="stopped from outside"):
        world.attempt(world.feed(RunOptions(continuous=True)))


def test_a_lease_that_was_lost_leaves_the_checkpoint_alone(world: World) -> None:
    make(world.checkpoint, 4, 4)
    world.lease.lost = True
    with pytest.raises(IngestionError, match="lease was revoked"):
        world.attempt(world.feed())
    assert world.checkpoint.exists()


def test_a_topic_that_is_away_for_a_while_is_asked_for_again_once_it_was_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.topic = Topic("bpm", "id-1", {0: 0}, {0: 0})
    feed = world.feed()
    assert world.attempt(feed)

    def away(*_: object) -> Topic:
        raise Unreachable("no topic")

    monkeypatch.setattr(broker, "describe", away)
    monkeypatch.setattr(feed.stop, "wait", lambda _: False)
    assert not world.attempt(feed)
    with pytest.raises(Unreachable):
        world.attempt(world.feed())


def test_continuous_mode_gives_up_after_failures_in_a_row(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = world.feed(RunOptions(continuous=True))
    monkeypatch.setattr(feed.stop, "wait", lambda _: False)
    for _ in range(19):
        assert not feed._pause("disk full")
    with pytest.raises(IngestionError, match="disk full"):
        feed._pause("disk full")


@pytest.mark.parametrize(
    "text",
    [
        "org.apache.hadoop.fs.ChecksumException: Checksum error: file:/c/offsets/3",
        "java.lang.IllegalStateException: Failed to read log file file:/c/offsets/3",
        "java.lang.IllegalStateException: batch 9 doesn't exist (compactInterval: 10)",
    ],
)
def test_a_damaged_checkpoint_is_not_tried_again_and_again(text: str) -> None:
    assert runner._FATAL.search(text)


def test_a_pull_is_counted_and_heeds_the_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(
        checkpoints=str(world.folder), jdbc={"url": "jdbc:x", "gym_logins.table": "logins"}
    )
    lease: Any = world.lease
    telemetry = Telemetry()
    (pulled,) = select(["gym_logins_jdbc"])
    feed = FeedRun(config, pulled, lease, None, DRAIN, threading.Event(), telemetry)

    def pull(_: object, __: object, ___: object, check: Callable[[], None]) -> jdbc.Pull:
        check()
        return jdbc.Pull(7, 1)

    monkeypatch.setattr(jdbc, "pull", pull)
    assert world.attempt(feed)
    metrics = generate_latest(telemetry.registry).decode()
    assert 'fitbit_ingest_rows_total{feed="gym_logins_jdbc"} 7.0' in metrics
    assert telemetry.pending()

    def taken_meanwhile(*arguments: Any) -> jdbc.Pull:
        world.lease.lost = True
        return pull(*arguments)

    monkeypatch.setattr(jdbc, "pull", taken_meanwhile)
    with pytest.raises(IngestionError, match="lease was revoked"):
        world.attempt(feed)


def test_what_cannot_be_written_down_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry()
    telemetry._unwritten = [json]  # type: ignore[list-item]  # no batch: whatever goes wrong

    def session(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(sessions, "session", session)
    runner._write(Config(), telemetry)
    assert "not written down yet" in caplog.text
    assert telemetry.pending()

"""One writer a feed, and what becomes of the query of a writer that died."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestion import lease
from ingestion.feeds import IngestionError
from ingestion.lease import Lease, LeaseHeld, Record
from lakehouse.lease_watchdog import LeaseWatchdog

Owner = tuple["subprocess.Popen[str]", str]


def session(name: str) -> str:
    """A session's id."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


_HOLDER = """
import sys, time
from pathlib import Path
from ingestion.lease import Lease
held = Lease.acquire(Path(sys.argv[1]), "bpm", 10)
print(held.session_id, flush=True)
time.sleep(600)
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    """Another process that holds the lease of bpm; its first line is its session."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path, owner: Owner) -> None:
    process, _ = owner
    with pytest.raises(LeaseHeld, match=rf"bpm.*{process.pid}"):
        Lease.acquire(tmp_path, "bpm", 10)
    with Lease.acquire(tmp_path, "workout", 10) as other:
        assert other.orphans == ()


def test_after_a_kill_the_next_owner_gets_it_at_once_with_the_orphaned_session(
    tmp_path: Path,
    owner: Owner,
) -> None:
    process, session_id = owner
    process.kill()
    process.wait()
    with Lease.acquire(tmp_path, "bpm", 10) as taken:
        assert taken.orphans == (session_id,)
        assert taken.session_id != session_id
        # Were this one killed now, the next would still know of the first.
        record = lease.read(tmp_path / "bpm.json")
        assert record is not None
        assert record.sessions == (taken.session_id, session_id)
        taken.forget_orphans()
        record = lease.read(tmp_path / "bpm.json")
        assert record is not None
        assert record.sessions == (taken.session_id,)


def test_a_lease_given_back_leaves_no_orphan(tmp_path: Path) -> None:
    with Lease.acquire(tmp_path, "bpm", 10):
        assert lease.read(tmp_path / "bpm.json") is not None
    assert lease.read(tmp_path / "bpm.json") is None
    with Lease.acquire(tmp_path, "bpm", 10) as again:
        assert again.orphans == ()


def test_where_no_lock_can_be_opened_the_heartbeat_alone_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a volume, which knows no locks."""

    def unsupported(path: Path, *_: int) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), str(path))

    monkeypatch.setattr("ingestion.lease.os.open", unsupported)
    with Lease.acquire(tmp_path, "bpm", seconds=0.4) as first:
        with pytest.raises(LeaseHeld):
            Lease.acquire(tmp_path, "bpm", seconds=0.4)
        assert not first.is_lost()
    assert not (tmp_path / "bpm.json").exists()


def test_the_heartbeat_beats(tmp_path: Path) -> None:
    path = tmp_path / "bpm.json"
    with Lease.acquire(tmp_path, "bpm", 0.2) as held:
        first = lease.read(path)
        assert first is not None
        _until(lambda: (lease.read(path) or first).beat >= first.beat + 3)
        assert not held.is_lost()


def test_a_revoked_or_overtaken_lease_is_lost_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bpm.json"
    with Lease.acquire(tmp_path, "bpm", 100) as held:
        record = lease.read(path)
        assert record is not None
        lease.write(path, replace(record, revoked=True))
        assert held.is_lost()
        newer = replace(record, sessions=(session("another"),), beat=0)
        lease.write(path, newer)
        assert held.is_lost()
    assert lease.read(path) == newer


def test_an_owner_on_another_host_counts_as_alive_while_its_heart_beats(tmp_path: Path) -> None:
    path = tmp_path / "bpm.json"
    record = Record(
        "bpm", "elsewhere", 1, (session("session"),), "2026-01-01T00:00:00Z", seconds=0.5
    )
    lease.write(path, record)
    ended = threading.Event()

    def beat() -> None:
        number = 0
        while not ended.wait(0.02):
            number += 1
            lease.write(path, replace(record, beat=number))

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with pytest.raises(LeaseHeld, match="elsewhere"):
            Lease.acquire(tmp_path, "bpm", 30)
    finally:
        ended.set()
        heart.join()
    with Lease.acquire(tmp_path, "bpm", 0.3) as taken:
        assert taken.orphans == (session("session"),)


GOOD: dict[str, Any] = {
    "feed": "bpm",
    "host": "elsewhere",
    "pid": 1,
    "sessions": [session("session")],
    "since": "2026-01-01T00:00:00Z",
}
BAD: list[str] = [
    "",
    "{",
    "[]",
    '"text"',
    "null",
    "[" * 30_000,
    "{}",
    *(
        json.dumps({**GOOD, name: value})
        for name, value in (
            ("sessions", []),
            ("sessions", "text"),
            ("sessions", ["no uuid"]),
            ("sessions", [1]),
            ("sessions", {}),
            ("seconds", "ten"),
            ("seconds", float("nan")),
            ("seconds", 1e300),
            ("seconds", -1),
            ("pid", "1"),
            ("beat", None),
            ("revoked", "no"),
            ("host", "\x1b[2J"),
            ("host", None),
            ("more", 1),
        )
    ),
]


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:100])
def test_a_bad_lease_file_is_no_lease_and_nobody_elses_concern(tmp_path: Path, text: str) -> None:
    assert lease.read(tmp_path / "good.json") is None
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    assert lease.read(tmp_path / "good.json") is not None
    (tmp_path / "bpm.json").write_text(text)
    assert lease.read(tmp_path / "bpm.json") is None
    stopper = Stopper()
    watchdog = LeaseWatchdog(tmp_path, "sc://x", stop_queries=stopper)
    watchdog.look(now=100.0)
    watchdog.look(now=111.0)
    assert stopper.stopped == [session("session")]
    with Lease.acquire(tmp_path, "bpm", 10) as taken:
        assert taken.orphans == ()


@pytest.mark.parametrize("name", ["bpm.json", "bpm.lock"])
def test_a_lease_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(IngestionError, match=rf"Feed bpm: its lease .*{name} cannot be written"):
        Lease.acquire(tmp_path, "bpm", 10)
    with Lease.acquire(tmp_path, "workout", 10):
        pass


class Stopper:
    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.fails = False

    def __call__(self, remote: str, session_id: str) -> int:
        if self.fails:
            raise ConnectionError(remote)
        self.stopped.append(session_id)
        return 1


def test_the_watchdog_stops_the_queries_of_a_silent_owner(tmp_path: Path) -> None:
    stopper = Stopper()
    watchdog = LeaseWatchdog(tmp_path, "sc://x", stop_queries=stopper)
    path = tmp_path / "bpm.json"
    record = Record(
        "bpm", "here", 1, (session("session"), session("older")), "2026-01-01T00:00:00Z"
    )
    lease.write(path, record)
    watchdog.look(now=100.0)
    watchdog.look(now=109.9)
    lease.write(path, replace(record, beat=1))
    watchdog.look(now=111.0)
    watchdog.look(now=120.9)
    assert stopper.stopped == []
    stopper.fails = True
    watchdog.look(now=121.0)
    stopper.fails = False
    assert json.loads(path.read_text())["revoked"]
    watchdog.look(now=122.0)
    watchdog.look(now=140.0)
    assert stopper.stopped == [session("session"), session("older")]
    assert not path.exists()


def test_the_watchdog_has_as_much_patience_as_the_lease_asks_for(tmp_path: Path) -> None:
    stopper = Stopper()
    watchdog = LeaseWatchdog(tmp_path, "sc://x", stop_queries=stopper)
    record = Record("bpm", "here", 1, (session("session"),), "2026-01-01T00:00:00Z", seconds=60)
    lease.write(tmp_path / "bpm.json", record)
    watchdog.look(now=0.0)
    watchdog.look(now=59.0)
    assert stopper.stopped == []
    watchdog.look(now=60.0)
    assert stopper.stopped == [session("session")]


def test_the_watchdog_leaves_an_owner_alone_that_is_only_slow(tmp_path: Path) -> None:
    stopper = Stopper()
    watchdog = LeaseWatchdog(tmp_path, "sc://x", stop_queries=stopper)
    with Lease.acquire(tmp_path, "bpm", 100) as held:
        watchdog.look(now=0.0)
        watchdog.look(now=1000.0)
        assert not held.is_lost()
    assert stopper.stopped == []


def test_one_session_that_hangs_does_not_keep_the_watchdog_from_the_others(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def stop(remote: str, session_id: str) -> int:
        both.wait(20)  # passes only if the other one is being stopped, too
        return 1

    watchdog = LeaseWatchdog(tmp_path, "sc://x", stop_queries=stop)
    for feed in ("bpm", "workout"):
        lease.write(
            tmp_path / f"{feed}.json", Record(feed, "here", 1, (session(feed),), "2026-01-01")
        )
    watchdog.look(now=0.0)
    watchdog.look(now=10.0)
    assert not list(tmp_path.glob("*.json"))


def test_a_beat_does_not_bring_back_a_lease_that_was_given_back(tmp_path: Path) -> None:
    for _ in range(20):
        with Lease.acquire(tmp_path, "bpm", 0.004):
            time.sleep(0.01)
    time.sleep(0.05)
    assert not (tmp_path / "bpm.json").exists()


def test_the_watchdog_leaves_a_new_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "bpm.json"
    old = Record("bpm", "here", 1, (session("old"),), "2026-01-01T00:00:00Z")
    new = replace(old, pid=2, sessions=(session("new"),))

    def taken_over_meanwhile(remote: str, session_id: str) -> int:
        lease.write(path, new)
        return 0

    watchdog = LeaseWatchdog(tmp_path, "sc://x", stop_queries=taken_over_meanwhile)
    lease.write(path, old)
    watchdog.look(now=0.0)
    watchdog.look(now=10.0)
    assert lease.read(path) == new


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

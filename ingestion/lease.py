"""One writer a feed: a lease file with a heartbeat.

`leases/<feed>.json` names the owner and its Spark Connect session. A streaming query survives the
death of its client, so whoever finds a lease without a heartbeat first stops the queries of that
session: the next owner at its start, or the workspace's watchdog.

On one host a lock on `leases/<feed>.lock`, which ends with its process, tells at once that an owner
is gone. Elsewhere (a Unity Catalog volume) its heartbeat is watched for a while: no two clocks are
compared.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ingestion.config import Config
from ingestion.feeds import IngestionError

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 16
_MOST_SECONDS = 86_400.0


class LeaseHeld(IngestionError):
    """Another process ingests this feed."""


@dataclass(frozen=True)
class Record:
    """What a lease file says. `beat` grows while the owner lives; `since` is for people.

    `sessions`: the owner's Spark session, then those of former owners whose queries may still run.
    `seconds`: for how long the heartbeat may stand still, by the owner's settings.
    """

    feed: str
    host: str
    pid: int
    sessions: tuple[str, ...]
    since: str
    beat: int = 0
    revoked: bool = False
    seconds: float = 10.0


def read(path: Path) -> Record | None:
    """The record of a lease file, or None if there is none, or it says what no owner wrote.

    Such a file counts as no lease, so that it cannot get in the way of the others.
    """
    try:
        if not path.is_file():  # a pipe would be read for ever
            return None
        with path.open("rb") as file:
            content = json.loads(file.read(_MOST_BYTES))
        record = Record(**{**content, "sessions": tuple(content["sessions"])})
        sound = _is_sound(record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if sound else None


def _is_sound(record: Record) -> bool:
    """Raises ValueError, TypeError or AttributeError where types are wrong altogether."""
    for session in record.sessions:
        uuid.UUID(session)
    return (
        all(text.isprintable() for text in (record.feed, record.host, record.since))
        and all(type(number) is int for number in (record.pid, record.beat))
        and type(record.revoked) is bool
        and 0 < record.seconds <= _MOST_SECONDS
        and len(record.sessions) > 0
    )


def write(path: Path, record: Record) -> None:
    """Replace the file whole: a reader sees the old record or the new one."""
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(asdict(record)))
    partial.replace(path)


class Lease:
    """Held from `acquire` to the end of the `with` block, unless it is lost meanwhile."""

    def __init__(self, path: Path, record: Record, lock: int | None) -> None:
        self._path = path
        self._record = record
        self._lock = lock
        self._ended = threading.Event()
        self._writing = threading.Lock()

    @property
    def feed(self) -> str:
        return self._record.feed

    @property
    def session_id(self) -> str:
        return self._record.sessions[0]

    @property
    def orphans(self) -> tuple[str, ...]:
        """Sessions of owners that ended without giving the lease back."""
        return self._record.sessions[1:]

    @classmethod
    def acquire(cls, folder: Path, feed: str, seconds: float) -> Lease:
        """Take the lease of a feed.

        Raises LeaseHeld if its owner lives, IngestionError if its files cannot be written.
        `seconds`: for how long this owner's heartbeat may stand still.
        """
        try:
            return cls._acquire(folder, feed, seconds)
        except OSError as error:
            raise IngestionError(
                f"Feed {feed}: its lease {error.filename2 or error.filename} cannot be written "
                f"({error.strerror}): mend or remove that file."
            ) from error

    @classmethod
    def _acquire(cls, folder: Path, feed: str, seconds: float) -> Lease:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{feed}.json"
        lock = _opened(folder / f"{feed}.lock")
        try:
            locked = _lock(lock, attempts=10)  # the watchdog holds it for an instant
            old = read(path)
            host = platform.node()
            if locked is False or (
                old is not None and not (locked and old.host == host) and _beats(path, old)
            ):
                raise LeaseHeld(_held(feed, old))
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            sessions = (str(uuid.uuid4()), *(old.sessions if old else ()))
            record = Record(feed, host, os.getpid(), sessions, now, seconds=seconds)
            write(path, record)
        except BaseException:
            _close(lock)
            raise
        lease = cls(path, record, lock)
        threading.Thread(
            target=lease._beat, args=(seconds / 4,), name=f"lease-{feed}", daemon=True
        ).start()
        return lease

    def is_lost(self) -> bool:
        """Whether someone took the heartbeat for dead and revoked the lease or took it over."""
        now = read(self._path)
        return now is None or now.revoked or now.sessions[0] != self.session_id

    def check(self) -> None:
        """Raise IngestionError if another process may have the feed by now."""
        if self.is_lost():
            raise IngestionError(
                f"Feed {self.feed}: the lease was revoked, since its heartbeat stood still "
                "(was the machine suspended?). Start ingestion again; it resumes where it was."
            )

    def forget_orphans(self) -> None:
        """To be called when their queries have stopped."""
        with self._writing:
            self._record = replace(self._record, sessions=self._record.sessions[:1])
            write(self._path, self._record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Let others take it. May be called again."""
        with self._writing:  # no beat may bring the file back
            if self._ended.is_set():
                return
            self._ended.set()
            if not self.is_lost():
                self._path.unlink(missing_ok=True)
        _close(self._lock)

    def _beat(self, every: float) -> None:
        while not self._ended.wait(every):
            with self._writing:
                if self._ended.is_set() or self.is_lost():
                    return
                self._record = replace(self._record, beat=self._record.beat + 1)
                try:
                    write(self._path, self._record)
                except OSError as error:  # a full disk: the next beat may succeed
                    log.warning("feed=%s heartbeat failed: %s", self._record.feed, error.strerror)


def _opened(path: Path) -> int | None:
    """The file that carries the lock; None where none can be opened for that, as on a volume."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except (IsADirectoryError, PermissionError):
        raise
    except OSError:
        return None


def _close(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)


def _lock(handle: int | None, attempts: int) -> bool | None:
    """True if the lock is ours, False if another process has it, None if there are no locks."""
    if handle is None:
        return None
    for attempt in range(attempts):
        if attempt:
            time.sleep(0.1)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            continue
        except OSError:
            return None
    return False


@contextmanager
def held(config: Config, feeds: Sequence[str]) -> Iterator[list[Lease]]:
    """The leases of these feeds for the length of the block: nobody else ingests them.

    What earlier owners left running is stopped first. Raises LeaseHeld if one of them lives.
    """
    from ingestion import sessions  # Spark's client takes a second to import

    with ExitStack() as stack:
        acquire = Lease.acquire
        leases = [
            stack.enter_context(acquire(Path(config.leases), feed, config.lease_seconds))
            for feed in feeds
        ]
        for lease in leases:
            for orphan in lease.orphans if config.spark_remote else ():
                stopped = sessions.stop_queries(config.spark_remote, orphan)
                log.info("feed=%s taken over, %d orphaned query stopped", lease.feed, stopped)
            lease.forget_orphans()
        yield leases


@contextmanager
def unowned(path: Path) -> Iterator[bool]:
    """Whether no process on this host has the lease of this file; none takes it in the block.

    True, too, where there are no locks: then the heartbeat alone tells.
    """
    handle = _opened(path.with_suffix(".lock"))
    try:
        yield _lock(handle, attempts=1) is not False
    finally:
        _close(handle)


def _beats(path: Path, old: Record) -> bool:
    seconds = old.seconds
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = read(path)
        if now is None:
            return False
        if now != old:
            return not now.revoked
        time.sleep(min(0.5, seconds / 10))
    return False


def _held(feed: str, record: Record | None) -> str:
    owner = f"process {record.pid} on {record.host} since {record.since}" if record else "another"
    return f"Feed {feed} is being ingested by {owner}: stop that process, or leave it to its work."

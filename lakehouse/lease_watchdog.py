"""Stops streaming queries whose ingestion process died: a query outlives its Connect client.

A thread of the SQL endpoint's process. It watches `leases/<feed>.json`; one whose heartbeat stands
still for longer than it says (10 s by default), and whose owner does not run, is revoked and its
session's queries are stopped: so within 15 s of the death.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ingestion import lease
from ingestion.lease import Record
from lakehouse.home import Home

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0


class LeaseWatchdog(threading.Thread):
    """`stop_queries` stops what runs in a Connect session (default: by the client, through
    `remote`) and raises if it cannot; then it is tried again at the next look.
    """

    def __init__(
        self,
        leases: Path,
        remote: str,
        *,
        look_seconds: float = _LOOK_SECONDS,
        stop_queries: Callable[[str, str], int] | None = None,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._leases = leases
        self._remote = remote
        self._look_seconds = look_seconds
        self._stop_queries = stop_queries or _stop_queries
        self._ended = threading.Event()
        # Last record of each lease, and when (monotonic seconds) it was first seen like that.
        self._seen: dict[Path, tuple[Record, float]] = {}

    def run(self) -> None:
        while not self._ended.wait(self._look_seconds):
            try:
                self.look(time.monotonic())
            except Exception as error:
                log.warning("watchdog: %s: %s", type(error).__name__, str(error)[:200])

    def end(self) -> None:
        """Ask the thread to end; `join` waits for it."""
        self._ended.set()

    def look(self, now: float) -> None:
        """Check all leases once, at monotonic time `now`."""
        records = {path: lease.read(path) for path in self._leases.glob("*.json")}
        self._seen = {path: seen for path, seen in self._seen.items() if records.get(path)}
        silent: list[tuple[Path, Record]] = []
        for path, record in records.items():
            if record is None:
                continue
            before, since = self._seen.get(path, (None, now))
            if record != before:
                self._seen[path] = (record, now)
            elif now - since >= record.seconds or record.revoked:
                silent.append((path, record))
        if silent:  # side by side: all feeds of one process die at once
            with ThreadPoolExecutor(len(silent)) as pool:
                list(pool.map(self._clear, *zip(*silent, strict=True)))

    def _clear(self, path: Path, record: Record) -> None:
        revoked = replace(record, revoked=True)
        try:
            with lease.unowned(path) as free:
                if not free or lease.read(path) != record:  # slow, or another one by now
                    return
                # Revoked first: an owner that was only slow must not take its query's end for
                # success.
                lease.write(path, revoked)
            stopped = sum(self._stop_queries(self._remote, session) for session in record.sessions)
            with lease.unowned(path) as free:
                if free and lease.read(path) == revoked:  # else somebody has taken it over
                    path.unlink(missing_ok=True)
        except Exception as error:  # tried again at the next look
            log.warning("watchdog: %s: %s", type(error).__name__, str(error)[:200])
            return
        log.warning("watchdog: feed %s had no owner, %d query stopped", record.feed, stopped)


def start(home: Home) -> LeaseWatchdog:
    """Watch the leases of a workspace for as long as this process runs."""
    watchdog = LeaseWatchdog(home.leases, home.connect_url)
    watchdog.start()
    return watchdog


def _stop_queries(remote: str, session_id: str) -> int:
    # Spark's client takes a second to import, and most workspaces never need it here.
    from ingestion.sessions import stop_queries

    return stop_queries(remote, session_id)

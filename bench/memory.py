"""Resident memory of every process that takes part, sampled each half second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from lakehouse import processes
from lakehouse.client import Workspace
from lakehouse.workspace import PARTS

_SECONDS = 0.5
# What a child of the bench is called, by a word of its command line; the first that fits.
_CHILDREN = (
    *(("bench.batch", "duckdb"), ("bench.hand_written", "consumer")),
    *(("ingest", "ingest"), ("/dbt", "dbt")),
)


@contextmanager
def peak_memory(*workspaces: Workspace) -> Iterator[dict[str, int]]:
    """Of what runs while the block does: MiB by process (spark, kafka, endpoint, dbt, ...)."""
    peaks: dict[str, int] = {}
    ended = threading.Event()

    def note(name: str, size: int) -> None:
        peaks[name] = max(peaks.get(name, 0), size >> 20)

    def sample() -> None:
        while not ended.wait(_SECONDS):
            for workspace in workspaces:
                for part in PARTS:
                    if running := processes.find(workspace.home, part):
                        note(part, running.memory_bytes())
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    command = " ".join(child.cmdline())
                    if label := next((label for word, label in _CHILDREN if word in command), ""):
                        note(label, child.memory_info().rss)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peaks
    finally:
        ended.set()
        sampler.join()

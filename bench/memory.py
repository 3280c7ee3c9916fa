"""Resident memory of every process that takes part, sampled each half second."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

from local import processes, workspace
from local.client import Workspace

_SECONDS = 0.5
# What a child of the bench is called, by a word of its command line; the first that fits.
_CHILDREN = (
    *(("bench.batch", "duckdb"), ("bench.hand_written", "consumer")),
    *(("ingest", "ingest"), ("/dbt", "dbt")),
)


class PeakMemory:
    """Use as a context manager; `peaks` are MiB by process: spark, kafka, endpoint, dbt, ..."""

    def __init__(self, *spaces: Workspace) -> None:
        self.peaks: dict[str, int] = {}
        self._spaces = spaces
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS):
            for space in self._spaces:
                for part in workspace.PARTS:
                    running = processes.find(space.home, part)
                    if running is not None:
                        self._note(part, running.memory_bytes())
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    command = " ".join(child.cmdline())
                    label = next((label for word, label in _CHILDREN if word in command), None)
                    if label:
                        self._note(label, child.memory_info().rss)

    def _note(self, name: str, size: int) -> None:
        self.peaks[name] = max(self.peaks.get(name, 0), size >> 20)

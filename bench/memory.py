"""Resident memory of every process that takes part, sampled each half second."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import psutil

from local import processes, workspace
from tests.support import Workspace

_SECONDS = 0.5
# What a child of the bench is called, by a word of its command line; the first that fits.
_CHILDREN = (
    ("bench.batch", "duckdb"),
    ("bench.hand_written", "hand_written"),
    ("ConsumerPerformance", "raw_consumer"),
    ("ingest", "ingest"),
    ("/dbt", "dbt"),
)


class PeakMemory:
    """Use as a context manager; `peaks` are MiB by process: spark, kafka, endpoint, dbt, ...

    `by_minute` has the peak of each minute, 0 where there was no such process: whether memory grows
    while the work stays the same. With several workspaces (of their `names`) the parts are called
    spark_<name> and so on.
    """

    def __init__(self, *spaces: Workspace, names: tuple[str, ...] = ("",)) -> None:
        self.peaks: dict[str, int] = {}
        self.by_minute: dict[str, list[int]] = {}
        self._started = time.monotonic()
        self._spaces = dict(zip(names, spaces, strict=True))
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
            self._sample()

    def _sample(self) -> None:
        for name, space in self._spaces.items():
            for part in workspace.PARTS:
                running = processes.find(space.home, part)
                if running is not None:
                    self._note(f"{part}_{name}" if name else part, running.memory_bytes())
        bench = psutil.Process()
        self._note("bench", bench.memory_info().rss)
        for child in bench.children(recursive=True):
            try:
                command = " ".join(child.cmdline())
                label = next((label for word, label in _CHILDREN if word in command), None)
                if label:
                    self._note(label, child.memory_info().rss)
            except psutil.Error:
                continue

    def _note(self, name: str, size: int) -> None:
        mib = size >> 20
        self.peaks[name] = max(self.peaks.get(name, 0), mib)
        minute = int((time.monotonic() - self._started) // 60)
        series = self.by_minute.setdefault(name, [])
        series += [0] * (minute + 1 - len(series))
        series[minute] = max(series[minute], mib)

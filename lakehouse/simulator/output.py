"""Where a simulation goes: to Kafka and the landing zone, or to a folder of files."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from lakehouse import kafka
from lakehouse.envelopes import to_line
from lakehouse.home import TOPICS, Home, WorkspaceError
from lakehouse.landing import land_bytes
from lakehouse.producer import Publisher, PublishError
from lakehouse.simulator.drops import make_drops
from lakehouse.simulator.settings import Settings
from lakehouse.simulator.stream import Simulation, Tally
from lakehouse.workspace import require_own

Progress = Callable[[int], object]
Broker = Mapping[str, Any]
"""Options of kafka-python that lead to it."""

_LINES_A_FILE = 500_000


def publish(
    simulation: Simulation,
    home: Home,
    *,
    bootstrap: str | None = None,
    allow_remote: bool = False,
    processes: int = 1,
    progress: Progress = lambda _: None,
) -> Tally:
    """Publish the topics and land the files. Raises PublishError and WorkspaceError."""
    if not bootstrap:
        require_own(home, "kafka")
    broker = {"bootstrap_servers": bootstrap} if bootstrap else kafka.client_options(home)
    tally = Tally()
    if processes == 1:
        _publish_part(simulation, broker, allow_remote, 0, 1, tally, progress)
    else:
        _publish_parts(simulation.settings, broker, allow_remote, processes, tally, progress)
    for drop in make_drops(simulation.settings, simulation.members, tally):
        land_bytes(home, drop.feed, drop.name, drop.content, drop.written_ms)
    return tally


def _publish_part(
    simulation: Simulation,
    broker: Broker,
    allow_remote: bool,
    part: int,
    parts: int,
    tally: Tally,
    progress: Progress,
) -> None:
    with Publisher(broker, TOPICS, allow_remote=allow_remote, on_acknowledged=progress) as to:
        for block in simulation.blocks(part, parts, tally):
            to.send(block)
        acknowledged = to.flush()
    if acknowledged != tally.sent.total():
        raise PublishError(
            f"{tally.sent.total()} events were sent and {acknowledged} acknowledged.", acknowledged
        )


def _worker(
    pipe: Connection, settings: Settings, broker: Broker, allow_remote: bool, part: int, parts: int
) -> None:
    """A process with its own producer; reports counts, then its tally or its fault."""
    tally = Tally()
    try:
        simulation = Simulation(settings)
        _publish_part(simulation, broker, allow_remote, part, parts, tally, pipe.send)
    except (PublishError, WorkspaceError) as error:
        pipe.send(str(error))
    except KeyboardInterrupt:
        pipe.send("Interrupted.")
    else:
        pipe.send(tally)
    finally:
        pipe.close()


def _publish_parts(
    settings: Settings,
    broker: Broker,
    allow_remote: bool,
    processes: int,
    tally: Tally,
    progress: Progress,
) -> None:
    acknowledged = 0
    with _workers(settings, broker, allow_remote, processes) as pipes:
        while pipes:
            for ready in wait(pipes):
                assert isinstance(ready, Connection)
                try:
                    message = ready.recv()
                except EOFError:
                    message = "A publishing process ended unexpectedly."
                if isinstance(message, int):
                    acknowledged += message
                    progress(message)
                    continue
                pipes.remove(ready)
                if isinstance(message, str):
                    total = f" In all: {acknowledged}." if acknowledged else ""
                    raise PublishError(message + total, acknowledged)
                tally.add(message)


@contextmanager
def _workers(
    settings: Settings, broker: Broker, allow_remote: bool, count: int
) -> Iterator[list[Connection]]:
    """Processes that publish one part each; none of them outlives the block."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    try:
        for part in range(count):
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(
                target=_worker,
                args=(sending, settings, broker, allow_remote, part, count),
                daemon=True,
            )
            process.start()
            # Else the end of the process would not be seen as the end of the pipe.
            sending.close()
            processes.append(process)
            pipes.append(receiving)
        yield pipes
    finally:
        for process in processes:
            if pipes:
                process.terminate()
            process.join()


def write(simulation: Simulation, folder: Path, *, progress: Progress = lambda _: None) -> Tally:
    """Write `envelopes-*.json`, the files of both feeds and `manifest.json` into `folder`.

    Raises WorkspaceError if the folder holds something already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise WorkspaceError(f"{folder} is not empty: give --out a new folder.")
    settings = simulation.settings
    tally = Tally()
    lines = _Lines(folder, odd=settings.dirty > 0)
    try:
        for block in simulation.blocks(0, 1, tally):
            for envelope in block:
                lines.write(to_line(envelope))
            progress(len(block))
    finally:
        lines.close()
    for drop in make_drops(settings, simulation.members, tally):
        (folder / drop.name).write_bytes(drop.content)
    (folder / "manifest.json").write_text(json.dumps(manifest(settings, tally), indent=1) + "\n")
    return tally


class _Lines:
    """Envelope files of at most 500,000 lines; with dirt they too have marks, CRLF and blanks."""

    def __init__(self, folder: Path, *, odd: bool) -> None:
        self._folder, self._odd = folder, odd
        self._count = 0
        self._file: Any = None

    def write(self, line: str) -> None:
        number, within = divmod(self._count, _LINES_A_FILE)
        if within == 0:
            self.close()
            path = self._folder / f"envelopes-{number + 1:04d}.json"
            self._file = path.open("w", encoding="utf-8", newline="")
            if self._odd:
                self._file.write("\ufeff")
        crlf = self._odd and self._count % 1000 == 7
        self._file.write(line + ("\r\n\r\n" if crlf else "\n"))
        self._count += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def manifest(settings: Settings, tally: Tally) -> dict[str, object]:
    """What a test may hold a lakehouse to: counts of records, of bad ones by reason, of dirt."""
    rejected: dict[str, dict[str, int]] = {}
    for (feed, reason), count in sorted(tally.rejected.items()):
        rejected.setdefault(feed, {})[reason] = count
    return {
        "settings": {
            k: v if isinstance(v, int | float) else v and str(v)
            for k, v in asdict(settings).items()
        },
        "records": dict(sorted(tally.sent.items())),
        "rejected": rejected,
        "dirt": dict(sorted(Counter(tally.dirt).items())),
    }

"""Child processes that outlive the command which starts them, and are found again by pid files.

A pid alone proves nothing: after a crash the system may have given it to another program. So a
pid file also holds the start time of the process, and every process of a workspace carries
LAKEHOUSE_PART and LAKEHOUSE_HOME in its environment. Only what matches is ever signalled.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from lakehouse import class_archive
from lakehouse.home import Home, WorkspaceError

# Clock ticks are 10 ms; a pid cannot be reused within this time.
_START_TOLERANCE_SECONDS = 0.05


@dataclass(frozen=True)
class Command:
    """What to run for a part of the workspace, and in what environment (added to the caller's)."""

    part: str
    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A live process of a workspace; `settings` tells with which settings it was started."""

    part: str
    pid: int
    started: float
    settings: str = ""

    def memory_bytes(self) -> int:
        """Resident memory of the process and its children, 0 if it has gone."""
        try:
            process = psutil.Process(self.pid)
            own, total = process.cmdline(), process.memory_info().rss
            children = process.children(recursive=True)
        except psutil.Error:
            return 0
        for child in children:
            try:
                # One that is about to become another program shares its parent's memory.
                if child.cmdline() != own:
                    total += child.memory_info().rss
            except psutil.Error:
                continue
        return total


def find(home: Home, part: str) -> Running | None:
    """The live process that the pid file names; a stale file is removed."""
    path = _pid_file(home, part)
    try:
        content = json.loads(path.read_text())
        running = Running(
            part,
            int(content["pid"]),
            float(content["started"]),
            str(content["settings"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return None
    if _is_alive(running):
        return running
    path.unlink(missing_ok=True)
    return None


def start(home: Home, command: Command, settings: str = "") -> Running:
    """Start a part detached from this terminal, its output in `logs/<part>.out`."""
    environment = {
        **os.environ,
        **home.environment(),
        **command.environment,
        "LAKEHOUSE_PART": command.part,
    }
    output = home.logs / f"{command.part}.out"
    with output.open("ab") as stream:
        child = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    # Reaped when it ends while this command still waits for it; else init does so.
    _children[child.pid] = child
    try:
        started = psutil.Process(child.pid).create_time()
    except psutil.Error as error:
        raise WorkspaceError(f"{command.part} ended at once: see {output}.") from error
    running = Running(command.part, child.pid, started, settings)
    _write(
        _pid_file(home, command.part),
        {"pid": child.pid, "started": started, "settings": settings},
    )
    return running


_children: dict[int, subprocess.Popen[bytes]] = {}


def is_alive(running: Running) -> bool:
    """Whether that very process runs (a zombie does not)."""
    return _is_alive(running)


def _is_alive(running: Running) -> bool:
    child = _children.get(running.pid)
    if child is not None and child.poll() is not None:
        return False
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.started) < _START_TOLERANCE_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def leftovers(home: Home, part: str) -> list[psutil.Process]:
    """Live processes of this home and part, whether or not a pid file names them.

    The workers of a killed JVM are among them, and a process whose starter was killed before it
    wrote the pid file.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if (
            environment.get("LAKEHOUSE_PART") == part
            and environment.get("LAKEHOUSE_HOME") == str(home.root)
            and process.pid != os.getpid()
        ):
            found.append(process)
    return found


def stop(home: Home, part: str, patience: float = 20.0) -> bool:
    """End a part and what is left of it: TERM, wait `patience` seconds, KILL.

    Returns whether anything ran. The pid file is gone afterwards.
    """
    if class_archive.is_superfluous(home, part):
        # Its end in order would take half a minute for nothing; it must stand being killed anyway.
        patience = 0.0
    elif class_archive.is_due(home, part):
        patience += class_archive.DUMP_PATIENCE_SECONDS
    running = find(home, part)
    victims: dict[int, psutil.Process] = {}
    if running is not None:
        with suppress(psutil.NoSuchProcess):
            victims[running.pid] = psutil.Process(running.pid)
    # The main process first, so that it can end its workers in order.
    in_order = _end(victims.values(), patience)
    rest = leftovers(home, part)
    _end(rest, patience)
    class_archive.keep(home, part, ended_in_order=bool(victims) and in_order)
    _pid_file(home, part).unlink(missing_ok=True)
    return bool(victims or rest)


def _end(processes: Iterable[psutil.Process], patience: float) -> bool:
    """Whether all ended by themselves when asked to."""
    waiting = list(processes)
    for process in waiting:
        _signal(process, kill=False)
    _, alive = _wait(waiting, patience)
    for process in alive:
        _signal(process, kill=True)
    _wait(alive, 10.0)
    return not alive


def _wait(
    processes: list[psutil.Process], seconds: float
) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Split into (gone, alive); a zombie, which waits for its parent, counts as gone."""
    deadline = time.monotonic() + seconds
    alive = processes
    while True:
        for process in alive:
            child = _children.get(process.pid)
            if child is not None:
                child.poll()
        alive = [p for p in alive if p.is_running() and _status(p) != psutil.STATUS_ZOMBIE]
        if not alive or time.monotonic() > deadline:
            return [p for p in processes if p not in alive], alive
        time.sleep(0.05)


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


def _signal(process: psutil.Process, *, kill: bool) -> None:
    # psutil compares the start time again before it sends a signal.
    with suppress(psutil.NoSuchProcess):
        if kill:
            process.kill()
        else:
            process.terminate()


@contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Only one command at a time changes the processes of a home; others wait for it."""
    with (home.run / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _pid_file(home: Home, part: str) -> Path:
    return home.run / f"{part}.json"


def _write(path: Path, content: dict[str, object]) -> None:
    """Write whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)

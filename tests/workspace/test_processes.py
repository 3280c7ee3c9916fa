"""Pid files: only the very process that was started is ever signalled."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lakehouse import processes
from lakehouse.home import Home
from lakehouse.processes import Command
from tests.support import until

SLEEPS = (sys.executable, "-c", "import time; time.sleep(300)")
# Ignores TERM, and says when it does.
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ready', flush=True); time.sleep(300)",
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path, 4000)
    home.create()
    try:
        yield home
    finally:
        for part in ("kafka", "spark"):
            processes.stop(home, part, patience=0.1)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEPS)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pid_file(home: Home, pid: int, started: float) -> Path:
    path = home.run / "kafka.json"
    path.write_text(json.dumps({"pid": pid, "started": started, "settings": ""}))
    return path


def test_start_find_stop(home: Home) -> None:
    running = processes.start(home, Command("kafka", SLEEPS, home.root), "v1")
    assert processes.find(home, "kafka") == running
    assert running.settings == "v1"
    # One that has just become another program holds next to nothing for an instant.
    until(lambda: running.memory_bytes() > 1_000_000)
    assert processes.stop(home, "kafka")
    assert processes.find(home, "kafka") is None
    assert not psutil.pid_exists(running.pid) or not processes.is_alive(running)
    assert not processes.stop(home, "kafka")
    assert running.memory_bytes() == 0


def test_a_pid_that_now_belongs_to_another_program_is_left_alone(
    home: Home, stranger: subprocess.Popen[bytes]
) -> None:
    path = pid_file(home, stranger.pid, psutil.Process(stranger.pid).create_time() - 3600)
    assert processes.find(home, "kafka") is None
    assert not path.exists()
    pid_file(home, stranger.pid, psutil.Process(stranger.pid).create_time() - 3600)
    assert not processes.stop(home, "kafka")
    assert stranger.poll() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_torn_pid_file_is_no_process(home: Home, content: str) -> None:
    path = home.run / "kafka.json"
    path.write_text(content)
    assert processes.find(home, "kafka") is None
    assert not path.exists()


def test_a_process_without_its_pid_file_is_found_and_stopped(home: Home) -> None:
    """As after a kill between the start and the writing of the file."""
    running = processes.start(home, Command("kafka", SLEEPS, home.root))
    (home.run / "kafka.json").unlink()
    assert [p.pid for p in processes.leftovers(home, "kafka")] == [running.pid]
    assert processes.leftovers(home, "spark") == []
    assert processes.leftovers(Home(home.root / "other", 4000), "kafka") == []
    assert processes.stop(home, "kafka")
    assert not processes.is_alive(running)


def test_what_ignores_term_is_killed(home: Home) -> None:
    running = processes.start(home, Command("kafka", STUBBORN, home.root))
    output = home.logs / "kafka.out"
    deadline = time.monotonic() + 30
    while "ready" not in output.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes.stop(home, "kafka", patience=0.3)
    assert not processes.is_alive(running)


def test_only_one_command_at_a_time(home: Home) -> None:
    code = (
        "from pathlib import Path\n"
        "from lakehouse import processes\n"
        "from lakehouse.home import Home\n"
        f"with processes.exclusive(Home(Path({str(home.root)!r}), 4000)): print('in', flush=True)"
    )
    with processes.exclusive(home):
        waiting = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.communicate(timeout=1.5)
    assert waiting.communicate(timeout=60)[0] == b"in\n"

"""The archive of a JVM's classes: left by the first that ends in order, used by the next."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lakehouse import class_archive, processes
from lakehouse.home import Home
from lakehouse.java import Java
from lakehouse.processes import Command
from tests.support import until

# Stands in for a JVM: writes its archive when it is asked to end, if `$1` is a file to write.
DUMPS = (
    "import signal, sys, time\n"
    "def end(*_):\n"
    "    open(sys.argv[1], 'w').write('classes'); sys.exit()\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "print('ready', flush=True); time.sleep(300)"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    home = Home(tmp_path / "home", 4000)
    home.create()
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "a.jar").write_text("a")
    return home


def options(home: Home) -> str:
    jars = home.root.parent / "jars"
    return class_archive.options(home, "spark", Java(Path("/java"), 17), [f"{jars}/*"])[0]


def run_until_asked(home: Home, *, by_force: bool) -> None:
    fresh = options(home).removeprefix("-XX:ArchiveClassesAtExit=")
    running = processes.start(
        home, Command("spark", (sys.executable, "-c", DUMPS, fresh), home.root)
    )
    output = home.logs / "spark.out"
    while "ready" not in output.read_text():
        assert processes.is_alive(running)
        time.sleep(0.02)
    if by_force:
        os.kill(running.pid, 9)
        while processes.is_alive(running):
            time.sleep(0.01)
        Path(fresh).write_text("half of the cla")
    assert processes.stop(home, "spark") is not by_force
    output.unlink()


def test_the_first_run_leaves_the_archive_and_the_next_uses_it(home: Home) -> None:
    run_until_asked(home, by_force=False)
    option = options(home)
    assert option.startswith("-XX:SharedArchiveFile=")
    assert Path(option.partition("=")[2]).read_text() == "classes"
    assert not class_archive.is_due(home, "spark")


def test_half_an_archive_is_thrown_away(home: Home) -> None:
    run_until_asked(home, by_force=True)
    assert options(home).startswith("-XX:ArchiveClassesAtExit=")
    assert not (home.run / "spark.jsa").exists()


def test_other_jars_get_another_archive(home: Home) -> None:
    run_until_asked(home, by_force=False)
    (home.root.parent / "jars" / "a.jar").write_text("other")
    assert options(home).startswith("-XX:ArchiveClassesAtExit=")
    run_until_asked(home, by_force=False)
    folder = home.root.parent / "venv" / "var" / "lakehouse"
    assert len(list(folder.iterdir())) == 1


def test_an_archive_that_another_has_left_is_not_written_again(home: Home) -> None:
    fresh = options(home).removeprefix("-XX:ArchiveClassesAtExit=")
    slowly = DUMPS.replace("open(", "time.sleep(5); open(")
    processes.start(home, Command("spark", (sys.executable, "-c", slowly, fresh), home.root))
    output = home.logs / "spark.out"
    until(lambda: "ready" in output.read_text())
    archive = Path((home.run / "spark.jsa-target").read_text())
    archive.parent.mkdir(parents=True)
    archive.write_text("classes of another")
    assert processes.stop(home, "spark")
    assert archive.read_text() == "classes of another"
    assert not Path(fresh).exists()

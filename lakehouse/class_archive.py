"""Class archives (Java's application CDS): the JVMs start with a third of the work.

Java can map the classes that an earlier run has loaded and verified instead of loading them again.
The first JVM of a part that ends in order leaves such an archive, beside the installation whose
jars it describes; every later one uses it. Measured for Spark: 15 s of processor time until
the port opens without, 5 s with it; the archive takes 240 MB of disk.

Without it all works the same, so every obstacle here is passed over in silence.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lakehouse.home import Home
from lakehouse.java import Java

# Dumping takes the JVM this long on a busy machine, once.
DUMP_PATIENCE_SECONDS = 180.0


def options(home: Home, part: str, java: Java, class_path: Sequence[str]) -> list[str]:
    """Java options: use the archive, or leave one at the end if there is none."""
    archive = folder() / f"{part}-{_key(java, class_path)}.jsa"
    quiet = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xshare:auto"]
    _fresh(home, part).unlink(missing_ok=True)
    _target(home, part).unlink(missing_ok=True)
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}", *quiet]
    _target(home, part).write_text(str(archive))
    return [f"-XX:ArchiveClassesAtExit={_fresh(home, part)}", *quiet]


def is_due(home: Home, part: str) -> bool:
    """Whether the running JVM will write an archive when it is asked to end."""
    return _target(home, part).exists()


def is_superfluous(home: Home, part: str) -> bool:
    """Whether it would write one that another has left in the meantime."""
    target = _target(home, part)
    return target.exists() and Path(target.read_text()).exists()


def keep(home: Home, part: str, *, ended_in_order: bool) -> None:
    """Put the archive that a JVM has left into its place, or throw away half of one."""
    fresh, target = _fresh(home, part), _target(home, part)
    with suppress(OSError):
        if ended_in_order and fresh.exists() and target.exists():
            archive = Path(target.read_text())
            archive.parent.mkdir(parents=True, exist_ok=True)
            for outdated in archive.parent.glob(f"{part}-*.jsa"):
                outdated.unlink(missing_ok=True)
            # Into the folder first, since the home may be on another disk; then in one step.
            copy = archive.with_suffix(".new")
            shutil.move(fresh, copy)
            copy.replace(archive)
    fresh.unlink(missing_ok=True)
    target.unlink(missing_ok=True)


def folder() -> Path:
    """Below the virtual environment: the archive is good for its jars at their paths only."""
    return Path(sys.prefix) / "var" / "lakehouse"


def _fresh(home: Home, part: str) -> Path:
    return home.run / f"{part}.jsa"


def _target(home: Home, part: str) -> Path:
    return home.run / f"{part}.jsa-target"


def _key(java: Java, class_path: Sequence[str]) -> str:
    """Java refuses an archive of other jars; a key of its own spares us the attempt."""
    facts = [str(java.path.resolve()), str(java.version)]
    for entry in class_path:
        folder, _, name = entry.rpartition("/")
        for jar in sorted(Path(folder).glob(name)):
            state = jar.stat()
            facts.append(f"{jar} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]

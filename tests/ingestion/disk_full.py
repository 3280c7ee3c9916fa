"""A full disk in the middle of an ingestion: it fails, shows no half batch, and goes on with room.

    sudo .venv/bin/python -m tests.ingestion.disk_full

Needs root and Linux, since the tables lie on a file system of 48 MiB that this mounts and unmounts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lakehouse.home import Home
from tests.ingestion.drills import Drills
from tests.support import Workspace, free_base_port

_RECORDS, _BYTES = 800, 100_000
_SMALL = {"FITBIT_INGEST_MAX_OFFSETS_PER_TRIGGER": "100"}


def main() -> int:
    if os.geteuid() != 0:
        print("disk_full: mounting a file system takes root: run it by sudo")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="disk-full-")).resolve()
    workspace = Workspace(Home(folder, free_base_port()))
    workspace.home.create()
    tables = workspace.home.warehouse
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(tables)], check=True)
    try:
        workspace.run("up")
        return _drill(Drills(workspace), tables)
    finally:
        workspace.down()
        subprocess.run(["umount", str(tables)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _drill(drills: Drills, tables: Path) -> int:
    drills.send("bpm", [(b"d", os.urandom(_BYTES), []) for _ in range(_RECORDS)])
    log = drills.drain("--feed", "bpm", check=False, environment=_SMALL)
    print(f"with a full disk: {log.strip().splitlines()[-1][:200]}")
    rows = drills.bronze("bpm")
    print(f"rows visible: {len(rows)} of {_RECORDS}, {len(rows) - len(set(rows))} of them twice")
    assert len(rows) < _RECORDS, "the disk was large enough"
    assert len(rows) == len(set(rows))
    assert len(rows) % 100 == 0, "part of a batch is visible"
    subprocess.run(["mount", "-o", "remount,size=512m", str(tables)], check=True)
    drills.drain("--feed", "bpm", environment=_SMALL)
    drills.assert_bronze("bpm")
    print(f"with room again: {len(drills.bronze('bpm'))} rows, each record once")
    return 0


if __name__ == "__main__":
    sys.exit(main())

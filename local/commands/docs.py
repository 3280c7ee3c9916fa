"""`lakehouse docs`: dbt's documentation and column lineage as files that open without a server."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from local.home import CHECKOUT, Home, WorkspaceError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_SHOWN_OF_A_FAULT = 20


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "docs",
        help="write dbt's documentation and the column lineage as files",
        description="Runs `dbt docs generate --static` and dbt-colibri (without telemetry) on the "
        "workspace, which must be up, and writes index.html and lineage.html.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where to write them; without it, docs/ in the workspace's folder",
    )
    parser.add_argument("--open", action="store_true", help="open index.html in the browser")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files and print their paths."""
    home = Home.from_environment()
    out = (args.out or home.root / "docs").expanduser().absolute()
    written = write(home, out)
    for path in written:
        print(path)
    if args.open:
        webbrowser.open(written[0].as_uri())
    return 0


def write(home: Home, out: Path) -> list[Path]:
    """Write index.html and lineage.html to a folder; returns their paths.

    dbt's artifacts stay beside them, in artifacts/. Raises WorkspaceError if a program fails.
    """
    artifacts, lineage = out / "artifacts", out / "artifacts" / "lineage"
    programs = Path(sys.executable).parent
    _run(
        home,
        [
            *(str(programs / "dbt"), "--no-use-colors", "docs", "generate", "--static"),
            *("--project-dir", str(CHECKOUT), "--profiles-dir", str(CHECKOUT)),
            *("--target-path", str(artifacts), "--log-path", str(home.logs / "docs")),
        ],
    )
    _run(
        home,
        [
            *(str(programs / "colibri"), "generate", "--disable-telemetry"),
            *("--manifest", str(artifacts / "manifest.json")),
            *("--catalog", str(artifacts / "catalog.json"), "--output-dir", str(lineage)),
        ],
    )
    try:
        shutil.copyfile(artifacts / "static_index.html", out / "index.html")
        shutil.copyfile(lineage / "index.html", out / "lineage.html")
    except OSError as error:
        raise WorkspaceError(f"{error.filename}: {error.strerror}.") from error
    return [out / "index.html", out / "lineage.html"]


def _run(home: Home, command: list[str]) -> None:
    """Run a program in the checkout; raises WorkspaceError with the end of its output."""
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={
            **os.environ,
            **home.environment(),
            "DISABLE_COLIBRI_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-_SHOWN_OF_A_FAULT:])
        name = Path(command[0]).name
        raise WorkspaceError(f"{name} ended with {done.returncode} (is `lakehouse up`?):\n{end}")

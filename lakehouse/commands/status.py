"""`lakehouse status`: what runs, where, and how much memory it takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lakehouse.commands import Subparsers, _feeds_status
from lakehouse.home import Home

# Further sections: each gives the lines to print for a workspace that is up. To add one, append
# a function; it imports what it needs when it is called.
SECTIONS: list[Callable[[Home], list[str]]] = [_feeds_status.lines]


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "status",
        help="tell what runs, on which ports, with how much memory (exit 3 if not all)",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    from lakehouse import workspace

    home = Home.from_environment()
    lines = workspace.status(home)
    print(f"home       {home.root}")
    print(f"versions   {', '.join(f'{n} {v}' for n, v in workspace.versions().items())}")
    print(f"{'part':<10} {'state':<13} {'pid':>8} {'MiB':>6}  ports")
    for line in lines:
        state = "up" if line.answers else "not answering" if line.running else "down"
        pid = str(line.running.pid) if line.running else "-"
        ports = ", ".join(str(port) for port in line.ports)
        print(f"{line.part:<10} {state:<13} {pid:>8} {line.memory_bytes // 2**20:>6}  {ports}")
    total = sum(line.memory_bytes for line in lines)
    print(f"{'total':<10} {'':<13} {'':>8} {total // 2**20:>6}")
    if not all(line.answers for line in lines):
        return 3
    for section in SECTIONS:
        for text in section(home):
            print(text)
    return 0

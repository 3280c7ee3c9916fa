"""`lakehouse simulate`"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.commands import Subparsers
from lakehouse.commands.replay import add_broker_options, report
from lakehouse.home import FILE_FEEDS, Home, WorkspaceError
from lakehouse.progress import progress_bar

if TYPE_CHECKING:
    from lakehouse.simulator.settings import Settings
    from lakehouse.simulator.stream import Tally

_PROCESSES = min(2, os.cpu_count() or 1)
# Starting a process costs about a second, in which another one publishes thousands of events.
_EVENTS_WORTH_A_PROCESS = 60_000


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "simulate",
        help="members with devices, gyms, workouts and heart rates, to Kafka and the landing zone",
        description="Simulates members of a gym chain. The same options give the same events. "
        "Publishes user_info, bpm and workout to Kafka and lands registered_users and gym_logins "
        "as CSV and NDJSON files; with --out it writes all of them as files instead.",
    )
    parser.add_argument("--users", type=int, default=20, metavar="N", help="members (20)")
    parser.add_argument("--days", type=int, default=1, metavar="D", help="days (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed (0)")
    parser.add_argument(
        "--start",
        type=_day,
        metavar="DATE",
        help="first day, UTC (2025-03-03, or that of --bpm)",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=8.0,
        metavar="SECONDS",
        help="mean time between two readings (8)",
    )
    parser.add_argument(
        "--dirty",
        type=float,
        default=0.0,
        metavar="P",
        help="rate of bad and odd records, each kind at least once",
    )
    parser.add_argument(
        "--bpm",
        type=Path,
        metavar="FILE",
        help="real heart rates, whose wearer joins as one more member",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write files here instead of publishing"
    )
    parser.add_argument(
        "--processes", type=int, metavar="K", help="publishing processes (by the amount)"
    )
    add_broker_options(parser)
    parser.set_defaults(run=run)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no day: give it as 2025-03-03") from None


def run(args: argparse.Namespace) -> int:
    """Simulate. Raises WorkspaceError on a fault, which says how many were acknowledged."""
    tally, seconds = simulate(_settings(args), args)
    if args.out:
        print(f"{tally.sent.total():,} records written to {args.out} in {seconds:.1f} s")
        return 0
    files = sum(tally.sent[feed] for feed in FILE_FEEDS)
    print(report(tally.sent.total() - files, tally.sent, seconds))
    print("landed: " + ", ".join(f"{feed} {tally.sent[feed]:,} rows" for feed in FILE_FEEDS))
    return 0


def simulate(settings: Settings, args: argparse.Namespace) -> tuple[Tally, float]:
    """Write or publish as the options say; gives the counts and the seconds it took."""
    from lakehouse.simulator.output import publish, write
    from lakehouse.simulator.stream import Simulation

    started = time.monotonic()
    simulation = Simulation(settings)
    expected = simulation.expected_events()
    with progress_bar(expected, "events", "simulate") as bar:
        if args.out:
            tally = write(simulation, args.out, progress=bar.update)
        else:
            tally = publish(
                simulation,
                Home.from_environment(),
                bootstrap=args.bootstrap,
                allow_remote=args.allow_remote,
                processes=args.processes or processes_for(expected),
                progress=bar.update,
            )
    return tally, time.monotonic() - started


def processes_for(events: int) -> int:
    """How many processes are worth their start."""
    return max(1, min(_PROCESSES, events // _EVENTS_WORTH_A_PROCESS))


def _settings(args: argparse.Namespace) -> Settings:
    from lakehouse.simulator.settings import Settings
    from lakehouse.simulator.wearer import first_day

    if args.processes is not None and not 1 <= args.processes <= 64:
        raise WorkspaceError("--processes is from 1 to 64.")
    settings = Settings(
        users=args.users,
        days=args.days,
        seed=args.seed,
        dirty=args.dirty,
        interval=args.interval,
        start=args.start,
        bpm=args.bpm,
    )
    if settings.bpm is not None and settings.start is None:
        return replace(settings, start=first_day(settings.bpm))
    return settings

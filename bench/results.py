"""What was measured, printed as a row of the table in docs/performance.md."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime

import psutil

from lakehouse.home import CHECKOUT

Seconds = dict[str, list[float]]
"""Every timing, by what was timed."""


class Unequal(Exception):
    """Contenders that should have computed the same did not: their times do not count."""


def note(seconds: Seconds, name: str, taken: float, counts: bool = True) -> None:
    """Keep a timing and tell it; a round that warms up does not count."""
    print(f"  {name}: {taken:.2f} s{'' if counts else ' (not counted)'}", flush=True)
    if counts:
        seconds.setdefault(name, []).append(taken)


def medians(seconds: Seconds) -> dict[str, float]:
    return {name: statistics.median(times) for name, times in seconds.items()}


def report(row: str, size: str, result: str, seconds: Seconds) -> None:
    """One line: what, size, result, the medians in seconds, date and commit."""
    shown = ", ".join(f"{name} {_seconds(times)}" for name, times in seconds.items())
    day = datetime.now(UTC).date()
    print(f"| {row} | {size} | {result} | {shown} | {day}, {_commit()} |", flush=True)


def ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}×"


def machine() -> str:
    """What it is measured on."""
    memory = psutil.virtual_memory().total / 2**30
    options = os.environ.get("LAKEHOUSE_JAVA_OPTIONS", "")
    return (
        f"{os.cpu_count()} cores, {memory:.1f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}{', ' if options else ''}{options}"
    )


def _seconds(times: Sequence[float]) -> str:
    middle = f"{statistics.median(times):.1f} s"
    return middle if len(times) < 2 else f"{middle} ({', '.join(f'{t:.1f}' for t in times)})"


def _commit() -> str:
    """Short, with a + where the checkout differs from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")

"""What a new hour costs on top of 1, 10 and 100 times the history, and a late one.

The same members have worn their devices on so many more days. Each history has a workspace of its
own, all up at once, and gets the same hours turn by turn: a first one to warm up, then plain hours,
then hours of which one reading in a hundred is a month late. The builds (without tests) are timed,
and Spark's event log says what they read.

Every build must take in exactly the new readings; at the end the smallest workspace must come out
of a rebuild with the content it had.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import data, event_log, workspaces
from bench.event_log import EventLog, Read
from bench.memory import PeakMemory
from bench.results import Unequal, store
from tests.support import Workspace
from tests.worlds.sequence import differences_from_rebuild

VARIANTS = ("on_time", "late")


@dataclass(frozen=True)
class _Sized:
    """A workspace with so many times the base history."""

    factor: int
    space: Workspace
    log: EventLog

    @property
    def name(self) -> str:
        return f"{self.factor}x"


def measure(base: int, factors: Sequence[int], new_readings: int, repeats: int) -> None:
    """Run all hours and store the result as case `<base>`."""
    seconds: dict[str, list[float]] = {}
    reads: dict[str, list[Read]] = {}
    with ExitStack() as stack:
        sized = [
            _Sized(factor, *_opened(stack, data.Size(base * factor, days=2 * factor)))
            for factor in sorted(factors)
        ]
        memory = stack.enter_context(
            PeakMemory(*(one.space for one in sized), names=tuple(one.name for one in sized))
        )
        hours = ["warm_up", *(name for name in VARIANTS for _ in range(repeats))]
        for hour, variant in enumerate(hours):
            for one in workspaces.in_turn(sized, hour):
                taken, read = _hour(one, hour, new_readings, late=variant == "late")
                print(f"  hour {hour} ({variant}) on {one.name}: {taken:.1f} s, {read}", flush=True)
                if variant != "warm_up":
                    seconds.setdefault(f"{variant}_{one.name}", []).append(taken)
                    reads.setdefault(f"{variant}_{one.name}", []).append(read)
        differences = differences_from_rebuild(sized[0].space)
    if differences:
        raise Unequal(f"a rebuild of {sized[0].name} gives other tables: {differences}")
    least, most = sized[0].name, sized[-1].name
    ratios = {
        f"ratio_{variant}": round(
            statistics.median(seconds[f"{variant}_{most}"])
            / statistics.median(seconds[f"{variant}_{least}"]),
            3,
        )
        for variant in VARIANTS
    }
    store(
        "incremental",
        f"{base}",
        seconds=seconds,
        facts={
            "base_readings": base,
            "factors": [one.factor for one in sized],
            "new_readings": new_readings,
            **ratios,
            "reads": {name: [asdict(read) for read in found] for name, found in reads.items()},
        },
        memory_mib=memory.peaks,
    )


def _opened(stack: ExitStack, size: data.Size) -> tuple[Workspace, EventLog]:
    """A workspace with its history built."""

    def options(folder: Path) -> str:
        log = event_log.java_options(folder / "events")
        return f"{log} {workspaces.AS_FOR_LARGE_TABLES}"

    space = stack.enter_context(workspaces.opened(options))
    with workspaces.connect(space) as spark:
        data.write(spark, data.history(size))
    taken = workspaces.build(space)
    print(f"  {size.readings} readings built in {taken:.1f} s", flush=True)
    return space, EventLog(space.home.root / "events")


def _hour(one: _Sized, hour: int, readings: int, *, late: bool) -> tuple[float, Read]:
    """Seconds of the build that takes in a new hour, and what it read."""
    before = _heart_rates(one.space)
    with workspaces.connect(one.space) as spark:
        data.write(spark, [data.new_hour(hour, readings, late=late)])
    start = one.log.position()
    taken = workspaces.build(one.space)
    read = one.log.read(start, one.log.position())
    added = _heart_rates(one.space) - before
    if added != readings:
        raise Unequal(f"{one.name} took in {added} of {readings} new readings")
    return taken, read


def _heart_rates(space: Workspace) -> int:
    return int(space.sql("select count(*) as rows from silver.heart_rates")[0]["rows"])

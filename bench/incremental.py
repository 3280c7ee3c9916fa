"""What a new hour costs on top of 1, 10 and 100 times the history, and a late one.

The same members have worn their devices on so many more days. Each history has a workspace of its
own, all up at once, and gets the same hours turn by turn: a first one to warm up, then plain hours,
then hours of which one reading in a hundred is a month late. The builds (without tests) are timed,
and Spark's event log says what they read of the tables of readings, those with a row for each one,
and how many bytes in all.

Every build must take in exactly the new readings; at the end the smallest workspace must come out
of a rebuild with the content it had.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import data, event_log, workspaces
from bench.event_log import EventLog
from bench.results import Seconds, Unequal, medians, note, ratio, report
from lakehouse import dbt
from lakehouse.client import Workspace
from lakehouse.home import Home

VARIANTS = ("on time", "1 % a month late")
_READINGS = ("bronze.bpm", "silver.stg_kafka__bpm", "silver.heart_rates")

Read = tuple[int, int, int, int]
"""Files and bytes and rows of scans of readings, then bytes that all tasks read."""


@dataclass(frozen=True)
class _Sized:
    """A workspace with so many times the base history."""

    factor: int
    workspace: Workspace
    log: EventLog


def measure(base: int, factors: Sequence[int], repeats: int) -> None:
    """Run all hours and report each variant."""
    seconds: dict[str, Seconds] = {variant: {} for variant in VARIANTS}
    reads: dict[tuple[str, int], list[Read]] = {}
    with ExitStack() as stack:
        sized = [
            _Sized(factor, *_opened(stack, data.Size(base * factor, days=2 * factor)))
            for factor in sorted(factors)
        ]
        hours = ["", *(name for name in VARIANTS for _ in range(max(1, repeats)))]
        for hour, variant in enumerate(hours):
            for one in workspaces.in_turn(sized, hour):
                taken, read = _hour(one, hour, late=variant == VARIANTS[1])
                note(seconds.get(variant, {}), f"{one.factor}×", taken, bool(variant))
                print("  files {} of {:,} bytes, rows {:,}; {:,} bytes read".format(*read))
                reads.setdefault((variant, one.factor), []).append(read)
        _require_rebuild(sized[0].workspace)
    least, most = sized[0].factor, sized[-1].factor
    for variant in VARIANTS:
        middle = medians(seconds[variant])

        def grows(at: int, variant: str = variant) -> str:
            of = [median(read[at] for read in reads[variant, f]) for f in (most, least)]
            return ratio(*of)

        result = (
            f"{most}× against {least}×: time {ratio(middle[f'{most}×'], middle[f'{least}×'])}, "
            f"bytes read {grows(3)}; of readings files {grows(0)}, bytes {grows(1)}"
        )
        size = f"{data.NEW_READINGS:,} on {base * least:,} to {base * most:,}"
        report(f"new hour, {variant}", size, result, seconds[variant])


def _opened(stack: ExitStack, size: data.Size) -> tuple[Workspace, EventLog]:
    """A workspace with its history built."""

    def options(folder: Path) -> str:
        log = event_log.java_options(folder / "events")
        return f"{log} {workspaces.AS_FOR_LARGE_TABLES}"

    workspace = stack.enter_context(workspaces.opened(options))
    with workspaces.connect(workspace) as spark:
        data.write(spark, data.history(size))
    taken = workspaces.build(workspace)
    print(f"  {size.readings:,} readings built in {taken:.1f} s", flush=True)
    return workspace, EventLog(workspace.home.root / "events")


def _hour(one: _Sized, hour: int, *, late: bool) -> tuple[float, Read]:
    """Seconds of the build that takes in a new hour, and what it read."""
    before = _heart_rates(one.workspace)
    with workspaces.connect(one.workspace) as spark:
        data.write(spark, [data.new_hour(hour, late=late)])
    start = one.log.position()
    taken = workspaces.build(one.workspace)
    end = one.log.position()
    scans = [scan for scan in one.log.scans(start, end) if scan.table in _READINGS]
    added = _heart_rates(one.workspace) - before
    if added != data.NEW_READINGS:
        raise Unequal(f"{one.factor}× took in {added} of {data.NEW_READINGS} new readings")
    return taken, (
        sum(scan.files for scan in scans),
        sum(scan.bytes for scan in scans),
        sum(scan.rows for scan in scans),
        one.log.bytes_read(start, end),
    )


def _heart_rates(workspace: Workspace) -> int:
    return int(workspace.sql("select count(*) as rows from silver.heart_rates")[0]["rows"])


def _require_rebuild(workspace: Workspace) -> None:
    """Raises Unequal if a rebuild, which this runs, gives other tables than a copy of them had."""
    before = Home(workspace.home.root / "before", 0)
    shutil.copytree(workspace.home.warehouse, before.warehouse)
    before.metastore.mkdir()
    shutil.copy(workspace.home.governance, before.governance)
    workspace.run("rebuild", "--", *dbt.WITHOUT_TESTS, timeout=workspaces.PATIENCE_SECONDS)
    done = workspace.run("diff", before.root, workspace.home.root, check=False)
    if done.returncode:
        raise Unequal(f"a rebuild gives other tables:\n{done.stdout}{done.stderr}")

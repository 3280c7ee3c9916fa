"""Builds on tables that are there: with nothing new, node by node, and after an edit of a model."""

from __future__ import annotations

import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench import data, statements, workspaces
from bench.memory import PeakMemory
from bench.results import store
from tests.support import Workspace, copy_project

THREADS = 4
"""Of dbt in the profile `local`."""
EDITED_MODELS = ("heart_rates", "hourly_heart_rates")


def measure_nothing_new(space: Workspace, size: data.Size, repeats: int) -> None:
    """A build with nothing new, beside dbt's own start and a `select 1` a node.

    The start is a `dbt show` of `select 1`, which connects as a build does; `dbt ls`, which does
    not, is measured beside it. The statements go through the same endpoint, over as many
    connections as dbt has threads. With tests, each test is a node. Case `<readings>`.
    """
    seconds: dict[str, list[float]] = {}
    nodes = {}
    asked: dict[str, statements.Asked] = {}
    starts = {"start": ("show", "--inline", "select 1"), "start_unconnected": ("ls",)}
    with PeakMemory(space) as memory:
        # The first turn warms up; the tests take long, so one turn with them must do.
        for turn, tests in enumerate((False, *(False for _ in range(repeats)), True)):
            suffix = "_with_tests" if tests else ""
            position = statements.log_of(space).stat().st_size
            build = workspaces.build(space, tests=tests)
            asked[f"statements{suffix}"] = statements.asked_since(space, position)
            nodes[f"nodes{suffix}"] = count = len(workspaces.node_seconds(space))
            taken = {
                f"build{suffix}": build,
                f"selects{suffix}": workspaces.stopwatch(partial(_select_ones, space, count)),
                **{
                    name: workspaces.stopwatch(partial(space.dbt, "--quiet", *command))
                    for name, command in starts.items()
                },
            }
            if turn:
                for name, one in taken.items():
                    seconds.setdefault(name, []).append(one)
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    ratios = {
        f"ratio{of}{suffix}": round(
            middle[f"build{suffix}"] / (middle[f"start{of}"] + middle[f"selects{suffix}"]), 3
        )
        for of in ("", "_unconnected")
        for suffix in ("", "_with_tests")
    }
    store(
        "nothing-new",
        f"{size.readings}",
        seconds=seconds,
        facts={"readings": size.readings, **nodes, **ratios, **asked},
        memory_mib=memory.peaks,
    )


def measure_nodes(space: Workspace, size: data.Size) -> None:
    """Seconds of each node: in a build of a new hour, with nothing new, from nothing.

    Once each, by dbt's own clock; nodes run side by side, so they add up to more than the build.
    Case `<readings>`.
    """
    seconds: dict[str, list[float]] = {}
    with PeakMemory(space) as memory:
        with workspaces.connect(space) as spark:
            data.write(spark, [data.new_hour(0, 7_200, late=False)])
        _note_nodes(space, "new_hour", seconds)
        _note_nodes(space, "nothing_new", seconds)
        workspaces.drop_built(space)
        _note_nodes(space, "full", seconds)
    store(
        "nodes",
        f"{size.readings}",
        seconds=seconds,
        facts={"readings": size.readings, "new_readings": 7_200},
        memory_mib=memory.peaks,
    )


def _note_nodes(space: Workspace, kind: str, seconds: dict[str, list[float]]) -> None:
    seconds.setdefault(f"{kind}: build", []).append(workspaces.build(space))
    for node, taken in workspaces.node_seconds(space).items():
        seconds.setdefault(f"{kind}: {node}", []).append(taken)


def measure_edit_loop(space: Workspace, size: data.Size, repeats: int) -> None:
    """An edit of a model, then `dbt build -s model+`: what a developer waits for.

    With tests and unit tests, in a copy of the project. An incremental model takes an edit on for
    rows to come, or with --full-refresh for all. Case `<readings>`.
    """
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="edit-loop-") as name, PeakMemory(space) as memory:
        folder = Path(name)
        copy_project(folder)
        # Parses the copy as a whole, once; an edit then parses what it touched.
        space.dbt_on(folder, "--quiet", "ls")
        for turn in range(repeats):
            for model in EDITED_MODELS:
                path = next((folder / "models").rglob(f"{model}.sql"))
                for command in (("build",), ("build", "--full-refresh")):
                    # What is made anew is made anew whatever the edit: a comment stands for all.
                    path.write_text(f"{{# edit {turn} #}}\n{path.read_text()}")
                    arguments = (*command, "-s", f"{model}+")
                    seconds.setdefault(" ".join(arguments), []).append(
                        workspaces.stopwatch(partial(space.dbt_on, folder, *arguments))
                    )
    store(
        "edit-loop",
        f"{size.readings}",
        seconds=seconds,
        facts={"readings": size.readings},
        memory_mib=memory.peaks,
    )


def _select_ones(space: Workspace, count: int) -> None:
    """`count` statements over THREADS connections, connecting included."""

    def run(number: int) -> None:
        with space.connect() as connection, connection.cursor() as cursor:
            for _ in range(number, count, THREADS):
                cursor.execute("select 1")
                cursor.fetchall()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))

"""Builds on tables that are there: with tests and without, with nothing new, and node by node."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

from bench import data, workspaces
from bench.results import Seconds, medians, note, ratio, report
from lakehouse.client import Workspace
from lakehouse.endpoint.sqltext import tokenize

THREADS = 4
"""Of dbt in the profile `local`."""
_hours = count()
"""No two new hours meet."""


def _add_hour(workspace: Workspace) -> None:
    """An hour of readings more in bronze."""
    with workspaces.connect(workspace) as spark:
        data.write(spark, [data.new_hour(next(_hours), late=False)])


def measure_tests(workspace: Workspace, size: data.Size, repeats: int) -> None:
    """The same builds with their tests (unit tests aside) and without: full, new hour, nothing new.

    The first round warms up, unless it is the only one.
    """
    seconds: Seconds = {}
    for turn in range(repeats + 1):
        for tests in workspaces.in_turn((False, True), turn):
            suffix = " with tests" if tests else ""
            build = partial(workspaces.build, workspace, tests=tests)
            counts = turn > 0 or repeats == 0
            workspaces.drop_built(workspace)
            note(seconds, f"full{suffix}", build(), counts)
            _add_hour(workspace)
            note(seconds, f"new hour{suffix}", build(), counts)
            note(seconds, f"nothing new{suffix}", build(), counts)
    middle = medians(seconds)
    kinds = ("full", "new hour", "nothing new")
    result = ", ".join(f"{k} {ratio(middle[f'{k} with tests'], middle[k])}" for k in kinds)
    report("build with tests", f"{size.readings:,} readings", result, seconds)


def measure_nothing_new(workspace: Workspace, size: data.Size, repeats: int) -> None:
    """A build with nothing new, without tests, beside dbt's own start and a `select 1` a node.

    The start is a `dbt show` of `select 1`, which connects as a build does. The statements go
    through the same endpoint, over as many connections as dbt has threads.
    """
    seconds: Seconds = {}
    asked: dict[str, int] = {}
    nodes = 0
    log = workspace.home.logs / "statements.jsonl"
    for turn in range(repeats + 1):
        position = log.stat().st_size
        counts = turn > 0 or repeats == 0
        note(seconds, "build", workspaces.build(workspace), counts)
        nodes, asked = len(workspaces.node_seconds(workspace)), _asked_since(log, position)
        start = partial(workspace.dbt, "--quiet", "show", "--inline", "select 1")
        note(seconds, "dbt's start", workspaces.stopwatch(start), counts)
        selects = workspaces.stopwatch(partial(_select_ones, workspace, nodes))
        note(seconds, "select 1 a node", selects, counts)
    middle = medians(seconds)
    against = ratio(middle["build"], middle["dbt's start"] + middle["select 1 a node"])
    kinds = ", ".join(f"{number} {kind}" for kind, number in asked.items())
    result = f"{against} dbt's start and `select 1` a node ({nodes} nodes; asked: {kinds})"
    report("nothing new", f"{size.readings:,} readings", result, seconds)


def measure_nodes(workspace: Workspace, size: data.Size) -> None:
    """Seconds of each node: in a build of a new hour, with nothing new, from nothing.

    Once each, by dbt's own clock; nodes run side by side, so they add up to more than the build.
    """
    seconds: Seconds = {}
    found = {}
    for kind in ("new hour", "nothing new", "from nothing"):
        if kind == "new hour":
            _add_hour(workspace)
        if kind == "from nothing":
            workspaces.drop_built(workspace)
        note(seconds, kind, workspaces.build(workspace))
        found[kind] = workspaces.node_seconds(workspace)
    full = sorted(found["from nothing"].items(), key=lambda item: -item[1])
    for node, taken in full:
        others = (f"{found[kind].get(node, 0):8.2f}" for kind in ("new hour", "nothing new"))
        print(f"  {node:<40} {taken:8.2f} {' '.join(others)}", flush=True)
    result = "longest: " + ", ".join(f"{node} {taken:.1f} s" for node, taken in full[:3])
    report("nodes", f"{size.readings:,} readings", result, seconds)


def _asked_since(log: Path, position: int) -> dict[str, int]:
    """The statements that the endpoint logged behind a position, by kind."""
    kinds: Counter[str] = Counter()
    with log.open("rb") as stream:
        stream.seek(position)
        for line in map(json.loads, stream):
            words = (token.upper for token in tokenize(line.get("sql") or "") if token.significant)
            kinds[next((word for word in words if word.isalpha()), line["call"]).lower()] += 1
    return dict(kinds.most_common())


def _select_ones(workspace: Workspace, number: int) -> None:
    """So many statements over THREADS connections, connecting included."""

    def run(first: int) -> None:
        with workspace.connect() as connection, connection.cursor() as cursor:
            for _ in range(first, number, THREADS):
                cursor.execute("select 1")
                cursor.fetchall()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))

"""How fast it is, measured on this machine beside other ways to do the same.

    python -m bench ROW…      of these rows; without one build, tests, nothing and landing

    build     a full build against a batch script, DuckDB and the tutorials' design
    tests     builds with their tests against without: full, a new hour, nothing new
    nothing   a build with nothing new against dbt's start and `select 1` a node
    nodes     seconds of each node
    landing   Kafka to bronze against Spark to Parquet and consumers
    hour      a new hour on 1, 10 and 100 times the history
    latency   produced to bronze and to gold at a steady rate
    demo      `lakehouse demo` in a new workspace

Each row prints its timings and ends in one line for the table in docs/performance.md. It has a
workspace of its own on free ports in a temporary folder, or shares one of its size; nothing else
should run meanwhile. Rounds come after one that warms up and is not counted; with --repeats 0 that
one counts. For more than 2.5 million readings give Spark a larger heap:
LAKEHOUSE_JAVA_OPTIONS=-Xmx6g.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench import build, data, incremental, latency, steady, workspaces
from bench.results import Seconds, Unequal, machine, note, report
from lakehouse.client import Workspace, free_base_port
from lakehouse.home import Home

_ON_ONE_WORKSPACE = ("build", "tests", "nothing", "nodes")
ROWS = (*_ON_ONE_WORKSPACE, "landing", "hour", "latency", "demo")
SHORT = ("build", "tests", "nothing", "landing")
_SMALL = 1_000_000
"""Up to so many readings are written in a workspace that is set up for small tables."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"default: {', '.join(SHORT)}")
    add = parser.add_argument
    add("--repeats", type=int, default=2, help="counted rounds (%(default)s)")
    add("--readings", type=int, nargs="+", default=[250_000], metavar="N")
    add("--contenders", nargs="+", choices=build.CONTENDERS, default=build.CONTENDERS)
    add("--base", type=int, default=25_000, help="1× of hour (%(default)s)")
    add("--factors", type=int, nargs="+", default=[1, 10, 100], help="of hour")
    add("--records", type=int, default=250_000, help="of landing (%(default)s)")
    add("--rate", type=int, default=5_000, help="of latency, a second (%(default)s)")
    add("--seconds", type=float, default=120, help="of latency (%(default)s)")
    args = parser.parse_args()
    if unknown := set(args.rows) - set(ROWS):
        parser.error(f"unknown row: {', '.join(sorted(unknown))}")
    # Asked to end, it still stops the workspaces that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(machine(), flush=True)
    done = [_succeeds(name, run) for name, run in _runs(args.rows or SHORT, args)]
    return 0 if all(done) else 1


def _runs(
    rows: Sequence[str], args: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], None]]]:
    """What to run, each with a workspace of its own that ends with it."""
    if shared := [row for row in _ON_ONE_WORKSPACE if row in rows]:
        for readings in args.readings:
            name = f"{' '.join(shared)} of {readings} readings"
            yield name, partial(_on_one, shared, data.Size(readings), args)
    if "landing" in rows:
        yield "landing", partial(_landing, args)
    if "hour" in rows:
        yield "hour", partial(incremental.measure, args.base, args.factors, args.repeats)
    if "latency" in rows:
        for gold in (False, True):
            yield f"latency{' to gold' if gold else ''}", partial(_latency, args, gold)
    if "demo" in rows:
        yield "demo", partial(_demo, args.repeats)


def _on_one(rows: Sequence[str], size: data.Size, args: argparse.Namespace) -> None:
    # Otherwise a large one is set up so from its second start on, after all was written.
    options = workspaces.AS_FOR_LARGE_TABLES if size.readings > _SMALL else ""
    with workspaces.opened(lambda _: options) as workspace:
        with workspaces.connect(workspace) as spark:
            data.write(spark, data.history(size))
        # A workspace is set up by what bronze holds when it starts.
        workspace.run("down")
        workspace.run("up")
        if "build" in rows:
            build.measure(workspace, size, args.repeats, args.contenders)
        if "tests" in rows:
            steady.measure_tests(workspace, size, args.repeats)
        else:
            workspaces.build(workspace)
        if "nothing" in rows:
            steady.measure_nothing_new(workspace, size, args.repeats)
        if "nodes" in rows:
            steady.measure_nodes(workspace, size)


def _landing(args: argparse.Namespace) -> None:
    from bench import landing  # needs packages of its own

    with workspaces.opened(lambda _: workspaces.AS_FOR_LARGE_TABLES) as workspace:
        landing.measure(workspace, args.records, args.repeats)


def _latency(args: argparse.Namespace, gold: bool) -> None:
    with workspaces.opened(lambda _: workspaces.AS_FOR_LARGE_TABLES) as workspace:
        latency.measure(workspace, args.rate, args.seconds, gold=gold)


def _demo(repeats: int) -> None:
    """From nothing but what `make install` leaves, each time in a new home."""
    seconds: Seconds = {}
    for turn in range(repeats + 1):
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            workspace = Workspace(Home(Path(folder).resolve(), free_base_port()))
            try:
                started = time.monotonic()
                done = workspace.run("demo", timeout=workspaces.PATIENCE_SECONDS)
                note(seconds, "demo", time.monotonic() - started, turn > 0 or repeats == 0)
                print(done.stdout.partition("Seconds by step\n")[2].partition("\n\n")[0])
            finally:
                workspace.down()
    report("demo", "warm, a new home", "", seconds)


def _succeeds(name: str, run: Callable[[], None]) -> bool:
    """Run it; a failure is told, and does not keep the others from running."""
    print(f"== {name}", flush=True)
    try:
        run()
    except Unequal as error:
        print(f"{name} NOT EQUAL, no result: {error}", flush=True)
        return False
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())

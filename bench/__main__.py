"""How fast it is, measured on this machine against other ways to do the same.

    python -m bench                                   the short parts, about 20 minutes on 2 cores
    python -m bench incremental latency               the long ones
    python -m bench build --readings 2500000 --repeats 1
    python -m bench build --readings 25000000 --repeats 0 --contenders tutorials batch duckdb
    python -m bench landing --records 2000000
    python -m bench page                              docs/performance.md from bench/results

Each part has a workspace of its own on free ports in a temporary folder, or shares one of its
size; nothing else should run meanwhile. For more than 2.5 million readings give Spark a larger
heap: LAKEHOUSE_JAVA_OPTIONS=-Xmx6g.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from bench import build, data, incremental, landing, latency, page, steady, workspaces
from bench.results import Unequal

SHORT = ("build", "nothing-new", "nodes", "edit-loop", "landing")
LONG = ("incremental", "latency")
_ON_ONE_WORKSPACE = ("build", "nothing-new", "edit-loop", "nodes")
"""In this order: the last one adds readings."""
_SMALL = 1_000_000
"""Up to so many readings are written in a workspace that is set up for small tables."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = (*SHORT, *LONG, "page")
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"{', '.join(known)}; default: {', '.join(SHORT)}"
    )
    parser.add_argument("--repeats", type=int, default=2, help="counted rounds (%(default)s)")
    sizes = parser.add_argument_group("sizes")
    sizes.add_argument("--readings", type=int, nargs="+", default=[250_000], metavar="N")
    sizes.add_argument(
        "--contenders",
        nargs="+",
        choices=build.CONTENDERS,
        default=build.CONTENDERS,
        help="of build; the project always takes part",
    )
    sizes.add_argument("--base", type=int, default=25_000, help="1x of incremental (%(default)s)")
    sizes.add_argument("--factors", type=int, nargs="+", default=[1, 10, 100], metavar="N")
    sizes.add_argument("--new-readings", type=int, default=7_200, help="an hour (%(default)s)")
    sizes.add_argument("--records", type=int, default=250_000, help="of landing (%(default)s)")
    sizes.add_argument("--rate", type=int, default=5_000, help="of latency, a second (%(default)s)")
    sizes.add_argument("--seconds", type=float, default=120, help="of latency (%(default)s)")
    args = parser.parse_args()
    # Asked to end, it still stops the workspaces that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parts = args.parts or SHORT
    if unknown := set(parts) - set(known):
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    if "page" in parts:
        page.write()
        return 0
    failed = [name for name, run in _runs(parts, args) if not _succeeds(name, run)]
    print(f"failed: {', '.join(failed)}" if failed else "all parts measured; now: bench page")
    return 1 if failed else 0


def _runs(parts: Sequence[str], args: argparse.Namespace) -> list[tuple[str, Callable[[], None]]]:
    """What to run, each with a workspace of its own that ends with it."""
    runs: list[tuple[str, Callable[[], None]]] = []
    shared = [part for part in _ON_ONE_WORKSPACE if part in parts]
    for readings in args.readings if shared else ():
        name = f"{' '.join(shared)} of {readings} readings"
        runs.append((name, partial(_on_one, shared, data.Size(readings), args)))
    others = {"landing": _landing, "incremental": _incremental, "latency": _latency}
    runs += [(name, partial(run, args)) for name, run in others.items() if name in parts]
    return runs


def _on_one(parts: Sequence[str], size: data.Size, args: argparse.Namespace) -> None:
    # Otherwise a large one is set up so from its second start on, after all was written.
    options = workspaces.AS_FOR_LARGE_TABLES if size.readings > _SMALL else ""
    with workspaces.opened(lambda _: options) as space:
        with workspaces.connect(space) as spark:
            data.write(spark, data.history(size))
        # A workspace is set up by what bronze holds when it starts.
        space.run("down")
        space.run("up")
        if "build" in parts:
            build.measure(space, size, args.repeats, args.contenders)
        else:
            workspaces.build(space)
        if "nothing-new" in parts:
            steady.measure_nothing_new(space, size, args.repeats)
        if "edit-loop" in parts:
            steady.measure_edit_loop(space, size, args.repeats)
        if "nodes" in parts:
            steady.measure_nodes(space, size)


def _landing(args: argparse.Namespace) -> None:
    with workspaces.opened(lambda _: workspaces.AS_FOR_LARGE_TABLES) as space:
        landing.measure(space, args.records, args.repeats)


def _incremental(args: argparse.Namespace) -> None:
    incremental.measure(args.base, args.factors, args.new_readings, args.repeats)


def _latency(args: argparse.Namespace) -> None:
    for gold in (False, True):
        with workspaces.opened(lambda _: workspaces.AS_FOR_LARGE_TABLES) as space:
            latency.measure(space, args.rate, args.seconds, gold=gold)


def _succeeds(name: str, run: Callable[[], None]) -> bool:
    """Run it; a failure is told, and does not keep the others from running."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    try:
        run()
    except Unequal as error:
        print(f"NOT EQUAL, nothing stored: {error}", flush=True)
        return False
    except Exception:
        traceback.print_exc()
        return False
    print(f"== {name}: {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

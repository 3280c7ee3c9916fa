"""Proves the two laws on worlds without end: `make soak`, or with a seed what a failure printed.

    python -m bench.soak                                    until Ctrl-C
    python -m bench.soak --seed 7 --worlds 25 --sequences 1

Each sequence makes a workspace of its own, lands new worlds in batches in any order with repeats
(the last world through Kafka, files and ingestion, the others straight in bronze), builds behind
each batch and kills one build of two at one of ten points. Every table must then be what the oracle
says and what a rebuild makes.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

from tests.support import QUICK_BUILDS, running
from tests.worlds import sequence
from tests.worlds.world import Entry, world


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence")
    parser.add_argument("--worlds", type=int, default=25, help="a sequence")
    parser.add_argument("--batches", type=int, default=4, help="a sequence, each with its build")
    parser.add_argument("--sequences", type=int, help="stop after so many (default: never)")
    args = parser.parse_args()
    failures = total = records = builds = 0
    seeds = itertools.count(args.seed)
    try:
        for seed in itertools.islice(seeds, args.sequences):
            started = time.monotonic()
            worlds = [world(number, seed) for number in range(1, args.worlds + 1)]
            kills = kills_of(seed, args.batches)
            found = _sequence(worlds, args.batches, seed, kills)
            total, builds = total + len(worlds), builds + args.batches
            records += sum(map(len, worlds))
            failures += bool(found)
            seconds = time.monotonic() - started
            print(f"seed {seed}: {'FAILED' if found else 'right'} in {seconds:.0f} s", flush=True)
            for line in found:
                print(f"  {line}")
            if found:
                print(
                    f"  python -m bench.soak --seed {seed} --worlds {args.worlds} "
                    f"--batches {args.batches} --sequences 1",
                    flush=True,
                )
    except KeyboardInterrupt:
        print("stopped")
    print(f"{total} worlds, {records} records, {builds} builds, {failures} sequences failed")
    return 1 if failures else 0


def kills_of(seed: int, batches: int) -> list[sequence.Kill | None]:
    """No kill in the first build, which makes the tables; then one in every other."""
    kills: list[sequence.Kill | None] = [None] * batches
    for turn, number in enumerate(range(1, batches, 2)):
        kills[number] = sequence.KILLS[(seed * 2 + turn) % len(sequence.KILLS)]
    return kills


def _sequence(
    worlds: list[list[Entry]],
    batches: int,
    seed: int,
    kills: list[sequence.Kill | None],
) -> list[str]:
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        running(Path(folder), QUICK_BUILDS) as space,
    ):
        *landed, sent = worlds
        found = sequence.run(space, landed, count=batches, seed=seed, kills=kills, sent=sent)
        return found + sequence.differences_from_rebuild(space)


if __name__ == "__main__":
    sys.exit(main())

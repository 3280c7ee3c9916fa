"""Proves the two laws on histories without end: `make soak`, or with a seed what a failure printed.

    python -m tests.soak                                    until Ctrl-C
    python -m tests.soak --seed 7 --histories 25 --sequences 1

Each sequence makes a workspace of its own, lands new histories in batches in any order with repeats
(the last history through Kafka, files and ingestion, the others straight in bronze), builds behind
each batch and kills one build of two at one of ten points. Every table must then be what the oracle
says and what a rebuild makes.

    python -m tests.soak --kills 20

Instead: ingestion alone, with a producer at full speed, killed so often at random moments, its own
process and Spark by turns of chance. Bronze must then hold what the broker acknowledged, once.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.histories import sequence
from tests.histories.history import Entry, history
from tests.ingestion.drills import Drills
from tests.support import running

_SMALL = {
    "FITBIT_INGEST_MAX_OFFSETS_PER_TRIGGER": "5000",
    "FITBIT_INGEST_TRIGGER_SECONDS": "0.1",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence")
    parser.add_argument("--histories", type=int, default=25, help="a sequence")
    parser.add_argument("--batches", type=int, default=4, help="a sequence, each with its build")
    parser.add_argument("--sequences", type=int, help="stop after so many (default: never)")
    parser.add_argument("--kills", type=int, help="kill ingestion and Spark so often, instead")
    args = parser.parse_args()
    if args.kills is not None:
        return _kill_ingestion(args.kills, args.seed)
    failures = total = records = builds = 0
    seeds = itertools.count(args.seed)
    try:
        for seed in itertools.islice(seeds, args.sequences):
            started = time.monotonic()
            histories = [history(number, seed) for number in range(1, args.histories + 1)]
            kills = kills_of(seed, args.batches)
            found = _sequence(histories, args.batches, seed, kills)
            total, builds = total + len(histories), builds + args.batches
            records += sum(map(len, histories))
            failures += bool(found)
            seconds = time.monotonic() - started
            print(f"seed {seed}: {'FAILED' if found else 'right'} in {seconds:.0f} s", flush=True)
            for line in found:
                print(f"  {line}")
            if found:
                print(
                    f"  python -m tests.soak --seed {seed} --histories {args.histories} "
                    f"--batches {args.batches} --sequences 1",
                    flush=True,
                )
    except KeyboardInterrupt:
        print("stopped")
    print(f"{total} histories, {records} records, {builds} builds, {failures} sequences failed")
    return 1 if failures else 0


def kills_of(seed: int, batches: int) -> list[sequence.Kill | None]:
    """No kill in the first build, which makes the tables; then one in every other."""
    kills: list[sequence.Kill | None] = [None] * batches
    for turn, number in enumerate(range(1, batches, 2)):
        kills[number] = sequence.KILLS[(seed * 2 + turn) % len(sequence.KILLS)]
    return kills


def _sequence(
    histories: list[list[Entry]],
    batches: int,
    seed: int,
    kills: list[sequence.Kill | None],
) -> list[str]:
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        running(Path(folder)) as workspace,
    ):
        *landed, sent = histories
        found = sequence.run(workspace, landed, count=batches, seed=seed, kills=kills, sent=sent)
        return found + sequence.differences_from_rebuild(workspace)


def _kill_ingestion(count: int, seed: int) -> int:
    """Raises AssertionError if a record is missing or there twice."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, running(Path(folder)) as workspace:
        drills = Drills(workspace)
        in_midst = 0
        for number in range(1, count + 1):
            part = chance.choice(("ingestion", "spark"))
            # The producer rests between kills: records would pile up while Spark starts.
            with drills.ingesting("--feed", "bpm", "--continuous", **_SMALL) as ingestion:
                with drills.producing("bpm", pause_seconds=0):
                    ingestion.until_batches(1)
                    time.sleep(chance.uniform(0, 3))
                    under_way = drills.under_way("bpm") is not None
                    if part == "spark":
                        workspace.kill("spark")
                    else:
                        ingestion.kill()
                ingestion.process.wait(120)
            in_midst += under_way
            print(f"kill {number} of {part}, in mid-batch: {under_way}", flush=True)
            if part == "spark":
                workspace.run("up")
        drills.drain("--feed", "bpm")
        drills.assert_bronze("bpm")
        rows = len(drills.bronze("bpm"))
    print(f"{count} kills, {in_midst} in mid-batch; {rows} rows, each acknowledged record once")
    return 0


if __name__ == "__main__":
    sys.exit(main())

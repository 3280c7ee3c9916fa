"""Histories landed in batches, in any order, with repeats, builds in between and builds killed.

After each sequence every table must be what the oracle computes from bronze, and what `lakehouse
rebuild` makes of it.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingestion import bronze, sessions
from lakehouse import dbt
from tests.cases.case import Case, Message
from tests.histories.history import Entry
from tests.landed import differences_from_oracle, publish, read
from tests.oracle.records import FEEDS, FILE_COLUMNS, FILE_FEEDS, KAFKA_FEEDS
from tests.support import Workspace

# Tests of the models run elsewhere; here the content counts.
BUILD = ("build", *dbt.WITHOUT_TESTS)
_FIRST_ARRIVAL = datetime(2026, 3, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Kill:
    """Kill `part` (`dbt` or `spark`) as soon as dbt sends a statement with this text."""

    part: str
    statement: str


# At each kind of write that a build makes.
KILLS = (
    Kill("dbt", "merge into `lakehouse`.`silver`.`heart_rates`"),
    Kill("spark", "merge into `lakehouse`.`silver`.`user_profile_history`"),
    Kill("dbt", "merge into `lakehouse`.`silver`.`stg_kafka__workout`"),
    Kill("dbt", "alter table `lakehouse`.`silver`.`heart_rates` set tblproperties"),
    Kill("dbt", "merge into `lakehouse`.`silver`.`device_registrations`"),
    Kill("spark", "merge into `lakehouse`.`silver`.`stg_kafka__bpm`"),
    Kill("spark", "merge into `lakehouse`.`gold`.`daily_heart_rates`"),
    Kill("spark", "alter table `lakehouse`.`silver`.`gym_visits` set tblproperties"),
    Kill("dbt", "merge into `lakehouse`.`gold`.`member_activity`"),
    Kill("spark", "merge into `lakehouse`.`silver`.`feed_arrivals`"),
)


def batches(
    histories: Sequence[Sequence[Entry]], count: int, rng: random.Random
) -> list[list[Entry]]:
    """The histories' records in `count` batches, in any order, some of them repeated."""
    found: list[list[Entry]] = [[] for _ in range(count)]
    for entries in histories:
        for number, entry in enumerate(entries):
            first = rng.randrange(count)
            found[first].append(entry)
            if rng.random() < 0.15:
                found[rng.randrange(first, count)].append(entry.again(number))
    for batch in found:
        rng.shuffle(batch)
    return found


def land(workspace: Workspace, batch: Sequence[Entry], hour: int) -> None:
    """Append a batch to bronze as ingestion would: one commit a feed, `hour` hours on."""
    arrival = {"ingested_at": _FIRST_ARRIVAL + timedelta(hours=hour)}
    with sessions.session(workspace.home.connect_url) as spark:
        bronze.create_tables(spark)
        for feed in FEEDS:
            rows = [{**entry.columns, **arrival} for entry in batch if entry.feed == feed]
            if rows:
                schema = spark.table(f"bronze.{feed}").schema
                names = schema.fieldNames()
                frame = spark.createDataFrame([[row.get(n) for n in names] for row in rows], schema)
                frame.writeTo(f"bronze.{feed}").append()


def arrival_hour(number: int) -> int:
    """When the batch of this number arrives: on several days, every third one before the second,
    as after a clock was set back."""
    return 30 * number - (50 if number % 3 == 2 else 0)


def send(workspace: Workspace, batch: Sequence[Entry]) -> None:
    """A batch the way that records really come: through Kafka, landed files and ingestion."""
    messages = tuple(
        Message(
            entry.feed,
            entry.columns["value"],
            entry.columns["key"],
            round(entry.columns["timestamp"].timestamp() * 1000),
        )
        for entry in batch
        if entry.feed in KAFKA_FEEDS
    )
    publish(workspace.home, (Case("sent", "", messages),))
    for feed in FILE_FEEDS:
        lines: dict[str, list[str]] = {}
        for entry in batch:
            if entry.feed == feed:
                source = Path(entry.columns["source_file"]).name
                lines.setdefault(source, []).append(entry.columns["raw"])
        for source, rows in lines.items():
            path = workspace.home.root / source
            header = [",".join(FILE_COLUMNS[feed])] if source.endswith(".csv") else []
            path.write_text("\n".join([*header, *rows]))
            workspace.run("land", feed, path)
    workspace.run("ingest")


def build(workspace: Workspace, kill: Kill | None = None) -> None:
    """`dbt build`; with a kill, once up to there and then again to the end.

    Raises CommandFailed if a build fails that was not killed, AssertionError if it ends before its
    kill.
    """
    if kill is not None:
        log = workspace.dbt_folder / "logs" / "dbt.log"
        killed(workspace, workspace.dbt_command(*BUILD), log, kill)
        workspace.run("up")
    workspace.dbt(*BUILD)


def killed(workspace: Workspace, command: Sequence[str], log: Path, kill: Kill) -> None:
    """A dbt that writes this log, until the kill. AssertionError if it ends before."""
    log.unlink(missing_ok=True)
    running = subprocess.Popen(
        command,
        env=workspace.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_sent(log, kill.statement, running)
        if kill.part == "spark":
            workspace.kill("spark")
            running.wait(timeout=300)
    finally:
        running.kill()
        running.wait(timeout=60)


def _until_sent(log: Path, statement: str, running: subprocess.Popen[bytes]) -> None:
    """Wait until dbt's log names the statement; reads each part of the log once."""
    read, rest = 0, b""
    while True:
        # Asked before reading: what a build that has ended wrote last is looked at, too.
        ended = running.poll() is not None
        if log.exists():
            with log.open("rb") as stream:
                stream.seek(read)
                text = rest + stream.read()
                read = stream.tell()
            if statement.encode() in text:
                return
            rest = text[-len(statement) :]
        assert not ended, f"the build ended without a {statement}"
        time.sleep(0.02)


def build_twice_at_once(workspace: Workspace) -> list[str]:
    """Two builds started together; the output of those that failed."""
    commands = [
        [*workspace.dbt_command(*BUILD), "--target-path", str(workspace.home.root / f"dbt{number}")]
        for number in range(2)
    ]
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    command, env=workspace.environment, stdout=subprocess.PIPE, text=True
                )
            )
            for command in commands
        ]
        with ThreadPoolExecutor(2) as pool:
            outputs = list(pool.map(lambda one: one.communicate(timeout=900)[0], both))
    return [o for one, o in zip(both, outputs, strict=True) if one.returncode]


def content(workspace: Workspace) -> list[str]:
    """A line a table with the hash of its content."""
    return workspace.run("audit", "--content").stdout.splitlines()


def rebuilt(workspace: Workspace) -> list[str]:
    """The content after `lakehouse rebuild`, which this runs."""
    workspace.run("rebuild", "--", *dbt.WITHOUT_TESTS)
    return content(workspace)


def differences_from_rebuild(workspace: Workspace) -> list[str]:
    """Tables whose content is another after `lakehouse rebuild`, which this runs."""
    return sorted({*content(workspace)} ^ {*rebuilt(workspace)})


def run(
    workspace: Workspace,
    histories: Sequence[Sequence[Entry]],
    *,
    count: int,
    seed: int,
    kills: Sequence[Kill | None] = (),
    sent: Sequence[Entry] = (),
) -> list[str]:
    """Land the histories in `count` batches, each built (and killed, by `kills`); what is wrong.

    `sent`: a history that comes through Kafka and files, in as many batches.
    """
    rng = random.Random(f"{seed}/order")
    landed = batches(histories, count, rng)
    for number, (batch, through) in enumerate(
        zip(landed, batches([sent], count, rng), strict=True)
    ):
        land(workspace, batch, arrival_hour(number))
        if through:
            send(workspace, through)
        build(workspace, kills[number] if number < len(kills) else None)
    return differences_from_oracle(read(workspace))

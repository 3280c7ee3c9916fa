"""`lakehouse demo`: a simulated month from Kafka to gold, what came of it, dashboard and docs."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
import warnings
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import dbt, programs
from lakehouse.commands import Subparsers
from lakehouse.home import CHECKOUT, SCHEMAS, Home, WorkspaceError
from lakehouse.progress import progress_bar

if TYPE_CHECKING:
    from lakehouse.simulator.settings import Settings

SAMPLE = CHECKOUT / "samples" / "heartrate_2016-04-12_2016-05-03.csv.gz"
MEMBERS, GYM_ONLY, SEED, DIRTY_RATE = 40, 560, 58, 0.002
# They end with those of the sample.
START, DAYS = date(2016, 4, 6), 28
# Days of gym visits before those with heart rates: cohorts, usual days and falling members need
# months. It begins with one.
HISTORY = (START - date(2015, 11, 1)).days
# Now: the evening of the last day, when the gyms are full.
UNTIL = 18.7
# Seconds between readings on the last day and in workouts, and between those of earlier days.
FINE, COARSE = 45.0, 900.0
# Whose days the members' file shows beside the wearer's.
OTHERS = ("10002", "10005", "10013")

_WORKOUTS = """
select user_id, session_id, started_at, age_band, min_bpm, round(avg_bpm, 1) as avg_bpm,
       max_bpm, num_recordings, fat_burn_minutes, cardio_minutes, peak_minutes
from gold.workout_bpm_summary order by started_at, user_id limit 5"""
_VISITS = """
select gym_id, user_id, login_at, logout_at, size(sessions) as num_sessions, minutes_in_gym,
       minutes_exercising
from gold.gym_summary order by login_at, mac_address limit 5"""
_OUTCOMES = """
select feed,
       sum(received) as received,
       sum(accepted) as accepted,
       sum(rejected) as rejected,
       sum(erased) as erased
from gold.pipeline_health group by feed order by feed"""
_REJECTED = """
select reason, count(*) as records, concat_ws(', ', sort_array(collect_set(feed))) as feeds
from silver.rejected_records group by reason order by records desc, reason"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "demo",
        help="a simulated month and the sample from Kafka to gold, with the results",
        description=f"Starts the workspace, publishes {DAYS} days of {MEMBERS} simulated members "
        f"and one real one and the gym visits of {GYM_ONLY} more, ingests, runs `dbt build` "
        "(without unit tests) and shows the results. Records count as arrived when they were sent: "
        "the month is played back. A second "
        "run publishes the same events again: they are counted, and change no fact. "
        "Ends with the dashboard and the documentation as files.",
    )
    parser.add_argument("--open", action="store_true", help="open the files in the browser")
    parser.set_defaults(run=run)


class Steps:
    """Runs the steps of the demo, tells about them and keeps their seconds."""

    def __init__(self, logs: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._logs = logs

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        started = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        yield
        self.seconds[name] = time.monotonic() - started
        print(f"{name}: {self.seconds[name]:.1f} s", file=sys.stderr, flush=True)

    def command(self, name: str, command: list[str], home: Home, log: str, **variables: str) -> str:
        """Run a program as a step, its output in a log file; gives the output.

        Raises WorkspaceError with the end of the output if it fails.
        """
        path = self._logs / log
        with self.step(name), path.open("w+", encoding="utf-8", errors="replace") as file:
            process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env={**dbt.environment(home), **variables},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            try:
                code = _wait(process, name)
            except BaseException:
                process.terminate()
                process.wait()
                raise
            file.seek(0)
            output = file.read()
            programs.require_success(name, code, output, f"its last lines (all are in {path})")
        return output


def run(args: argparse.Namespace) -> int:
    """The whole demo. Raises WorkspaceError if a step fails."""
    from lakehouse import workspace
    from lakehouse.commands import dashboard, docs

    started = time.monotonic()
    home = Home.from_environment()
    home.create()
    steps = Steps(home.logs)
    with steps.step("start the workspace"):
        workspace.up(home, lambda what: print(f"  {what}", file=sys.stderr, flush=True))
    with steps.step("publish and land a month"):
        wearer = _publish(home)
    ingest = [sys.executable, "-m", "lakehouse.cli", "ingest"]
    steps.command(
        *("ingest into bronze", ingest, home, "demo-ingest.log"), FITBIT_INGEST_ARRIVAL="sent"
    )
    # Unit tests look at the SQL, never at the data: they are for whoever changes a model.
    build = dbt.command("--no-use-colors", "build", *dbt.WITHOUT_UNIT_TESTS)
    output = steps.command("dbt build", build, home, "demo-dbt.log")
    built = [line for line in output.splitlines() if "PASS=" in line]
    with steps.step("read the results"):
        _results(home)
    with steps.step("write the dashboard"):
        pages = dashboard.write(home, dashboard.default_path(home), [wearer, *OTHERS])
    with steps.step("write the docs"):
        pages += docs.write(home, docs.default_folder(home))
    print("\nSeconds by step")
    for name, seconds in steps.seconds.items():
        print(f"  {name:<24}{seconds:7.1f}")
    print(f"  {'in all':<24}{time.monotonic() - started:7.1f}")
    if built:
        print(f"\ndbt build: {built[-1].split('Done.')[-1].strip()}")
    memory = sum(part.memory_bytes for part in workspace.status(home))
    print(f"Memory of the workspace: {memory / 2**30:.1f} GiB")
    print(_how_to_go_on(home))
    print("\nOpen in a browser:")
    for page in pages:
        print(f"  {page}")
    if args.open:
        for page in pages:
            webbrowser.open(page.as_uri())
    return 0


def settings() -> Settings:
    """What the demo simulates: months of a chain of gyms that end with the sample's days."""
    from lakehouse.simulator.settings import Settings

    return Settings(
        users=MEMBERS,
        days=DAYS,
        seed=SEED,
        dirty=DIRTY_RATE,
        interval=FINE,
        earlier_interval=COARSE,
        start=START,
        bpm=SAMPLE,
        history=HISTORY,
        gym_only=GYM_ONLY,
        gyms=2,
        until=UNTIL,
    )


def _publish(home: Home) -> str:
    """Publish and land it all; gives the id of the sample's wearer."""
    from lakehouse.commands.simulate import processes_for
    from lakehouse.simulator.output import publish
    from lakehouse.simulator.stream import Simulation

    simulation = Simulation(settings())
    expected = simulation.expected_events()
    with progress_bar(expected, "events", "publish") as bar:
        tally = publish(simulation, home, processes=processes_for(expected), progress=bar.update)
    for feed, count in sorted(tally.sent.items()):
        print(f"  {feed}: {count:,}", file=sys.stderr)
    return simulation.members[-1].user_id


def _wait(process: subprocess.Popen[bytes], name: str) -> int:
    """Wait for a program; a person at a terminal sees the seconds pass."""
    done = threading.Event()

    def tick() -> None:
        with progress_bar(None, "s", name) as bar:
            while not done.wait(1.0):
                bar.update(1)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        return process.wait()
    finally:
        done.set()
        ticker.join()


def _results(home: Home) -> None:
    # The connector and pandas warn on import.
    warnings.simplefilter("ignore")
    from databricks.sql import Error

    from lakehouse.warehouse import connection

    try:
        with connection(home) as opened, opened.cursor() as cursor:
            _show(cursor)
    except Error as error:
        raise WorkspaceError(f"The results could not be read: {error}") from error


def _show(cursor: Any) -> None:
    from lakehouse.commands.sql import write_rows

    for title, statement in (
        ("gold.workout_bpm_summary, the first rows", _WORKOUTS),
        ("gold.gym_summary, the first rows", _VISITS),
        ("Rows by layer", _counts(cursor)),
        ("What became of each feed's records (gold.pipeline_health)", _OUTCOMES),
        ("Rejected by reason (silver.rejected_records)", _REJECTED),
    ):
        cursor.execute(statement)
        print(f"\n{title}")
        write_rows(cursor, "table")


def _counts(cursor: Any) -> str:
    """A query for the rows of every table that people look at."""
    parts = []
    for schema in SCHEMAS:
        cursor.execute(f"show tables in {schema}")
        tables = sorted(row["tableName"] for row in cursor.fetchall())
        names = [f"{schema}.{table}" for table in tables if not table.startswith("stg_")]
        # The names come from the catalog.
        parts += [f"select '{name}' as name, count(*) as num_rows from {name}" for name in names]  # noqa: S608
    return " union all ".join(parts)


def _how_to_go_on(home: Home) -> str:
    lakehouse = _shown(Path(sys.executable).with_name("lakehouse"))
    dbt_program = _shown(Path(sys.executable).with_name("dbt"))
    return "\n".join(
        [
            "",
            "Look further:",
            f'  {lakehouse} sql "table gold.daily_heart_rates"',
            f"  {lakehouse} simulate --users 5 --days 2 --seed 2 --dirty 0.01",
            f"  {lakehouse} ingest && {dbt_program} build && {lakehouse} dashboard",
            f"  {lakehouse} dashboard --members ID…  # single members' days: personal data",
            f"  {lakehouse} down",
            f"Logs are in {home.logs}.",
        ]
    )


def _shown(program: Path) -> str:
    """The program as one types it in the checkout."""
    try:
        return str(program.relative_to(CHECKOUT))
    except ValueError:
        return str(program)

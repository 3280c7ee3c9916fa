"""Brings the parts of a workspace up, takes them down and tells how they are."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from lakehouse import jars as jar_cache
from lakehouse import kafka, processes, spark
from lakehouse.home import SCHEMAS, Home, WorkspaceError
from lakehouse.java import find_java
from lakehouse.processes import Command, Running

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARTS = ("kafka", "spark", "endpoint")
LEAST_FREE_BYTES = 2 * 1024**3
PATIENCE_SECONDS = 300.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PartStatus:
    """One line of `lakehouse status`."""

    part: str
    ports: tuple[int, ...]
    running: Running | None
    answers: bool
    memory_bytes: int


def up(home: Home, progress: Progress = lambda _: None) -> None:
    """Start what does not run and return when everything answers.

    What runs and answers is left alone, so a second call is quick and harmless. Raises
    WorkspaceError for what the user can mend: Java, ports, disk, a part that does not start.
    """
    java = find_java()
    home.create()
    _check_disk(home)
    jars = jar_cache.resolve(java)
    with processes.exclusive(home):
        missing = [p for p in PARTS if not _is_well(home, p)]
        for part in missing:
            processes.stop(home, part)
        _check_ports(home, missing)
        # Spark first: it takes the longest.
        if "spark" in missing:
            progress("starting Spark")
            spark.prepare(home, java, jars)
            processes.start(home, spark.command(home, java, jars), _settings_key(home, "spark"))
        if "kafka" in missing:
            progress("starting Kafka")
            kafka.prepare(home, java, jars)
            processes.start(home, kafka.command(home, java, jars), _settings_key(home, "kafka"))
        if "endpoint" in missing:
            progress("starting the SQL endpoint")
            processes.start(home, _endpoint_command(home), _settings_key(home, "endpoint"))
        if "kafka" in missing:
            _wait_until(home, "kafka", lambda: kafka.answers(home))
            progress("Kafka answers")
        kafka.create_topics(home)
        if "spark" in missing:
            _wait_until(home, "spark", lambda: _accepts(home.connect_port))
        session = spark.connect(home)
        try:
            session.sql("select 1").collect()
            if "spark" in missing:
                progress("Spark answers")
            _create_tables(session)
        finally:
            session.stop()
        _wait_until(home, "endpoint", lambda: _healthy(home))
        if "endpoint" in missing:
            progress("the SQL endpoint answers")


def down(home: Home, progress: Progress = lambda _: None) -> bool:
    """Stop every part. Returns whether anything ran."""
    if not home.run.is_dir():
        return False
    stopped = False
    with processes.exclusive(home):
        # Clients first, so that they do not log the loss of their servers.
        for part in reversed(PARTS):
            if processes.stop(home, part):
                progress(f"stopped {part}")
                stopped = True
    return stopped


def status(home: Home) -> list[PartStatus]:
    """How each part is; changes nothing."""
    lines = []
    for part in PARTS:
        running = processes.find(home, part) if home.run.is_dir() else None
        lines.append(
            PartStatus(
                part=part,
                ports=_ports(home, part),
                running=running,
                answers=running is not None and _answers(home, part),
                memory_bytes=running.memory_bytes() if running else 0,
            )
        )
    return lines


def require_up(home: Home) -> None:
    """Raise WorkspaceError unless all parts answer; for commands that need the workspace."""
    for line in status(home):
        if not line.answers:
            raise WorkspaceError(f"The workspace in {home.root} is not up: run `lakehouse up`.")


def require_own(home: Home, part: str) -> None:
    """Raise WorkspaceError if another workspace answers where a part of this one should.

    LAKEHOUSE_PORT leads any home to any port: checkpoints and leases of one would then be kept for
    the tables of another, which would take in its records twice.
    """
    port = _ports(home, part)[0]
    if processes.find(home, part) is None and _accepts(port):
        raise WorkspaceError(
            f"What answers on port {port} is not the workspace in {home.root}: run "
            "`lakehouse up`, or unset LAKEHOUSE_PORT if it is meant for another LAKEHOUSE_HOME."
        )


def _ports(home: Home, part: str) -> tuple[int, ...]:
    """Ports of a part, the one for clients first."""
    return {
        "kafka": (home.kafka_port, home.controller_port),
        "spark": (home.connect_port,),
        "endpoint": (home.endpoint_port,),
    }[part]


def _is_well(home: Home, part: str) -> bool:
    """Runs, with the settings of today, and answers."""
    running = processes.find(home, part)
    if running is None or running.settings != _settings_key(home, part):
        return False
    if part == "endpoint" and not _answers(home, "spark"):
        # It says that it is not ready, or will in a moment; once Spark is back it is.
        return _health(home) is not None
    return _answers(home, part)


def _answers(home: Home, part: str) -> bool:
    if part == "kafka":
        return kafka.answers(home)
    if part == "spark":
        return _accepts(home.connect_port)
    return _healthy(home)


def _settings_key(home: Home, part: str) -> str:
    """Changes when a running part must be started again: other ports, token or settings."""
    content: dict[str, object] = {"port": home.base_port, "token": home.token}
    if part == "kafka":
        content["kafka"] = kafka.settings(home)
    if part == "spark":
        content["spark"] = spark.settings(home)
        content["version"] = spark.version()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _endpoint_command(home: Home) -> Command:
    return Command(
        part="endpoint",
        arguments=(sys.executable, "-m", "lakehouse.endpoint"),
        folder=home.root,
    )


def _check_disk(home: Home) -> None:
    free = shutil.disk_usage(home.root).free
    if free < LEAST_FREE_BYTES:
        raise WorkspaceError(
            f"Only {free / 1024**3:.1f} GiB are free on the disk of {home.root}: make room for "
            f"{LEAST_FREE_BYTES // 1024**3} GiB, or set LAKEHOUSE_HOME to a folder on another disk."
        )


def _check_ports(home: Home, parts: list[str]) -> None:
    """Raise WorkspaceError if a port that a part is about to need is taken."""
    needed = {
        "kafka": (
            (home.kafka_port, "Kafka"),
            (home.controller_port, "Kafka's controller"),
        ),
        "spark": ((home.connect_port, "Spark Connect"),),
        "endpoint": ((home.endpoint_port, "the SQL endpoint"),),
    }
    for part in parts:
        for port, use in needed[part]:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise WorkspaceError(
                        f"Port {port} for {use} is taken{_holder(port)}: stop that program, or "
                        "set LAKEHOUSE_PORT to the first of 8 free ports."
                    ) from None


def _holder(port: int) -> str:
    """Who listens there, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return " by another program"


def _wait_until(home: Home, part: str, answers: Callable[[], bool]) -> None:
    """Wait for a part; fail at once if it has died."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not answers():
        running = processes.find(home, part)
        if running is None:
            raise WorkspaceError(f"{part} ended while starting: {_last_words(home, part)}")
        if time.monotonic() > deadline:
            raise WorkspaceError(
                f"{part} does not answer after {PATIENCE_SECONDS:.0f} s: see {home.logs}, then "
                "run `lakehouse down` and `lakehouse up`."
            )
        time.sleep(0.2)


def _last_words(home: Home, part: str) -> str:
    for name in (f"{part}.out", f"{part}.log"):
        path = home.logs / name
        if path.exists():
            lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
            if lines:
                return f"{lines[-1].strip()[:300]} (more in {path})"
    return f"see {home.logs}."


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _healthy(home: Home) -> bool:
    return _health(home) == 200


def _health(home: Home) -> int | None:
    """What the endpoint says of itself, as an HTTP status; None if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", home.endpoint_port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _create_tables(session: SparkSession) -> None:
    """Schemas, and bronze's tables, empty: so that dbt's sources exist before the first event."""
    from ingestion.bronze import create_tables

    present = {name for row in session.sql("show schemas").collect() for name in row}
    for schema in SCHEMAS:
        if schema not in present:
            session.sql(f"create schema {schema}")
    create_tables(session)


def versions() -> dict[str, str]:
    """Versions of what the workspace is made of."""
    of = {name: revision for _, name, revision in jar_cache.SPARK_MODULES + jar_cache.KAFKA_MODULES}
    return {
        "Spark": spark.version(),
        "Delta": of["delta-spark_4.2_2.13"],
        "Kafka": of["kafka_2.13"],
    }

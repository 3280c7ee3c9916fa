"""What the drills are made of: acknowledged records, a running ingestion, and what bronze holds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from lakehouse import kafka, processes
from lakehouse.home import CHECKOUT
from tests.support import PATIENCE_SECONDS, Workspace, until

Header = tuple[str, bytes]
Record = tuple[bytes | None, bytes | None, list[Header]]


class Drills:
    """A workspace with a ledger of all records that its broker has acknowledged.

    `ledger[topic]` holds (partition, offset) of each; `assert_bronze` compares them.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.home = workspace.home
        self.ledger: dict[str, set[tuple[int, int]]] = {}

    def produce(self, topic: str, count: int) -> None:
        """Send small records to both partitions and wait until they are acknowledged."""
        self.send(topic, [(str(i).encode(), uuid.uuid4().bytes, []) for i in range(count)])

    def send(self, topic: str, records: Sequence[Record]) -> list[tuple[int, int]]:
        """Send records and return their (partition, offset), in order."""
        producer = self.producer()
        try:
            futures = [
                producer.send(topic, key=key, value=value, headers=headers, partition=i % 2)
                for i, (key, value, headers) in enumerate(records)
            ]
            producer.flush()
            sent = [(done.partition, done.offset) for done in (f.get(60) for f in futures)]
        finally:
            producer.close()
        self.ledger.setdefault(topic, set()).update(sent)
        return sent

    def producer(self) -> Any:
        return KafkaProducer(
            **kafka.client_options(self.home),
            acks="all",
            linger_ms=20,
            max_request_size=2_000_000,
        )

    def admin(self) -> Any:
        return KafkaAdminClient(**kafka.client_options(self.home))

    @contextmanager
    def producing(self, topic: str, pause_seconds: float = 0.002) -> Iterator[None]:
        """Records keep coming while the block runs, also while the broker is away."""
        ended = threading.Event()
        acknowledged: set[tuple[int, int]] = set()
        failures: list[BaseException] = []

        def send() -> None:
            producer = self.producer()
            try:
                number = 0
                while not ended.is_set():
                    number += 1
                    producer.send(topic, value=b"%d" % number, partition=number % 2).add_callback(
                        lambda done: acknowledged.add((done.partition, done.offset))
                    )
                    if pause_seconds:
                        time.sleep(pause_seconds)
                producer.flush(timeout=60)
            except BaseException as error:
                failures.append(error)
            finally:
                producer.close()

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        assert not failures
        assert acknowledged
        self.ledger.setdefault(topic, set()).update(acknowledged)

    def drain(
        self, *options: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> str:
        """Run `lakehouse ingest`; returns its log."""
        done = self.workspace.run(
            *("ingest", *options),
            check=check,
            environment=environment,
            timeout=PATIENCE_SECONDS * 2,
        )
        assert (done.returncode == 0) == check, done.stderr
        return done.stderr

    @contextmanager
    def ingesting(self, *options: str, **environment: str) -> Iterator[Ingestion]:
        """`lakehouse ingest` beside the test; killed at the end if it still runs."""
        log = self.home.logs / f"ingest-{uuid.uuid4().hex[:8]}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "lakehouse.cli", "ingest", *options],
                cwd=CHECKOUT,
                env={**self.workspace.environment, **environment},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Ingestion(process, log)
        finally:
            process.kill()
            process.wait()

    def under_way(self, feed: str) -> int | None:
        """The micro-batch of a feed that is planned and not committed; None: there is none."""
        planned, committed = self.newest(feed, "offsets"), self.newest(feed, "commits")
        return planned if planned > committed else None

    def newest(self, feed: str, part: str) -> int:
        """The newest number in `offsets` or `commits` of a feed's checkpoint."""
        names = (path.name for path in (self.home.checkpoints / feed / part).glob("[0-9]*"))
        return max((int(name) for name in names if name.isdigit()), default=-1)

    def until_under_way(self, feed: str) -> int:
        """Wait for the beginning of a micro-batch; returns its number."""
        before = self.newest(feed, "offsets")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (planned := self.newest(feed, "offsets")) == before:
            assert time.monotonic() < deadline, "no micro-batch begins"
            time.sleep(0.005)
        return planned

    def kill_in_mid_batch(self, feed: str, pid: int) -> int:
        """kill -9 of a process as soon as a micro-batch has begun; returns its number."""
        batch = self.until_under_way(feed)
        under_way = self.under_way(feed)
        os.kill(pid, signal.SIGKILL)
        assert under_way == batch, "the micro-batch had ended before the kill"
        return batch

    def kill_spark_in_mid_batch(self, feed: str) -> int:
        """The same of Spark; the checkpoint then shows that it was in the midst of it."""
        spark = processes.find(self.home, "spark")
        assert spark is not None
        batch = self.kill_in_mid_batch(feed, spark.pid)
        until(lambda: processes.find(self.home, "spark") is None)
        assert self.under_way(feed) == batch, "the micro-batch had ended before the kill"
        return batch

    def version(self, table: str) -> int:
        """The newest version of a bronze table."""
        history = self.workspace.sql(f"describe history bronze.{table} limit 1")
        return int(history[0]["version"])

    def bronze(self, topic: str) -> list[tuple[int, int]]:
        """(partition, offset) of the rows that came from Kafka, newest epoch."""
        rows = self.workspace.sql(
            f"""
            select `partition`, `offset` from bronze.{topic}
            where source_file is null
            and topic_epoch = (select max(topic_epoch) from bronze.{topic})
            """
        )
        return [(row["partition"], row["offset"]) for row in rows]

    def assert_bronze(self, topic: str) -> None:
        """Bronze holds every acknowledged record, and each once.

        Records that the broker has but did not acknowledge in time may be there, too.
        """
        rows = self.bronze(topic)
        assert len(rows) == len(set(rows)), f"{len(rows) - len(set(rows))} repeats"
        missing = self.ledger.get(topic, set()) - set(rows)
        assert not missing, f"{len(missing)} of {len(self.ledger[topic])} are missing"
        for partition in {p for p, _ in rows}:
            offsets = [offset for p, offset in rows if p == partition]
            assert len(offsets) == max(offsets) - min(offsets) + 1, "offsets are not contiguous"


class Ingestion:
    """A running `lakehouse ingest`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def batches(self) -> int:
        return len(re.findall(r" batch=\d+ ", self.log))

    def until_batches(self, count: int) -> None:
        until(lambda: self.batches() >= count or self._ended())
        assert not self._ended(), self.log

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

"""Large results, many at a time, and stopping: what is promised about memory and jobs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from lakehouse import processes
from tests.endpoint.conftest import Client
from tests.support import Workspace

MIB = 1 << 20
ROWS = 1_000_000
# 200 MB of text, which grows by the row so that nothing can compress or share it.
LARGE = f"SELECT id, concat(repeat('x', 190), CAST(id + {10**9} AS STRING)) AS s FROM range({ROWS})"
# Would take hours and finds nothing. Tasks of less than a second: Spark shares its cores out among
# statements when a task ends, never before. One stage: those behind a shuffle are submitted by a
# thread of their own, and Spark may submit one just after it has cancelled what is running.
ENDLESS = f"""
    SELECT id FROM range(0, {10**12}, 1, {10**5}) WHERE hash(id) = 7 AND xxhash64(id) = 7
"""


def process_of(workspace: Workspace, part: str) -> psutil.Process:
    running = processes.find(workspace.home, part)
    assert running is not None
    return psutil.Process(running.pid)


@contextmanager
def peak_memory(process: psutil.Process) -> Iterator[Callable[[], int]]:
    """Sample resident bytes while the block runs; gives a function that tells the greatest."""
    peak = process.memory_info().rss
    ended = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield lambda: peak
    finally:
        ended.set()
        thread.join()


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def task_seconds(spark: psutil.Process) -> dict[int, float]:
    """CPU seconds of each of Spark's task threads, by thread id; they rest when no task runs."""
    found = {}
    for thread in spark.threads():
        try:
            name = Path(f"/proc/{spark.pid}/task/{thread.id}/comm").read_text()
        except OSError:
            continue  # it has ended
        # The system keeps 15 characters of "Executor task launch worker".
        if name.startswith("Executor task"):
            found[thread.id] = thread.user_time + thread.system_time
    return found


def is_working(spark: psutil.Process) -> bool:
    """Whether a task of Spark's uses the processor, within two seconds."""
    before = task_seconds(spark)
    time.sleep(2.0)
    return any(used > before.get(thread, 0.0) for thread, used in task_seconds(spark).items())


def health(workspace: Workspace) -> dict[str, Any]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", workspace.home.endpoint_port, timeout=30)
    connection.request("GET", "/health")
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return found


def test_a_million_rows_are_never_held_as_a_whole(workspace: Workspace, client: Client) -> None:
    endpoint = process_of(workspace, "endpoint")
    client.value(f"SELECT count(*) FROM ({LARGE})")
    before = endpoint.memory_info().rss
    count, size, total = 0, 0, 0
    with peak_memory(endpoint) as peak, client.connection.cursor() as cursor:
        cursor.execute(LARGE)
        while (chunk := cursor.fetchmany_arrow(20_000)).num_rows:
            count += chunk.num_rows
            size += chunk.nbytes
            total += sum(chunk.column("id").to_pylist())
        grown = peak() - before
    assert count == ROWS
    assert total == ROWS * (ROWS - 1) // 2
    assert size > 190 * MIB
    assert grown < 100 * MIB


def test_a_client_that_reads_slowly_gets_the_rows_in_order(client: Client) -> None:
    with client.connection.cursor() as cursor:
        cursor.arraysize = 1000
        cursor.execute("SELECT id FROM range(0, 25000, 1, 3)")
        ids: list[int] = []
        while rows := cursor.fetchmany(777):
            ids.extend(row.id for row in rows)
    assert ids == list(range(25000))


def test_statements_of_several_sessions_run_at_once(workspace: Workspace) -> None:
    together = threading.Barrier(6, timeout=120)

    def work(number: int) -> int:
        with workspace.connect() as connection:
            client = Client(connection)
            together.wait()
            for turn in range(5):
                name = f"v{number}"
                client.rows(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS SELECT {turn} AS a")
                assert client.value(f"SELECT a FROM {name}") == turn
            return int(client.value(f"SELECT count(*) FROM range({number})"))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == list(range(6))


def test_a_quick_statement_does_not_wait_for_a_long_one(
    workspace: Workspace, client: Client
) -> None:
    with workspace.connect() as other, other.cursor() as long:
        long.execute_async(ENDLESS)
        try:
            assert client.value("SELECT count(*) FROM range(1000)") == 1000
            assert long.is_query_pending()
        finally:
            long.cancel()


def test_cancelling_stops_the_job_in_spark(workspace: Workspace) -> None:
    spark = process_of(workspace, "spark")
    with workspace.connect() as connection, connection.cursor() as cursor:
        ended: list[BaseException] = []

        def run() -> None:
            try:
                cursor.execute(ENDLESS)
                cursor.fetchall()
            except Exception as error:
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: cursor.active_command_id is not None)
        wait_until(lambda: is_working(spark))
        cursor.cancel()
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert len(ended) == 1
        assert "OPERATION_CANCELED" in str(ended[0])
        wait_until(lambda: not is_working(spark))
        # The session goes on.
        assert Client(connection).value("SELECT 1") == 1


def test_closing_a_result_that_was_not_read_stops_the_job(
    workspace: Workspace, client: Client
) -> None:
    spark = process_of(workspace, "spark")
    with workspace.connect() as connection, connection.cursor() as cursor:
        cursor.execute_async(ENDLESS)
        wait_until(lambda: is_working(spark))
    wait_until(lambda: not is_working(spark))


def test_closed_sessions_leave_nothing(workspace: Workspace) -> None:
    before = health(workspace)["sessions"]
    connections = [workspace.connect() for _ in range(5)]
    assert health(workspace)["sessions"] == before + 5
    for connection in connections:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM range(100000)")
        connection.close()
    assert health(workspace)["sessions"] == before


def test_an_asynchronous_statement(client: Client) -> None:
    with client.connection.cursor() as cursor:
        cursor.execute_async("SELECT sum(id) AS s FROM range(1000000)")
        cursor.get_async_execution_result()
        assert cursor.fetchone().s == 499999500000


def test_an_error_while_rows_are_read_reaches_the_client(client: Client) -> None:
    # The first rows are fine; the last of a later task is not.
    sql = "SELECT id, 1 / (id - 2999999) FROM range(0, 3000000, 1, 8)"
    with client.connection.cursor() as cursor, pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        cursor.execute(sql)
        cursor.fetchall_arrow()


def test_the_log_has_the_statements_without_their_values(
    workspace: Workspace, client: Client
) -> None:
    client.rows("SELECT 'a secret of ann' AS s, 424242 AS n")
    text = (workspace.home.logs / "statements.jsonl").read_text()
    assert "secret of ann" not in text
    assert "424242" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line.get("sql") == "SELECT ? AS s, ? AS n" and line["rows"] == 1 for line in lines)

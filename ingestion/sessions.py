"""Spark sessions: given on Databricks, one Spark Connect session a feed elsewhere."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from ingestion.feeds import IngestionError

log = logging.getLogger(__name__)


@contextmanager
def session(remote: str, session_id: str = "") -> Iterator[SparkSession]:
    """A session for the length of the block. Leaving it stops the session's queries.

    `remote` is a Spark Connect URL; empty: the session that the platform gives, which stays.
    Raises IngestionError if the server is not there.
    """
    if not remote:
        yield SparkSession.builder.getOrCreate()
        return
    spark = attach(remote, session_id)
    try:
        yield spark
    finally:
        spark.stop()


def stop_queries(remote: str, session_id: str, seconds: float = 60) -> int:
    """Stop the streaming queries that a dead client left in its session; returns how many.

    Returns when they have stopped. Raises IngestionError if they have not within `seconds`.
    """
    with session(remote, session_id) as spark:
        end = time.monotonic() + seconds
        try:
            queries = spark.streams.active
            for query in queries:
                query.stop()
            while spark.streams.active:
                if time.monotonic() > end:
                    raise IngestionError(
                        f"An earlier query of session {session_id} does not stop: restart Spark."
                    )
                time.sleep(0.2)
        except Exception as error:
            if "INVALID_HANDLE" in str(error):  # the server has closed this session: nothing runs
                return 0
            raise
    return len(queries)


def attach(remote: str, session_id: str) -> Any:
    """The Connect session of this id; it gives up after seconds, not the client's 10 minutes."""
    from pyspark.sql.connect.client.retries import DefaultPolicy

    _check_reachable(remote)
    # A session is found again by user and id.
    url = remote + (";" if "/;" in remote else "/;") + "user_id=ingestion"
    if session_id:
        url += f";session_id={session_id}"
    spark: Any = SparkSession.builder.remote(url).create()
    policy = DefaultPolicy(max_retries=3, initial_backoff=100, max_backoff=2000)
    spark.client.set_retry_policies([policy])
    return spark


def _check_reachable(remote: str) -> None:
    address = urlsplit(remote)
    try:
        socket.create_connection((address.hostname or "", address.port or 15002), 5).close()
    except OSError:
        raise IngestionError(
            f"Spark does not answer at {address.hostname}:{address.port}: start it "
            "(`lakehouse up` for the local workspace) and try again."
        ) from None

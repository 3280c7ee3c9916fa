"""Connections to a workspace: Databricks' own connector to its SQL endpoint, Spark Connect."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lakehouse.home import CATALOG, Home, WorkspaceError
from lakehouse.workspace import require_own

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def connection(home: Home) -> Iterator[Any]:
    """A connection of databricks-sql-connector, closed at the end.

    Raises WorkspaceError if nothing listens, for which the connector itself would go on trying, or
    another workspace does.
    """
    require_own(home, "endpoint")
    try:
        socket.create_connection(("127.0.0.1", home.endpoint_port), timeout=5).close()
    except OSError:
        raise WorkspaceError(
            f"the SQL endpoint of {home.root} does not answer on port {home.endpoint_port}: "
            "run `lakehouse up`."
        ) from None
    options = connection_options(home)
    with _connector().connect(**options, _retry_stop_after_attempts_count=1) as opened:
        yield opened


def connection_options(home: Home) -> dict[str, Any]:
    """What the connector is given to reach the SQL endpoint."""
    return {
        "server_hostname": home.endpoint_url,
        "http_path": home.http_path,
        "access_token": home.token,
        "catalog": CATALOG,
        "_connection_uri": home.endpoint_url + home.http_path,
        "use_cloud_fetch": False,
        "enable_telemetry": False,
    }


@contextmanager
def databricks_connection() -> Iterator[Any]:
    """A connection to the SQL warehouse that the environment names as dbt's profiles do.

    Raises WorkspaceError if it names none.
    """
    names = ("DATABRICKS_HOST", "DATABRICKS_HTTP_PATH", "DATABRICKS_TOKEN")
    host, path, token = (os.environ.get(name, "") for name in names)
    if not (host and path and token):
        raise WorkspaceError(f"No SQL warehouse is named: set {', '.join(names)}.")
    with _connector().connect(server_hostname=host, http_path=path, access_token=token) as opened:
        yield opened


def _connector() -> Any:
    """databricks-sql-connector, which like pandas warns and logs; stdout and stderr are ours."""
    warnings.simplefilter("ignore")
    for name in ("databricks", "thrift", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    from databricks import sql

    return sql


@contextmanager
def spark_session(home: Home) -> Iterator[SparkSession]:
    """A Spark Connect session. Raises WorkspaceError if Spark does not answer, if it is another
    workspace's, or in place of ingestion's own errors in the block."""
    require_own(home, "spark")
    from ingestion import sessions
    from ingestion.feeds import IngestionError

    try:
        with sessions.session(home.connect_url) as spark:
            yield spark
    except IngestionError as error:
        raise WorkspaceError(str(error)) from error

"""`python -m lakehouse.endpoint`: serve the SQL warehouse protocol for the home of the environment.

Stops on SIGTERM or SIGINT: no new request, statements stopped, sessions freed, within seconds.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any

from lakehouse import lease_watchdog
from lakehouse.home import Home, WorkspaceError

logger = logging.getLogger("lakehouse.endpoint")


def main() -> int:
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        home = Home.from_environment()
    except WorkspaceError as error:
        print(error, file=sys.stderr)
        return 1
    return serve(home)


def serve(home: Home) -> int:
    """Serve until a signal comes. Returns an exit code."""
    # Slow to import; the settings were worth checking before.
    from lakehouse.endpoint.connect import SparkServer
    from lakehouse.endpoint.descriptions import Descriptions
    from lakehouse.endpoint.governance import Governance
    from lakehouse.endpoint.http import EndpointServer
    from lakehouse.endpoint.service import Service
    from lakehouse.endpoint.statement_log import StatementLog

    spark = SparkServer(home.connect_url)
    log = StatementLog(home.logs / "statements.jsonl")
    idle = float(os.environ.get("LAKEHOUSE_SESSION_IDLE_SECONDS") or 1800)
    governance = Governance(home.governance)
    service = Service(spark, governance, Descriptions(home.warehouse), log, idle)

    def health() -> tuple[bool, dict[str, Any]]:
        sessions, running = service.count()
        return spark.is_ready(2.0), {"sessions": sessions, "running": running}

    try:
        server = EndpointServer(home.endpoint_port, home.token, service, health)
    except OSError as error:
        print(
            f"The SQL endpoint cannot listen on port {home.endpoint_port} ({error.strerror}): "
            "stop what uses it, or set LAKEHOUSE_PORT.",
            file=sys.stderr,
        )
        return 1

    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    _start_lease_watchdog(home)
    logger.info("listening on 127.0.0.1:%d", home.endpoint_port)
    while not stopping.wait(min(30.0, max(1.0, idle / 4))):
        service.expire()
    logger.info("stopping")
    server.shutdown()
    server.server_close()
    # Spark may be down already, in which case freeing sessions would wait for it.
    freeing = threading.Thread(target=service.close, name="freeing", daemon=True)
    freeing.start()
    freeing.join(5.0)
    log.close()
    return 0


def _start_lease_watchdog(home: Home) -> None:
    """The watch over ingestion's leases lives in this process, which runs as long as Spark."""
    try:
        lease_watchdog.start(home)
    except Exception:
        logger.exception("the watch over ingestion's leases did not start")


if __name__ == "__main__":
    sys.exit(main())

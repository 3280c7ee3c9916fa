"""HTTP/1.1 around the protocol: the token, framing, `/health`. Listens on the loopback only."""

from __future__ import annotations

import hmac
import json
import logging
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from databricks.sql.thrift_api.TCLIService import TCLIService
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

logger = logging.getLogger(__name__)

PREFIX = "/sql/"
_MAX_REQUEST = 64 << 20  # bytes: a statement, with the rows of a seed in it
_IDLE_SECONDS = 900  # a kept-alive connection without a request

_NO_TOKEN = "No access token: set LAKEHOUSE_TOKEN to that of the workspace."
_WRONG_TOKEN = "Wrong access token: set LAKEHOUSE_TOKEN to that of the workspace."


class EndpointServer(ThreadingHTTPServer):
    """One thread a connection, which clients keep alive."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, token: str, service: Any, health: Callable[[], tuple[bool, dict[str, Any]]]
    ) -> None:
        """Bind 127.0.0.1:`port`. Raises OSError if it is taken."""
        self.token = token.encode()
        self.processor = TCLIService.Processor(service)
        self.health = health
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is no news.
        logger.debug("connection ended early", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: EndpointServer

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            self.close_connection = True
            self._send(411, b"", "text/plain")
            return
        refusal = self._refusal()
        if refusal is not None:
            self._drain(length)
            status, message = refusal
            # The connector shows this header's text and does not try again.
            self._send(status, message.encode(), "text/plain", message)
            return
        if not self.path.startswith(PREFIX):
            self._drain(length)
            self._send(404, b"not found", "text/plain")
            return
        if length > _MAX_REQUEST:
            self.close_connection = True
            self._send(413, b"too large", "text/plain", "The statement is too large.")
            return
        incoming = TMemoryBuffer(self.rfile.read(length))
        outgoing = TMemoryBuffer()
        self.server.processor.process(TBinaryProtocol(incoming), TBinaryProtocol(outgoing))
        self._send(200, outgoing.getvalue(), "application/x-thrift")

    def do_GET(self) -> None:
        if self.path == "/health":
            healthy, facts = self.server.health()
            body = json.dumps({"status": "ok" if healthy else "starting", **facts}).encode()
            self._send(200 if healthy else 503, body, "application/json")
            return
        if self.path == "/.well-known/databricks-config":
            # Databricks' SDK, which dbt uses for the token, asks what kind of host this is.
            self._send(200, b'{"host_type": "workspace"}', "application/json")
            return
        self._send(404, b"not found", "text/plain")

    def _refusal(self) -> tuple[int, str] | None:
        given = self.headers.get("Authorization")
        if given is None:
            return 401, _NO_TOKEN
        scheme, _, token = given.partition(" ")
        known = hmac.compare_digest(token.strip().encode(), self.server.token)
        if scheme.lower() != "bearer" or not known:
            return 403, _WRONG_TOKEN
        return None

    def _drain(self, length: int) -> None:
        """Read what will not be looked at, or else the client could not read the answer."""
        if length > _MAX_REQUEST:
            self.close_connection = True
            return
        self.rfile.read(length)

    def _send(self, status: int, body: bytes, kind: str, message: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if message is not None:
            self.send_header("x-thriftserver-error-message", message)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        if self.close_connection:
            self.send_header("Connection", "close")
        # One packet for small answers: head and body would wait for each other otherwise.
        self._headers_buffer.append(b"\r\n")  # type: ignore[attr-defined]
        head = b"".join(self._headers_buffer)  # type: ignore[attr-defined]
        self._headers_buffer = []
        if len(body) < 65536:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: there is a statement log."""

    def version_string(self) -> str:
        return "lakehouse"


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

"""HTTP/1.1 around the protocol: the token, framing, `/health`. Listens on the loopback only."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from local.endpoint.thrift_api import Processor

logger = logging.getLogger(__name__)

PREFIX = "/sql/"
_MAX_REQUEST = 64 << 20  # bytes: a statement, with the rows of a seed in it
_IDLE_SECONDS = 900  # a kept-alive connection without a request

_WAY_OUT = "set LAKEHOUSE_TOKEN to that of the workspace."


class EndpointServer(ThreadingHTTPServer):
    """One thread a connection, which clients keep alive."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, token: str, service: Any, health: Callable[[], tuple[bool, dict[str, Any]]]
    ) -> None:
        """Bind 127.0.0.1:`port`. Raises OSError if it is taken."""
        self.token = token.encode()
        self.processor = Processor(service)
        self.health = health
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, *_: Any) -> None:
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
            return 401, f"No access token: {_WAY_OUT}"
        scheme, _, token = given.partition(" ")
        known = hmac.compare_digest(token.strip().encode(), self.server.token)
        if scheme.lower() != "bearer" or not known:
            return 403, f"Wrong access token: {_WAY_OUT}"
        return None

    def _drain(self, length: int) -> None:
        """Read what will not be looked at, or else the client could not read the answer."""
        if length > _MAX_REQUEST:
            self.close_connection = True
            return
        self.rfile.read(length)

    def _send(self, status: int, body: bytes, kind: str, message: str | None = None) -> None:
        head = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
        ]
        if message is not None:
            head.append(f"x-thriftserver-error-message: {message}")
        if status == HTTPStatus.UNAUTHORIZED:
            head.append("WWW-Authenticate: Bearer")
        if self.close_connection:
            head.append("Connection: close")
        start = "\r\n".join((*head, "", "")).encode()
        # One packet for small answers, for which the client would wait otherwise; a large body is
        # not copied.
        if len(body) < 65536:
            self.wfile.write(start + body)
        else:
            self.wfile.write(start)
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: there is a statement log."""

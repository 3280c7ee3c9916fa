"""HTTP/1.1 around the protocol: the token, framing, `/health`. Listens on the loopback only.

Others can reach the loopback too: a second user of the machine, and, by a browser of this one, any
web page. Until a connection has shown the token it is a stranger's: few are kept, little is read
from each, not for long.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from lakehouse.endpoint.thrift_api import Processor

logger = logging.getLogger(__name__)

PREFIX = "/sql/"
_MAX_REQUEST = 64 << 20  # bytes: a statement, with the rows of a seed in it
_MAX_LIST = 100_000  # elements of a list or map in a request; each costs far more than its bytes
_IDLE_SECONDS = 900  # a kept-alive connection without a request

# Of a stranger: bytes of a request's head, and of a body that is read only so that the client can
# read the answer; seconds of silence; connections, of which the oldest goes.
_MAX_HEAD = 32 << 10
_MAX_UNREAD = 64 << 10
_STRANGERS_SECONDS = 10
_MAX_STRANGERS = 64

# A page of another site that has its own name lead here (DNS rebinding) gives that name.
_OWN_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", re.IGNORECASE)

_WAY_OUT = "unset LAKEHOUSE_TOKEN, or set it to that of the workspace (`lakehouse env`)."


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
        self._strangers: dict[socket.socket, None] = {}  # the oldest first
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._strangers[request] = None
            if len(self._strangers) > _MAX_STRANGERS:
                oldest = next(iter(self._strangers))
                del self._strangers[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def know(self, request: socket.socket) -> None:
        """The connection has shown the token."""
        with self._lock:
            self._strangers.pop(request, None)
        request.settimeout(_IDLE_SECONDS)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._strangers.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, *_: Any) -> None:
        # A client that went away is no news.
        logger.debug("connection ended early", exc_info=True)


class _TooMuch(Exception):
    """The head of a request is too long."""


class _Head:
    """The lines of a request's head, `left` bytes of them at most."""

    def __init__(self, stream: Any) -> None:
        self.body = stream
        self.left = 0

    def readline(self, limit: int) -> bytes:
        line: bytes = self.body.readline(min(limit, self.left + 1))
        self.left -= len(line)
        if self.left < 0:
            raise _TooMuch
        return line

    def close(self) -> None:
        self.body.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _STRANGERS_SECONDS
    server: EndpointServer

    def setup(self) -> None:
        super().setup()
        self._head = _Head(self.rfile)
        self.rfile = self._head  # type: ignore[assignment]

    def handle_one_request(self) -> None:
        self._head.left = _MAX_HEAD
        try:
            super().handle_one_request()
        except _TooMuch:
            self.close_connection = True
            self._send(431, b"too large", "text/plain")

    def do_POST(self) -> None:
        length = self._length()
        refusal = self._foreign() or self._unknown()
        if refusal is not None:
            self._refuse(length, *refusal)
            return
        self.server.know(self.connection)
        if length is None:
            self._refuse(None, 411, "A length is required.")
        elif not self.path.startswith(PREFIX):
            self._refuse(length, 404, "not found")
        elif length > _MAX_REQUEST:
            self._refuse(length, 413, "The statement is too large.")
        else:
            self._call(length)

    def _call(self, length: int) -> None:
        incoming = TBinaryProtocol(
            TMemoryBuffer(self._head.body.read(length)), container_length_limit=_MAX_LIST
        )
        outgoing = TMemoryBuffer()
        self.server.processor.process(incoming, TBinaryProtocol(outgoing))
        self._send(200, outgoing.getvalue(), "application/x-thrift")

    def do_GET(self) -> None:
        refusal = self._foreign()
        if refusal is not None:
            self._refuse(self._length() or 0, *refusal)
            return
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

    def _length(self) -> int | None:
        given = self.headers.get("Content-Length", "")
        return int(given) if re.fullmatch(r"[0-9]{1,18}", given) else None

    def _foreign(self) -> tuple[int, str] | None:
        """Whether a web page asks, or may ask; no page is served here that could be one of ours."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _OWN_HOST.fullmatch(hosts[0].strip()):
            return 403, "Wrong host: connect to localhost."
        if "Origin" in self.headers:
            return 403, "This is no place for web pages."
        return None

    def _unknown(self) -> tuple[int, str] | None:
        given = self.headers.get("Authorization")
        if given is None:
            return 401, f"No access token: {_WAY_OUT}"
        scheme, _, token = given.partition(" ")
        known = hmac.compare_digest(token.strip().encode(), self.server.token)
        if scheme.lower() != "bearer" or not known:
            return 403, f"Wrong access token: {_WAY_OUT}"
        return None

    def _refuse(self, length: int | None, status: int, message: str) -> None:
        """Answer without a look at the body, which is read if it is short: else the connection
        ends, and the client may not be able to read the answer."""
        if length is None or length > _MAX_UNREAD:
            self.close_connection = True
        else:
            self._head.body.read(length)
        # The connector shows this header's text and does not try again.
        self._send(status, message.encode(), "text/plain", message)

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

"""The front door: token, loopback, framing. No Spark behind it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from databricks import sql
from databricks.sql.exc import RequestError
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType, TType
from thrift.transport.TTransport import TMemoryBuffer

from lakehouse.endpoint.http import EndpointServer
from lakehouse.endpoint.service import Service as RealService
from lakehouse.endpoint.thrift_api import t

TOKEN = "right-token"


class Service:
    """Opens sessions, and nothing else."""

    def OpenSession(self, request: Any) -> Any:
        return t.TOpenSessionResp(
            t.TStatus(t.TStatusCode.SUCCESS_STATUS),
            t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
            sessionHandle=t.TSessionHandle(t.THandleIdentifier(b"1" * 16, b"2" * 16)),
        )

    def CloseSession(self, request: Any) -> Any:
        return t.TCloseSessionResp(t.TStatus(t.TStatusCode.SUCCESS_STATUS))


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    endpoint = EndpointServer(0, TOKEN, Service(), lambda: (True, {"sessions": 0}))
    thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()


def request(
    server: EndpointServer, method: str, path: str, body: bytes = b"", /, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, body=body or None, headers=headers)
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def connect(server: EndpointServer, token: str) -> Any:
    url = f"http://localhost:{server.server_port}"
    return sql.connect(
        server_hostname=url,
        http_path="/sql/1.0/warehouses/local",
        access_token=token,
        _connection_uri=f"{url}/sql/1.0/warehouses/local",
        use_cloud_fetch=False,
        enable_telemetry=False,
    )


def test_the_right_token_opens_a_session(server: EndpointServer) -> None:
    connect(server, TOKEN).close()


@pytest.mark.parametrize("token", ["wrong", "right-toke", "right-token2"])
def test_a_wrong_token_fails_at_once_and_says_so(server: EndpointServer, token: str) -> None:
    before = time.monotonic()
    with pytest.raises(RequestError, match="LAKEHOUSE_TOKEN"):
        connect(server, token)
    # The connector's own patience would be 15 minutes.
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 403),
        ({"Authorization": TOKEN}, 403),
        ({"Authorization": "Bearer"}, 403),
        ({"Authorization": "Bearer é"}, 403),
    ],
)
def test_no_request_without_the_token(
    server: EndpointServer, headers: dict[str, str], status: int
) -> None:
    encoded = {k: v.encode().decode("latin-1") for k, v in headers.items()}
    response = request(server, "POST", "/sql/1.0/warehouses/local", b"x", **encoded)
    assert response.status == status


def test_health_needs_no_token(server: EndpointServer) -> None:
    response = request(server, "GET", "/health")
    assert response.status == 200
    assert json.loads(response.body) == {"status": "ok", "sessions": 0}  # type: ignore[attr-defined]


def test_health_is_503_while_spark_is_away(server: EndpointServer) -> None:
    server.health = lambda: (False, {})
    assert request(server, "GET", "/health").status == 503


def test_other_paths_are_not_found(server: EndpointServer) -> None:
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    assert request(server, "GET", "/").status == 404
    assert request(server, "POST", "/elsewhere", b"x", **authorized).status == 404


def test_it_listens_on_the_loopback_only(server: EndpointServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_connection_is_kept_for_the_next_request(server: EndpointServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", "/health")
    connection.getresponse().read()
    socket_before = connection.sock
    connection.request("POST", "/sql/x", body=b"refused", headers={})
    assert connection.getresponse().read()
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    assert connection.sock is socket_before
    connection.close()


def test_a_request_that_is_too_large_is_refused(server: EndpointServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as raw:
        raw.sendall(
            b"POST /sql/1.0/warehouses/local HTTP/1.1\r\nHost: localhost\r\n"
            b"Authorization: Bearer right-token\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert raw.recv(64).startswith(b"HTTP/1.1 413 ")


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example:15440"},
    {"Host": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8000"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_web_pages_are_refused(server: EndpointServer, headers: dict[str, str]) -> None:
    assert request(server, "GET", "/health", **headers).status == 403
    given = {"Authorization": f"Bearer {TOKEN}", **headers}
    assert request(server, "POST", "/sql/1.0/warehouses/local", b"x", **given).status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:15440", "[::1]:15440"])
def test_its_own_names_are_known(server: EndpointServer, host: str) -> None:
    assert request(server, "GET", "/health", Host=host).status == 200


def opened(server: EndpointServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=30)


@pytest.mark.parametrize("length", ["-1", "1_000", "+5", "x", "9" * 30])
def test_an_odd_length_is_refused(server: EndpointServer, length: str) -> None:
    with opened(server) as raw:
        raw.sendall(
            b"POST /sql/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer right-token\r\n"
            b"Content-Length: " + length.encode() + b"\r\n\r\n"
        )
        assert raw.recv(64).startswith(b"HTTP/1.1 411 ")


def test_little_is_read_of_a_stranger(server: EndpointServer) -> None:
    with opened(server) as raw:
        raw.sendall(b"POST /sql/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        # Answered though not a byte of the body has come; then the connection ends.
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in answer
    with opened(server) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nX: " + b"x" * (33 << 10))
        assert raw.recv(64).startswith(b"HTTP/1.1 431 ")


def test_few_strangers_are_kept_and_none_keeps_the_owner_out(server: EndpointServer) -> None:
    with ExitStack() as held:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        held.callback(connection.close)

        def ask() -> int:
            given = {"Authorization": f"Bearer {TOKEN}"}
            connection.request("POST", "/elsewhere", b"x", given)
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert ask() == 404
        mine = connection.sock
        strangers = [held.enter_context(opened(server)) for _ in range(80)]
        assert ask() == 404
        assert connection.sock is mine
        assert [raw.recv(1) for raw in strangers[:10]] == [b""] * 10
        connect(server, TOKEN).close()


def test_a_session_holds_so_many_statements_and_no_more() -> None:
    class Busy:
        last_used = 0.0

        def operations(self) -> list[None]:
            return [None] * 100

    nothing: Any = None
    service = RealService(nothing, nothing, nothing, nothing)
    service._sessions[b"1"] = Busy()  # type: ignore[assignment]
    handle = t.TSessionHandle(t.THandleIdentifier(b"1", b"2"))
    answer = service.ExecuteStatement(t.TExecuteStatementReq(handle, statement="select 1"))
    assert answer.status.statusCode == t.TStatusCode.ERROR_STATUS
    assert "100 open statements: read or close" in answer.status.errorMessage


@pytest.mark.parametrize(("elements", "taken"), [(100_000, True), (100_001, False)])
def test_lists_are_bounded(server: EndpointServer, elements: int, taken: bool) -> None:
    """An empty struct is one byte of a request, and some hundred as an object."""
    message = TMemoryBuffer()
    protocol = TBinaryProtocol(message)
    protocol.writeMessageBegin("OpenSession", TMessageType.CALL, 1)
    protocol.writeFieldBegin("req", TType.STRUCT, 1)
    protocol.writeFieldBegin("unknown", TType.LIST, 9999)
    protocol.writeListBegin(TType.STRUCT, elements)
    body = message.getvalue() + bytes(elements + 2)
    given = {"Authorization": f"Bearer {TOKEN}"}
    if taken:
        assert request(server, "POST", "/sql/1.0/warehouses/local", body, **given).status == 200
    else:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            request(server, "POST", "/sql/1.0/warehouses/local", body, **given)


def test_a_taken_port_is_an_error(server: EndpointServer) -> None:
    with pytest.raises(OSError, match="in use"):
        EndpointServer(server.server_port, TOKEN, Service(), lambda: (True, {}))

"""The front door: token, loopback, framing. No Spark behind it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from databricks import sql
from databricks.sql.exc import RequestError

from local.endpoint.http import EndpointServer
from local.endpoint.thrift_api import t

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
    server: EndpointServer, method: str, path: str, body: bytes = b"", **headers: str
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
            b"POST /sql/1.0/warehouses/local HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer right-token\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert raw.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_taken_port_is_an_error(server: EndpointServer) -> None:
    with pytest.raises(OSError, match="in use"):
        EndpointServer(server.server_port, TOKEN, Service(), lambda: (True, {}))

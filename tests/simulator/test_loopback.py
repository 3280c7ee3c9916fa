"""Publishing goes to the loopback only, unless told otherwise."""

from __future__ import annotations

import pytest

from lakehouse.home import WorkspaceError
from lakehouse.producer import host_of, require_loopback
from tests.support import Workspace


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "::1"])
def test_the_loopback_is_allowed(host: str) -> None:
    require_loopback([host])


@pytest.mark.parametrize("host", ["192.0.2.7", "10.0.0.1", "0.0.0.0", "broker.invalid"])
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(WorkspaceError, match="--allow-remote"):
        require_loopback(["127.0.0.1", host])


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("a.example:9092", "a.example"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("a.example", "a.example"),
        ("[::1]:9092", "::1"),
        ("::1", "::1"),
    ],
)
def test_host_of_an_address(address: str, host: str) -> None:
    assert host_of(address) == host


def test_publishing_elsewhere_is_refused(workspace: Workspace) -> None:
    done = workspace.run("simulate", "--bootstrap", "192.0.2.7:9092", check=False)
    assert done.returncode == 1
    assert "--allow-remote" in done.stderr

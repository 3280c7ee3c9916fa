"""What keeps a workspace from starting is told in one sentence, before anything is started."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from lakehouse import workspace as workspaces
from lakehouse.home import WorkspaceError
from tests.support import Workspace


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_a_taken_port_is_named_with_who_has_it(
    fresh_workspace: Callable[[], Workspace], offset: int
) -> None:
    workspace = fresh_workspace()
    port = workspace.home.base_port + offset
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(WorkspaceError) as fault:
            workspaces.up(workspace.home)
    assert f"Port {port} for " in str(fault.value)
    assert f"(pid {os.getpid()})" in str(fault.value)
    assert "set LAKEHOUSE_PORT to the first of 8 free ports" in str(fault.value)
    assert all(line.running is None for line in workspaces.status(workspace.home))


def test_a_full_disk_is_told(
    fresh_workspace: Callable[[], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = fresh_workspace()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    with pytest.raises(WorkspaceError, match=r"Only 1\.0 GiB are free .* LAKEHOUSE_HOME"):
        workspaces.up(workspace.home)


def test_status_and_down_of_what_never_was(fresh_workspace: Callable[[], Workspace]) -> None:
    workspace = fresh_workspace()
    status = workspace.run("status", check=False)
    assert status.returncode == 3
    assert status.stdout.count(" down ") == 3
    assert workspace.run("down").stdout == "Nothing was running.\n"
    assert not workspace.home.root.exists()
    with pytest.raises(WorkspaceError, match="is not up: run `lakehouse up`"):
        workspaces.require_up(workspace.home)

"""Fixtures for tests that need a workspace: Kafka, Spark and the SQL endpoint."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from lakehouse.home import Home
from tests.landed import (  # noqa: F401 - fixtures
    example_workspace,
    landed_cases,
    landed_example,
    landed_month,
)
from tests.support import Workspace, free_base_port, running


def pytest_configure(config: pytest.Config) -> None:
    """Asked to end, by a CI's time limit say, the fixtures still take down what they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        # A terminal interrupts the workers too: a second time, amid what they take down.
        signal.signal(signal.SIGINT, lambda *_: None)


def pytest_keyboard_interrupt() -> None:
    """Likewise of the workers of pytest-xdist, which otherwise have 15 seconds to end."""
    workers = psutil.Process().children()
    for worker in workers:
        worker.terminate()
    psutil.wait_procs(workers, timeout=120)


@pytest.hookimpl(tryfirst=True)  # xdist itself reads the marks in this hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module is run by one worker, and one worker has the workspace that modules share."""
    for item in items:
        is_shared = "example_workspace" in getattr(item, "fixturenames", ())
        group = "example" if is_shared else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace that is up, shared by all tests: each must do with what others left in it."""
    with (
        running(tmp_path_factory.mktemp("lakehouse")) as workspace,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Code under test that reads the environment finds this workspace, never the user's own.
        patch.delenv("LAKEHOUSE_TOKEN", raising=False)
        for name, value in workspace.home.environment().items():
            patch.setenv(name, value)
        yield workspace


@pytest.fixture
def fresh_workspace(tmp_path: Path) -> Iterator[Callable[[], Workspace]]:
    """Makes workspaces that are not up yet; they are taken down at the end of the test.

    Each one that is brought up takes a GiB of memory and half a minute.
    """
    with ExitStack() as stack:
        count = 0

        def make() -> Workspace:
            nonlocal count
            count += 1
            workspace = Workspace(Home((tmp_path / f"home{count}").resolve(), free_base_port()))
            stack.callback(workspace.down)
            return workspace

        yield make

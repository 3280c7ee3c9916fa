"""Fixtures for tests that need a workspace: Kafka, Spark and the SQL endpoint."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.home import Home
from tests.landed import (  # noqa: F401 - fixtures
    example_workspace,
    landed_cases,
    landed_example,
    landed_month,
)
from tests.support import Workspace, free_base_port, running


def pytest_configure() -> None:
    """Asked to end, by a CI's time limit say, the fixtures still take down what they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace that is up, shared by all tests: each must do with what others left in it."""
    with (
        running(tmp_path_factory.mktemp("lakehouse")) as space,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Code under test that reads the environment finds this workspace, never the user's own.
        patch.delenv("LAKEHOUSE_TOKEN", raising=False)
        for name, value in space.home.environment().items():
            patch.setenv(name, value)
        yield space


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
            space = Workspace(Home((tmp_path / f"home{count}").resolve(), free_base_port()))
            stack.callback(space.down)
            return space

        yield make


# Drills bring up workspaces of their own, kill what runs or build whole months: minutes each. They
# run by `make test-drills`; the rest is `make test`.
_DRILLS = (
    "deploy/test_jobs.py",
    "endpoint/test_adapter.py",
    "erasure/test_forget.py",
    "ingestion/test_audit.py",
    "ingestion/test_faults.py",
    "ingestion/test_jdbc.py",
    "ingestion/test_security.py",
    "oracle/test_simulated_month.py",
    "simulator/test_demo_run.py",
    "simulator/test_producer.py",
    "workspace/test_recovery.py",
    "worlds/test_reads.py",
)


# They share `example_workspace`, in this order: each lands its records on top of those before it.
_ON_THE_EXAMPLE = (
    "worked_example/test_worked_example.py",
    "simulator/test_demo.py",
    "cases/test_landed_cases.py",
    "dashboard/test_workspace.py",
    "worlds/test_worlds.py",
    "oracle/test_simulated_month.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the drills by their files; the example's workspace comes last, in its order."""
    tests = Path(__file__).parent

    def file(item: pytest.Item) -> str:
        return item.path.relative_to(tests).as_posix()

    for item in items:
        if file(item).startswith(_DRILLS):
            item.add_marker(pytest.mark.drill)
    place = {name: number for number, name in enumerate(_ON_THE_EXAMPLE, 1)}
    items.sort(key=lambda item: place.get(file(item), 0))

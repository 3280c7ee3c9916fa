"""What tests need to work with a workspace of their own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from lakehouse import client, processes
from lakehouse.client import copy_project, free_base_port

__all__ = ["PATIENCE_SECONDS", "Workspace", "copy_project", "free_base_port", "running", "until"]

PATIENCE_SECONDS = 300.0
"""Only a hang takes so long; a busy machine may be slow."""


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition; raises AssertionError if it does not come to that."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.1)


class Workspace(client.Workspace):
    """One whose parts can be killed."""

    def pids(self) -> dict[str, int]:
        """Process ids of the parts that run."""
        from lakehouse import workspace

        return {line.part: line.running.pid for line in workspace.status(self.home) if line.running}

    def kill(self, part: str) -> None:
        """kill -9 of a part; returns when it has gone."""
        running = processes.find(self.home, part)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: processes.find(self.home, part) is None)


running = Workspace.running

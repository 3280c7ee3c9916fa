"""Programs that a command runs in the checkout, and the end of their output where they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from lakehouse import dbt
from lakehouse.home import CHECKOUT, Home, WorkspaceError

_SHOWN_LINES = 40


def run(name: str, command: Sequence[str], home: Home, advice: str, **variables: str) -> None:
    """Run a program on a workspace. Raises WorkspaceError with the advice if it fails."""
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**dbt.environment(home), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    require_success(name, done.returncode, done.stdout, advice)


def require_success(name: str, code: int, output: str, advice: str) -> None:
    """Raise WorkspaceError with the output's last lines if a program has ended with a fault."""
    if code != 0:
        end = "\n".join(output.splitlines()[-_SHOWN_LINES:])
        raise WorkspaceError(f"{name} ended with {code}; {advice}:\n{end}")

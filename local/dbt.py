"""dbt on the checkout's project, led to a workspace."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.home import CHECKOUT, Home

WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")
"""Options of `build` that leave its tests out."""


def command(*arguments: str) -> list[str]:
    """The command line of the dbt beside this Python."""
    return [
        *(str(Path(sys.executable).with_name("dbt")), *arguments),
        *("--project-dir", str(CHECKOUT), "--profiles-dir", str(CHECKOUT)),
    ]


def environment(home: Home) -> dict[str, str]:
    """This process's environment, led to the workspace."""
    return {**os.environ, **home.environment()}

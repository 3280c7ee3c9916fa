"""dbt on the checkout's project, led to a workspace.

As a program (`in_one_process`) it runs several of dbt's commands, which parse the project once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lakehouse.home import CHECKOUT, Home

WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")
"""Options of `build` that leave its tests out."""

_PARSED = CHECKOUT / "target" / "partial_parse.msgpack"


def command(*arguments: str) -> list[str]:
    """The command line of the dbt beside this Python."""
    return [str(Path(sys.executable).with_name("dbt")), *_on_the_project(arguments)]


def in_one_process(commands: Sequence[Sequence[str]], *options: str) -> list[str]:
    """The command line that runs these commands of dbt, each with the options, one after another.

    The project is parsed once, and what a dbt has parsed before in the checkout is used. It ends
    with 1 at the first command that fails; for `source freshness` a late source is no failure.
    """
    return [sys.executable, "-m", "lakehouse.dbt", json.dumps([commands, options])]


def _on_the_project(arguments: Sequence[str]) -> list[str]:
    return [*arguments, "--project-dir", str(CHECKOUT), "--profiles-dir", str(CHECKOUT)]


def _run(commands: Sequence[Sequence[str]], options: Sequence[str]) -> int:
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    known = ("--partial-parse-file-path", str(_PARSED)) if _PARSED.exists() else ()
    runner = dbtRunner()
    for arguments in (("parse", *known), *commands):
        done = runner.invoke(_on_the_project([*arguments, *options]))
        if done.exception is not None:
            print(done.exception)
        if done.exception is not None or not (done.success or arguments[0] == "source"):
            return 1
        if isinstance(done.result, Manifest):
            runner = dbtRunner(manifest=done.result)
    return 0


def environment(home: Home) -> dict[str, str]:
    """This process's environment, led to the workspace."""
    return {**os.environ, **home.environment()}


if __name__ == "__main__":
    raise SystemExit(_run(*json.loads(sys.argv[1])))

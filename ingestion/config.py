"""Settings of ingestion: one TOML file and the environment, read once, unknown keys refused.

Order: defaults, then the file that FITBIT_INGEST_CONFIG (or --config) names, then the environment.
`max_offsets_per_trigger` in the file is FITBIT_INGEST_MAX_OFFSETS_PER_TRIGGER in the environment;
the table `[kafka]` takes Kafka's own option names ("sasl.jaas.config"), in the environment
FITBIT_INGEST_KAFKA_SASL_JAAS_CONFIG; `[topics]` maps a feed to its topic, FITBIT_INGEST_TOPICS_BPM.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ingestion.feeds import JDBC_FEEDS, KAFKA_FEEDS, IngestionError

PREFIX = "FITBIT_INGEST_"
_TABLES = ("kafka", "topics", "jdbc")
_SECRET_NAME = re.compile(
    r"password|secret|jaas|token|credential|keystore\.key|private", re.IGNORECASE
)
# SQL Server's driver takes a value with a semicolon in braces.
_URL_OPTION = re.compile(r"[;?&]\s*(\w+)=(\{[^}]*\}|[^;&]+)")
_JAAS_OPTION = re.compile(
    r"""(\w+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s;"']+))"""
)


def jaas_options(text: str) -> dict[str, str]:
    """Options of a JAAS configuration, without their quotes and backslashes, as Java reads them."""
    return {
        name: re.sub(r"\\(.)", r"\1", double or single) or bare
        for name, double, single, bare in _JAAS_OPTION.findall(text)
    }


@dataclass(frozen=True)
class Config:
    """Where to read, where to write, and how much at a time. Paths are POSIX paths, also those
    of Unity Catalog volumes (`/Volumes/...`), since checkpoints are looked into before each start.
    """

    landing: str = ""
    """Folder with one folder a file feed."""
    checkpoints: str = ""
    """Folder with one folder a feed. Lost ones are made anew from bronze."""
    leases: str = ""
    """Folder that says who ingests which feed: one writer at a time."""
    catalog: str = ""
    """Catalog of the bronze schema; empty: the session's own."""
    spark_remote: str = field(default="", repr=False)
    """Spark Connect URL; empty: the session is given, as on Databricks."""
    feeds: tuple[str, ...] = ()
    """Feeds to run; empty: topics, file feeds, and envelope files where some have landed."""
    trigger_seconds: float = 1.0
    """Continuous mode: least time from the start of one micro-batch to that of the next."""
    max_offsets_per_trigger: int = 2_000_000
    """Most records of a topic in one micro-batch: bounds its time. Of any size, it takes a second
    or two to commit."""
    max_files_per_trigger: int = 200
    """Most files of a feed in one micro-batch."""
    max_file_bytes_per_trigger: int = 256 * 2**20
    """Most bytes of files in one micro-batch; a larger file is one by itself."""
    lease_seconds: float = 10.0
    """Age of a heartbeat after which its owner counts as gone."""
    max_restarts: int = 3
    """A drain gives up after so many restarts of a query."""
    max_failures: int = 20
    """Continuous mode gives up after so many failures of a query in a row."""
    metrics_port: int = 0
    """Loopback port of the Prometheus metrics in continuous mode; 0: none."""
    arrival: str = "read"
    """When a record arrives: when it is read, or, to replay a past, when it was sent (`sent`), that
    is when it reached Kafka, or its file was last changed."""
    sparse_feeds: tuple[str, ...] = ()
    """Feeds of compacted or transactional topics: the audit expects holes in their offsets."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """Topic by feed, where it is not called like the feed."""
    kafka: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Kafka client options, passed on to Spark as `kafka.*`."""
    jdbc: Mapping[str, str] = field(default_factory=dict, repr=False)
    """A database: `url`, `user`, `password`, `driver`, `interval_seconds`, `timeout_seconds`; and
    for each feed that is pulled from it `<feed>.table`, `<feed>.watermark`,
    `<feed>.overlap_minutes`, `<feed>.window_days`."""

    def topic_of(self, feed: str) -> str:
        return self.topics.get(feed, feed)

    def window_days(self, feed: str) -> float:
        return float(self.jdbc.get(f"{feed}.window_days", 7))

    def overlap_minutes(self, feed: str) -> float:
        return float(self.jdbc.get(f"{feed}.overlap_minutes", 60))

    def secrets(self) -> list[str]:
        """Values that no log or error may show."""
        options = (*self.kafka.items(), *self.jdbc.items())
        values = [value for name, value in options if _SECRET_NAME.search(name)]
        jaas = jaas_options(self.kafka.get("sasl.jaas.config", "")).items()
        values += [value for name, value in jaas if _SECRET_NAME.search(name)]
        for url in (self.jdbc.get("url", ""), self.spark_remote):
            values += [v for name, v in _URL_OPTION.findall(url) if _SECRET_NAME.search(name)]
        return sorted({value for value in values if value}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        for secret in self.secrets():
            text = text.replace(secret, "***")
        return text


def load(
    environment: Mapping[str, str], file: Path | None = None, base: Config | None = None
) -> Config:
    """Read the file, then the environment, over `base`.

    Raises IngestionError for an unknown key, a value of the wrong type or a missing setting. The
    text names the key, never the value.
    """
    given: dict[str, Any] = {}
    named = environment.get(PREFIX + "CONFIG")
    path = file or (Path(named) if named else None)
    if path is not None:
        given = _from_file(path)
    for name, text in environment.items():
        if name.startswith(PREFIX) and name != PREFIX + "CONFIG":
            _from_variable(given, name, text)
    config = base or Config()
    typed = {key: _typed(key, value) for key, value in given.items()}
    for table in _TABLES:
        typed[table] = {**getattr(config, table), **typed.get(table, {})}
    config = replace(config, **typed)
    _check(config)
    return config


def _from_file(path: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IngestionError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise IngestionError(f"{path} is not UTF-8 text (byte {error.start}).") from None
    except tomllib.TOMLDecodeError as error:
        # The decoder quotes no values, only where it stopped.
        raise IngestionError(f"{path} is not valid TOML: {error}.") from error
    for key in settings:
        if key not in _TYPES:
            raise IngestionError(f"{path}: unknown setting {key!r}; known are {', '.join(_TYPES)}.")
    return settings


def _from_variable(given: dict[str, Any], name: str, text: str) -> None:
    key = name.removeprefix(PREFIX).lower()
    for table in _TABLES:
        if key.startswith(table + "_"):
            rest = key.removeprefix(table + "_")
            given[table] = dict(given.get(table, {}))
            given[table][_option(table, rest)] = text
            return
    if key not in _TYPES or key in _TABLES:
        raise IngestionError(f"Unknown variable {name}: see docs/ingestion.md, or unset it.")
    given[key] = text


def _option(table: str, name: str) -> str:
    """A variable's name in the terms of the file: `gym_logins_table` is `gym_logins.table`."""
    if table == "kafka":
        return name.replace("_", ".")
    for feed in JDBC_FEEDS:
        if table == "jdbc" and name.startswith(feed.table + "_"):
            return f"{feed.table}.{name.removeprefix(feed.table + '_')}"
    return name


def _typed(key: str, value: Any) -> Any:
    kind = _TYPES[key]
    try:
        if kind == "tuple[str, ...]":
            names = value.split(",") if isinstance(value, str) else value
            return tuple(str(name).strip() for name in names)
        if kind == "Mapping[str, str]":
            return {str(k): str(v) for k, v in value.items()}
        if isinstance(value, bool):
            raise TypeError
        return {"str": str, "int": int, "float": float}[kind](value)
    except (ValueError, TypeError, AttributeError):
        raise IngestionError(f"Setting {key!r} must be of type {kind}.") from None


def _check(config: Config) -> None:
    for key in ("landing", "checkpoints", "leases"):
        if not getattr(config, key):
            raise IngestionError(f"Setting {key!r} is missing: give a folder (docs/ingestion.md).")
    if not config.kafka.get("bootstrap.servers"):
        raise IngestionError("Kafka's 'bootstrap.servers' is missing: set it in [kafka].")
    known = {feed.name for feed in KAFKA_FEEDS}
    if not set(config.topics) <= known:
        raise IngestionError(f"[topics] may name {', '.join(sorted(known))} only.")
    unknown = sorted(config.jdbc.keys() - _JDBC_OPTIONS)
    if unknown:
        raise IngestionError(
            f"[jdbc] has unknown settings {', '.join(unknown)}; known: {', '.join(_JDBC_OPTIONS)}."
        )
    numbers = [k for k in config.jdbc if k.endswith(("_days", "_minutes", "_seconds"))]
    if not all(re.fullmatch(r"\d+(\.\d+)?", config.jdbc[key]) for key in numbers):
        raise IngestionError(f"{' and '.join(numbers)} in [jdbc] must be numbers.")
    if config.jdbc and not config.jdbc.get("url"):
        raise IngestionError("[jdbc] needs a 'url'.")
    if config.arrival not in ("read", "sent"):
        raise IngestionError("Setting 'arrival' must be 'read' or 'sent'.")
    positive = ("max_offsets_per_trigger", "max_files_per_trigger", "max_file_bytes_per_trigger")
    for key in (*positive, "trigger_seconds", "lease_seconds"):
        if getattr(config, key) <= 0:
            raise IngestionError(f"Setting {key!r} must be greater than 0.")


_JDBC_OPTIONS = (
    *("url", "user", "password", "driver", "interval_seconds", "timeout_seconds"),
    *(
        f"{feed.table}.{key}"
        for feed in JDBC_FEEDS
        for key in ("table", "watermark", "overlap_minutes", "window_days")
    ),
)
_TYPES = {f.name: str(f.type) for f in fields(Config)}

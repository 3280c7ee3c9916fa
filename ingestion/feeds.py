"""The feeds: what arrives, by which way, and in which bronze table it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class IngestionError(Exception):
    """A fault that the operator can mend; its text is one or two sentences with the way out."""


class Unreachable(IngestionError):
    """Something outside does not answer; it may again in a while."""


@dataclass(frozen=True)
class KafkaFeed:
    """Records of one topic. The topic's name is the feed's, unless configured."""

    name: str

    @property
    def table(self) -> str:
        return self.name


@dataclass(frozen=True)
class FileFeed:
    """Rows of CSV and NDJSON files in `landing/<folder>/`.

    `columns` are the source columns, in the order of the bronze table.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def table(self) -> str:
        return self.name

    @property
    def folder(self) -> str:
        return self.name


@dataclass(frozen=True)
class EnvelopeFeed:
    """A topic's records in files, as Kafka Connect's file sink writes them: NDJSON envelopes.

    They end in the topic's own table. Offsets in such files may repeat and identify nothing.
    A line that has all `required` fields of a payload is one, and no envelope.
    """

    table: str
    required: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.table}_files"

    @property
    def folder(self) -> str:
        return self.table


@dataclass(frozen=True)
class JdbcFeed:
    """Rows of a database table, which end in a file feed's bronze table.

    `time` is the column of the row's own time; `key` tells a row that changed from one that went.
    """

    table: str
    columns: tuple[str, ...]
    time: str
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.table}_jdbc"


Feed = KafkaFeed | FileFeed | EnvelopeFeed | JdbcFeed

KAFKA_FEEDS = (KafkaFeed("user_info"), KafkaFeed("bpm"), KafkaFeed("workout"))
FILE_FEEDS = (
    FileFeed("registered_users", ("user_id", "device_id", "mac_address", "registration_timestamp")),
    FileFeed("gym_logins", ("mac_address", "gym", "login", "logout")),
)
ENVELOPE_FEEDS = (
    EnvelopeFeed("user_info", ("user_id", "update_type", "timestamp")),
    EnvelopeFeed("bpm", ("device_id", "time", "heartrate")),
    EnvelopeFeed("workout", ("user_id", "workout_id", "timestamp", "action", "session_id")),
)
JDBC_FEEDS = (
    JdbcFeed(
        "registered_users",
        FILE_FEEDS[0].columns,
        time="registration_timestamp",
        key=("user_id", "device_id", "registration_timestamp"),
    ),
    JdbcFeed(
        "gym_logins",
        FILE_FEEDS[1].columns,
        time="login",
        key=("mac_address", "gym", "login"),
    ),
)
_ALL: tuple[Feed, ...] = (*KAFKA_FEEDS, *FILE_FEEDS, *ENVELOPE_FEEDS, *JDBC_FEEDS)
FEEDS = {feed.name: feed for feed in _ALL}


def select(names: Iterable[str]) -> list[Feed]:
    """Feeds of these names, in their own order. Raises IngestionError for an unknown name."""
    wanted = set(names)
    unknown = sorted(wanted - FEEDS.keys())
    if unknown:
        raise IngestionError(f"Unknown feed {', '.join(unknown)}: choose from {', '.join(FEEDS)}.")
    return [feed for name, feed in FEEDS.items() if name in wanted]

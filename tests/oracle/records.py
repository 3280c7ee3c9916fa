"""The oracle's input: what one row of a bronze table says, in plain Python.

Times are integers: microseconds since the UNIX epoch, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass

KAFKA_FEEDS = ("user_info", "bpm", "workout")
FILE_FEEDS = ("registered_users", "gym_logins")
FEEDS = KAFKA_FEEDS + FILE_FEEDS

#: Source columns of the feeds that arrive as files.
FILE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "registered_users": (
        "user_id",
        "device_id",
        "mac_address",
        "registration_timestamp",
    ),
    "gym_logins": ("mac_address", "gym", "login", "logout"),
}


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """One row of bronze.user_info, bronze.bpm or bronze.workout."""

    feed: str
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    ingested_at: int
    topic: str | None = None
    topic_epoch: int | None = None
    partition: int | None = None
    offset: int | None = None
    source_file: str | None = None
    record_id: str | None = None
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One row of bronze.registered_users or bronze.gym_logins.

    `columns` holds the text of a line by source column, empty where it is missing, or None for a
    line that is malformed.
    """

    feed: str
    raw: str
    columns: Mapping[str, str | None] | None
    ingested_at: int
    source_file: str | None = None
    record_number: int | None = None
    record_id: str | None = None
    is_erased: bool = False


Record = KafkaRecord | FileRecord

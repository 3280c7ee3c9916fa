"""Takes landed files into bronze, each whole in one commit, a bounded number of bytes at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyspark.sql import SparkSession

from ingestion import bronze, commits, progress, sources
from ingestion.config import Config
from ingestion.feeds import ENVELOPE_FEEDS, FILE_FEEDS, EnvelopeFeed, FileFeed, IngestionError
from ingestion.files import Parser, Source
from ingestion.landing import Folder, Known, LandedFile

log = logging.getLogger(__name__)

# The first batch after a start is small: however short a life the process has, it gets on.
_FIRST_SHARE = 16
_ATTEMPTS = 3
_NAMED = 3
_SMALL = 1 << 16  # bytes of a file that may be a header alone


@dataclass(frozen=True)
class Batch:
    """What one commit brought. `newest`: the newest time of change of its files."""

    files: int
    rows: int
    newest: datetime | None


class FileReader:
    """A feed's folder and what bronze holds of it. The table itself says so, and nothing beside it:
    there is no checkpoint to be lost. `check` is called before each commit; what it raises keeps
    the rows out.
    """

    def __init__(
        self,
        spark: SparkSession,
        config: Config,
        feed: FileFeed | EnvelopeFeed,
        check: Callable[[], None],
        *,
        continuous: bool,
    ) -> None:
        self._spark = spark
        self._config = config
        self._feed = feed
        self._check = check
        self._continuous = continuous
        self._table = bronze.table_name(feed.table, config.catalog)
        self._parse = sources.parser_of(feed)
        self._folder = Folder(Path(config.landing) / feed.folder)
        self._share = _FIRST_SHARE
        self._pending: list[LandedFile] | None = None  # None: not looked yet
        self._unsettled: frozenset[LandedFile] = frozenset()
        self._told: dict[str, str] = {}
        self._look()

    def _look(self) -> None:
        # In this order: what another writer adds after the first is in the second, or refused.
        self._number = commits.next_number(self._spark, self._table, self._feed.name)
        self._known = progress.known_files(self._spark, self._config.catalog, self._feed)

    def read_some(self) -> Batch | None:
        """Append the oldest files that bronze does not hold; None if there are none now.

        A drain reads what was there when it began. Raises IngestionError if the folder cannot be
        made or bronze keeps refusing.
        """
        for _ in range(_ATTEMPTS):
            page = self._next_page()
            if not page:
                return None
            rows = sources.landed_rows(self._spark, self._config, self._feed, page)
            count = commits.append(rows, self._table, self._feed.name, self._number, self._check)
            if count is None:  # somebody else was there first
                self._pending = [*page, *(self._pending or [])]
                self._look()
                continue
            self._number += 1
            self._share = 1
            self._known.add(page)
            times = [at for file in page if (at := file.modified_at) is not None]
            return Batch(len(page), count, max(times, default=None))
        raise IngestionError(
            f"Feed {self._feed.name}: {self._table} has later batches than its history shows. Has "
            "the clock of this machine been set back? Set it right and start again."
        )

    def _next_page(self) -> list[LandedFile]:
        if self._pending is None or (self._continuous and not self._pending):
            self._pending = self._listed()
        page: list[LandedFile] = []
        size = 0
        most_files = max(1, self._config.max_files_per_trigger // self._share)
        most_bytes = self._config.max_file_bytes_per_trigger // self._share
        while self._pending:
            file = self._pending[0]
            if page and (len(page) == most_files or size + file.size > most_bytes):
                break
            self._pending.pop(0)
            if not self._known.has(file) and self._has_records(file):
                page.append(file)
                size += file.size
        self._warn()
        return page

    def _listed(self) -> list[LandedFile]:
        """Files that bronze does not hold. With `continuous`, those that are as they were a moment
        ago: one that is being written is left for later."""
        new = unread(self._folder, self._known)
        if not self._continuous:
            return new
        settled = [file for file in new if file in self._unsettled]
        self._unsettled = frozenset(new)
        return settled

    def _has_records(self, file: LandedFile) -> bool:
        """Whether there is something to append; an empty file is known from now on."""
        found = has_records(self._folder, self._parse, file)
        if found is False:
            self._known.add([file])
        return bool(found)

    def _warn(self) -> None:
        for name, reason in self._folder.unreadable.items():
            if self._told.get(name) != reason:
                log.warning("feed=%s cannot read %r: %s", self._feed.name, name, reason)
        self._told = dict(self._folder.unreadable)

    def check_all_read(self) -> None:
        """Raise IngestionError if files were left out since they could not be opened."""
        if names := sorted(self._folder.unreadable):
            shown = [f"{name!r} ({self._folder.unreadable[name]})" for name in names[:_NAMED]]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            raise IngestionError(
                f"Feed {self._feed.name}: {', '.join(shown)}{more} in {self._folder.root} cannot "
                "be read. All other files are in bronze. Let this user read them, then start again."
            )


def unread(folder: Folder, known: Known) -> list[LandedFile]:
    """The files of a folder that bronze does not hold, the oldest first."""
    return [file for file in folder.files() if not known.has(file)]


def has_records(folder: Folder, parse: Parser, file: LandedFile) -> bool | None:
    """Whether a file holds a record, as far as a quick look tells; None if it is gone, or cannot be
    opened, which the folder then tells."""
    try:
        with Path(file.path).open("rb") as content:
            place = Source(file.name, file.version, file.size)
            return file.size > _SMALL or next(parse(place, content), None) is not None
    except FileNotFoundError:
        return None
    except OSError as error:
        folder.cannot_read(file.path, error)
        return None


@dataclass(frozen=True)
class Waiting:
    """A feed's files that are not in bronze: their names, and what cannot be read, with why."""

    feed: str
    files: list[str]
    unreadable: dict[str, str]

    def __str__(self) -> str:
        parts = [repr(name) for name in self.files]
        parts += [f"{name!r} ({reason})" for name, reason in sorted(self.unreadable.items())]
        more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        return f"{self.feed}: {', '.join(parts[:_NAMED])}{more}"


def waiting(spark: SparkSession, config: Config) -> list[Waiting]:
    """What lies in the landing folders and is not in bronze, by feed; feeds without it left out."""
    found = []
    for feed in (*FILE_FEEDS, *ENVELOPE_FEEDS):
        folder = Folder(Path(config.landing) / feed.folder)
        if not folder.root.exists():
            continue
        known = progress.known_files(spark, config.catalog, feed)
        parse = sources.parser_of(feed)
        new = [file.name for file in unread(folder, known) if has_records(folder, parse, file)]
        if new or folder.unreadable:
            found.append(Waiting(feed.name, new, folder.unreadable))
    return found

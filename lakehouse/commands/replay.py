"""`lakehouse replay FILE…`"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import kafka
from lakehouse.commands import Subparsers
from lakehouse.envelopes import Envelope, read_file
from lakehouse.home import TOPICS, Home, WorkspaceError
from lakehouse.progress import progress_bar
from lakehouse.workspace import require_own

if TYPE_CHECKING:
    from lakehouse.heart_rate_files import Export


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "replay",
        help="publish recorded events, or a wearer's export of heart rates",
        description="Publishes NDJSON envelopes (topic, key, value, timestamp, headers) or what "
        "kcat -J writes, plain or gzip. With --device, exports of real heart rates (Google "
        "Takeout, Fitbit Web API, Google Health API, Fitabase; files, folders, zips) are published "
        "as readings of a device. All is checked before the first event is sent.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--device", metavar="ID", help="the files hold heart rates: publish them as readings of it"
    )
    parser.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="IANA name of the zone of times in exports that name none (Fitabase, Web API): "
        "UTC unless told",
    )
    parser.add_argument(
        "--wearer", metavar="ID", help="of a file of several people only this one's readings"
    )
    add_broker_options(parser)
    parser.set_defaults(run=run)


def add_broker_options(parser: argparse.ArgumentParser) -> None:
    """Where to publish: by default the broker of the workspace."""
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="another broker")
    parser.add_argument(
        "--allow-remote", action="store_true", help="permit a broker that is not on the loopback"
    )


def run(args: argparse.Namespace) -> int:
    """Check all files, then send them in order.

    Raises WorkspaceError on a fault: before anything is sent, or with the count of what was.
    """
    from lakehouse.producer import Publisher, PublishError

    home = Home.from_environment()
    if args.device is None and (args.time_zone or args.wearer):
        raise WorkspaceError("--time-zone and --wearer are for heart rates: give --device ID, too.")
    for path in args.files:
        # Files are read twice: to check them, and to send.
        if path.is_dir() and args.device is None:
            raise WorkspaceError(f"{path} is a folder: exports of heart rates need --device ID.")
        if path.exists() and not path.is_file() and not path.is_dir():
            raise WorkspaceError(f"{path} is no regular file: write its content to one first.")
    if not args.bootstrap:
        require_own(home, "kafka")
    source = Recordings(args.files) if args.device is None else _heart_rates(args)
    counts = Counter(event.topic for event in source.events())
    started = time.monotonic()
    with (
        progress_bar(counts.total(), "events", "replay") as bar,
        Publisher(
            {"bootstrap_servers": args.bootstrap} if args.bootstrap else kafka.client_options(home),
            counts.keys(),
            allow_remote=args.allow_remote,
            on_acknowledged=bar.update,
        ) as publisher,
    ):
        publisher.send(source.events())
        acknowledged = publisher.flush()
    if acknowledged != counts.total():
        raise PublishError(
            f"The files changed while they were read: {counts.total()} events were checked, "
            f"{acknowledged} sent and acknowledged.",
            acknowledged,
        )
    print("\n".join([report(acknowledged, counts, time.monotonic() - started), *source.notes()]))
    return 0


class Recordings:
    """Events of files of envelopes."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = list(files)

    def events(self) -> Iterator[Envelope]:
        """In the order of the files, anew at each call. Raises InputFileError."""
        for path in self._files:
            yield from read_file(path, TOPICS)

    def notes(self) -> list[str]:
        """Lines about what was not sent."""
        return []


class DeviceReadings:
    """Readings of real heart rates as events of one device, stamped with their own time."""

    def __init__(self, export: Export, device: str) -> None:
        self._export, self._device = export, device

    def events(self) -> Iterator[Envelope]:
        """As `Recordings.events`; sends nothing of a file that is wrong."""
        name = json.dumps(self._device)
        for rates in self._export.read():
            for time_us, bpm in zip(rates.times_us, rates.bpm_texts, strict=True):
                second, part = divmod(time_us, 1_000_000)
                fraction = f".{part:06d}".rstrip("0") if part else ""
                value = f'{{"device_id":{name},"time":{second}{fraction},"heartrate":{bpm}}}'
                yield Envelope("bpm", self._device, value, time_us // 1000)

    def notes(self) -> list[str]:
        """As `Recordings.notes`."""
        export = self._export
        notes = [f"passed over, without a reading: {name}" for name in export.empty]
        if export.others:
            notes.append(f"passed over, files of other things: {export.others:,}")
        if export.not_worn:
            notes.append(f"left out, readings of confidence 0 (not worn): {export.not_worn:,}")
        return notes


def _heart_rates(args: argparse.Namespace) -> DeviceReadings:
    from lakehouse.heart_rate_files import Export
    from lakehouse.heart_rate_files.clock import zone_of

    device = args.device.strip()
    if not device or not device.isprintable():
        raise WorkspaceError("--device takes the id of a device, in printable characters.")
    zone = zone_of(args.time_zone) if args.time_zone else None
    return DeviceReadings(Export(args.files, zone, args.wearer), device)


def report(acknowledged: int, counts: Counter[str], seconds: float) -> str:
    """One line for the end of publishing."""
    topics = ", ".join(f"{topic} {counts[topic]:,}" for topic in TOPICS if counts[topic])
    rate = acknowledged / seconds if seconds > 0 else 0
    return (
        f"{acknowledged:,} events acknowledged ({topics or 'none'}) "
        f"in {seconds:.1f} s, {rate:,.0f} a second"
    )

"""`lakehouse replay FILE…`"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from local import kafka
from local.envelopes import Envelope, read_file
from local.home import TOPICS, Home, WorkspaceError
from local.progress import progress_bar
from local.workspace import require_own


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "replay",
        help="publish recorded events to the topics that they name",
        description="Publishes NDJSON envelopes (topic, key, value, timestamp, headers), plain or "
        "gzip. All files are checked before the first event is sent. With --device, files of real "
        "heart rates (Fitabase CSV, Google Takeout JSON) are published as readings of a device.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--device", metavar="ID", help="the files hold heart rates: publish them as readings of it"
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
    from local.producer import Publisher, PublishError

    home = Home.from_environment()
    for path in args.files:
        # Files are read twice: to check them, and to send.
        if path.exists() and not path.is_file():
            raise WorkspaceError(f"{path} is no regular file: write its content to one first.")
    if not args.bootstrap:
        require_own(home, "kafka")
    counts = Counter(event.topic for event in _events(args.files, args.device))
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
        publisher.send(_events(args.files, args.device))
        acknowledged = publisher.flush()
    if acknowledged != counts.total():
        raise PublishError(
            f"The files changed while they were read: {counts.total()} events were checked, "
            f"{acknowledged} sent and acknowledged.",
            acknowledged,
        )
    print(report(acknowledged, counts, time.monotonic() - started))
    return 0


def heart_rate_events(path: Path, device: str) -> Iterator[Envelope]:
    """Readings of a real file as events of one device, stamped with their own time."""
    from local.heart_rate_files import read_heart_rates

    readings = read_heart_rates(path)
    name = json.dumps(device)
    for second, bpm in zip(readings.times_s.tolist(), readings.bpm.tolist(), strict=True):
        value = f'{{"device_id":{name},"time":{second},"heartrate":{bpm}}}'
        yield Envelope("bpm", device, value, second * 1000)


def report(acknowledged: int, counts: Counter[str], seconds: float) -> str:
    """One line for the end of publishing."""
    topics = ", ".join(f"{topic} {counts[topic]:,}" for topic in TOPICS if counts[topic])
    rate = acknowledged / seconds if seconds > 0 else 0
    return (
        f"{acknowledged:,} events acknowledged ({topics or 'none'}) "
        f"in {seconds:.1f} s, {rate:,.0f} a second"
    )


def _events(files: Iterable[Path], device: str | None) -> Iterator[Envelope]:
    for path in files:
        yield from read_file(path, TOPICS) if device is None else heart_rate_events(path, device)

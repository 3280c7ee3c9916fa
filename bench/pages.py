"""How long the pages take to be ready in Chromium, from opening the file to all one sees drawn.

    python -m bench.pages
    python -m bench.pages --members 100 --days 90 --repeats 5

Gold and a reading a minute are invented, in DuckDB: no workspace is needed. Prints, nothing stored.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.results import machine
from local.dashboard import members, page, render
from local.dashboard.definition import Definition
from local.jars import cache_folder
from tests.dashboard.browser import chromium, opened
from tests.dashboard.gold import Gold


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.pages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--repeats", type=int, default=5, help="each in a new window (%(default)s)")
    args = parser.parse_args()
    gold = Gold.with_readings(args.members, args.days)
    ids = list(gold.query("select user_id from member_activity").column("user_id"))
    definition, cache = Definition.read(), cache_folder()
    texts = {
        "how-they-train": render.render(definition, render.read(definition, gold), cache=cache),
        "day": members.render(members.read(gold, ids), cache=cache),
    }
    on = machine()
    print(f"{on['cpu']}, {on['cores']} cores, {on['memory_gib']} GiB, {on['system']}")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for tab, text in texts.items():
            path = Path(folder) / f"{tab}.html"
            page.write(path, text)
            seconds = [_seconds(browser, path, tab) for _ in range(args.repeats)]
            print(
                f"{tab}: {path.stat().st_size / 1e6:.1f} MB, ready after "
                f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
            )


def _seconds(browser: Any, path: Path, tab: str) -> float:
    started = time.monotonic()
    with opened(browser, path, tab=tab):
        return time.monotonic() - started


if __name__ == "__main__":
    main()

"""Links between pages, and to their headings, lead somewhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for link in _LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{page.name}: {link} is not there"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
            yield f"{page.name}: {link} names no heading"


def test_links_lead_somewhere() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pages = [ROOT / name for name in listed.stdout.split() if not name.startswith("docs/dbt/")]
    assert len(pages) > 20
    assert [fault for page in pages for fault in broken(page)] == []


def test_what_is_broken_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Who sees `what`?\n[a](#who-sees-what) [b](#b) ![c](c.png) [d](page.md#d)\n")
    assert [fault.split(": ")[1] for fault in broken(page)] == [
        "#b names no heading",
        "c.png is not there",
        "page.md#d names no heading",
    ]

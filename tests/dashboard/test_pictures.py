"""README's pictures: small, those that `make pictures` took, and all that are there."""

from __future__ import annotations

import hashlib
import json
import re

from lakehouse.home import CHECKOUT
from tests.dashboard import pictures


def test_each_picture_is_the_one_whose_numbers_lie_beside_it() -> None:
    numbers = json.loads((pictures.FOLDER / pictures.NUMBERS).read_text())
    found = {path.name: path.read_bytes() for path in pictures.FOLDER.glob("*.png")}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == {
        name: each["picture"] for name, each in numbers.items()
    }
    assert max(map(len, found.values())) < 160_000
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    assert set(re.findall(r"\(\S*images/([\w-]+\.png)\)", text)) == set(found)

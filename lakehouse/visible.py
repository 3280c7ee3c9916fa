"""Text from outside, made fit for a terminal."""

from __future__ import annotations

import re

# Controls of the terminal, line ends of Unicode, what turns the direction of writing, and halves of
# characters, which no encoding has.
_ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, keep: str = "") -> str:
    """The text with odd characters written as JSON writes them, `\\u001b`, but for those to keep.

    Values come from members' devices and files: raw, one could retitle the window of who looks at
    it, hide what follows, or have the terminal answer as if its user had typed.
    """

    def written(found: re.Match[str]) -> str:
        char = found[0]
        return char if char in keep else _SHORT.get(char, f"\\u{ord(char):04x}")

    return _ODD.sub(written, text)

"""JSON as the source contract has it: one object, no key twice, numbers as they are spelled."""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 200
"""Nesting that is read; the outer object is 1."""
LONGEST_NUMBER, LONGEST_NAME = 1_000, 50_000
"""Characters. What is deeper or longer, the engines that read it later may not take."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = " \t\n\r"


class _Number(str):
    """A JSON number, as it is spelled."""


def _number(text: str) -> _Number:
    if len(text) > LONGEST_NUMBER:
        raise ValueError("long number")
    return _Number(text)


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs) or any(len(name) > LONGEST_NAME for name in value):
        raise ValueError("repeated or long name")
    return value


_DECODER = json.JSONDecoder(
    parse_int=_number,
    parse_float=_number,
    parse_constant=_no_constant,
    object_pairs_hook=_unique,
)


def parse_object(line: str) -> dict[str, Any] | None:
    """The object that a line consists of, None if it is malformed by the source contract.

    JSON's blanks may stand around it, and a byte-order mark before it. Numbers keep their spelling.
    A lone surrogate in the line itself, not in an escape, stands for a byte that is no text.
    """
    text = line.lstrip(_BLANKS).removeprefix("\ufeff")
    if _SURROGATE.search(text):
        return None
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _is_shallow(text, value) else None


def _is_shallow(text: str, value: Any) -> bool:
    if text.count("{") + text.count("[") <= DEEPEST:
        return True
    level = [value]
    for _ in range(DEEPEST):
        parts = (part.values() if isinstance(part, dict) else part for part in level)
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
    return not level


def text_of(value: Any) -> str | None:
    """Text of a JSON value: a string's content, a number as spelled, else compact JSON; of null
    None. Lone surrogates (legal in JSON's escapes) appear as `\\udNNN`."""
    if value is None:
        return None
    return without_surrogates(value if isinstance(value, str) else _to_json(value))


def _to_json(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{_string(name)}:{_to_json(inner)}" for name, inner in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    return _string(value)


def _string(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def without_surrogates(text: str, as_bytes: bool = False) -> str:
    """Text that UTF-8 can hold: lone surrogates as `\\udNNN`, or `\\xNN` where they are bytes."""
    if not _SURROGATE.search(text):
        return text
    if as_bytes:
        return _SURROGATE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

"""The file feeds: extracts of the tables of registrations and gym logins, one file a drop."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lakehouse.simulator.dirty_rows import Form, Line, Quoted, RowKind, row_kinds
from lakehouse.simulator.members import LoginRow, Member
from lakehouse.simulator.records import Row, encode, login_row, registration_row
from lakehouse.simulator.settings import Settings
from lakehouse.simulator.stream import Tally

Extract = tuple[list[Row], int]
"""Rows and when the last of them was there."""

_DROP_MS = 4 * 3600 * 1000
_FORMS: tuple[Form, ...] = ("csv", "ndjson")
# Odd forms of whole files, all of them normal input.
FILE_FORMS = {
    "csv": (
        "byte_order_mark",
        "crlf",
        "blank_lines",
        "columns_in_another_order",
        "surplus_column",
        "no_final_newline",
        "gzip",
    ),
    "ndjson": ("byte_order_mark", "crlf", "blank_lines", "no_final_newline", "gzip"),
}


@dataclass(frozen=True)
class Drop:
    """A file for the landing zone, and when it was written: with the last of its rows."""

    feed: str
    name: str
    content: bytes
    written_ms: int


def make_drops(settings: Settings, members: Sequence[Member], tally: Tally) -> list[Drop]:
    """All files in the order in which they land; CSV and NDJSON take turns."""
    registered = sorted(
        (r for m in members for r in m.registrations), key=lambda r: (r.arrives_ms, r.user_id)
    )
    files = min(len(registered), 3 + settings.days)
    parts = [
        ([registration_row(registered[n]) for n in part.tolist()], registered[part[-1]].arrives_ms)
        for part in np.array_split(np.arange(len(registered)), files)
    ]
    logins = _extracts([row for m in members for row in m.logins])
    return [
        *_files(settings, "registered_users", parts, tally),
        *_files(settings, "gym_logins", logins, tally),
    ]


def _extracts(rows: Sequence[LoginRow]) -> list[Extract]:
    """An extract every 4 hours: of each visit that was written since the last one, its state."""
    by_drop: dict[int, list[LoginRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r.arrives_ms, r.mac_address)):
        by_drop[row.arrives_ms // _DROP_MS].append(row)
    extracts = []
    for _, written in sorted(by_drop.items()):
        state = {(r.mac_address, r.gym, r.login_s): r for r in written}
        extracts.append(([login_row(row) for row in state.values()], written[-1].arrives_ms))
    # Both kinds of file are wanted, also on a quiet day.
    if len(extracts) == 1 and len(extracts[0][0]) > 1:
        [(found, at)] = extracts
        extracts = [(found[::2], at), (found[1::2], at)]
    return extracts


def _files(settings: Settings, feed: str, extracts: Sequence[Extract], tally: Tally) -> list[Drop]:
    parts = [rows for rows, _ in extracts]
    forms = [_FORMS[n % 2] for n in range(len(parts))]
    lines: list[list[Line]] = [[] for _ in parts]
    flags: list[set[str]] = [set() for _ in parts]
    if settings.dirty:
        flags = _flags(forms, feed, tally)
        _spoil(settings, feed, parts, forms, lines, tally)
    else:
        for part, into in zip(parts, lines, strict=True):
            into += [dict(row) for row in part]
    columns = list(parts[0][0]) if parts else []
    drops = []
    for number, (form, content, odd, (_, at)) in enumerate(
        zip(forms, lines, flags, extracts, strict=True), start=1
    ):
        text = render(form, columns, content, odd)
        ending = f"{form}.gz" if "gzip" in odd else form
        # No time in the gzip header: the same seed gives the same bytes.
        body = gzip.compress(text, mtime=0) if "gzip" in odd else text
        drops.append(Drop(feed, f"{feed}-{number:04d}.{ending}", body, at))
        tally.sent[feed] += len(content)
    if settings.dirty and columns:
        drops.append(Drop(feed, f"{feed}-empty.csv", b"", at))
        header = f"{','.join(columns)}\n".encode()
        drops.append(Drop(feed, f"{feed}-header.csv", header, at))
        tally.dirt.update([f"{feed}.file_empty", f"{feed}.file_with_header_only"])
    return drops


def _flags(forms: Sequence[Form], feed: str, tally: Tally) -> list[set[str]]:
    """Deals the odd forms out, so that each is there if there is a file for it."""
    flags: list[set[str]] = [set() for _ in forms]
    for form in _FORMS:
        places = [n for n, f in enumerate(forms) if f == form]
        for n in range(max(len(FILE_FORMS[form]), len(places)) if places else 0):
            flag = FILE_FORMS[form][n % len(FILE_FORMS[form])]
            flags[places[n % len(places)]].add(flag)
    for form, chosen in zip(forms, flags, strict=True):
        tally.dirt.update(f"{feed}.{form}_{flag}" for flag in sorted(chosen))
    return flags


def _spoil(
    settings: Settings,
    feed: str,
    parts: Sequence[Sequence[Row]],
    forms: Sequence[Form],
    lines: list[list[Line]],
    tally: Tally,
) -> None:
    """Fill `lines` with rows and dirt: every kind once, more at the rate."""
    random = settings.random("dirty-files", *feed.encode())
    kinds = row_kinds(feed)
    places = [(n, k) for n, part in enumerate(parts) for k in range(len(part))]
    due: dict[tuple[int, int], list[RowKind]] = defaultdict(list)

    def fits(kind: RowKind, place: tuple[int, int]) -> bool:
        n, k = place
        return kind.form in (None, forms[n]) and kind.applies(parts[n][k])

    closed = {_visit(row) for part in parts for row in part if row.get("logout")}
    for number, kind in enumerate(kinds):
        fitting = [p for p in places if fits(kind, p)]
        turned = fitting[number * 7 % max(1, len(fitting)) :] + fitting
        if kind.reason == "logout_ignored":
            # The row is its visit's result only if no logout follows, and then only the first.
            lasting = [p for p in turned if _visit(parts[p[0]][p[1]]) not in closed]
            for place in [*lasting, *turned][:1]:
                due[place].insert(0, kind)
        elif turned:
            due[turned[0]].append(kind)
    for place in places:
        n, k = place
        row = parts[n][k]
        chosen = due.get(place, [])
        if not chosen and random.random() < settings.dirty:
            usual = [kind for kind in kinds if fits(kind, place)]
            chosen = [usual[int(random.integers(len(usual)))]]
        if not chosen:
            lines[n].append(dict(row))
        for kind in chosen:
            lines[n] += kind.make(row)
            tally.note(feed, kind.name, kind.reason, rejected=kind.outcome == "rejected")


def _visit(row: Row) -> tuple[str | None, ...]:
    return (row["mac_address"], row.get("gym"), row.get("login"))


def render(form: Form, columns: list[str], lines: Sequence[Line], odd: set[str]) -> bytes:
    """The file's text; UTF-8."""
    if form == "csv":
        header = columns[::-1] if "columns_in_another_order" in odd else list(columns)
        if "surplus_column" in odd:
            header.insert(1, "extracted_by")
        written = [",".join(header), *(_csv_line(header, line) for line in lines)]
    else:
        written = [line if isinstance(line, str) else encode(line) for line in lines]
    if "blank_lines" in odd:
        written = [text for line in written for text in (line, "")]
        written.insert(0, "  ")
    end = "\r\n" if "crlf" in odd else "\n"
    whole = end.join(written) + ("" if "no_final_newline" in odd else end)
    return (b"\xef\xbb\xbf" if "byte_order_mark" in odd else b"") + whole.encode()


def _csv_line(header: Sequence[str], line: Line) -> str:
    if isinstance(line, str):
        return line
    fields: list[Any] = [line.get(name, "adf, nightly") for name in header]
    buffer = io.StringIO()
    writer = csv.writer(
        buffer,
        quoting=csv.QUOTE_ALL if isinstance(line, Quoted) else csv.QUOTE_MINIMAL,
        lineterminator="",
    )
    writer.writerow(fields)
    return buffer.getvalue()

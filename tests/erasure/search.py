"""Looks for texts in all files of a folder, whatever hides them: compression, encodings, types."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet


def found_in(root: Path, needles: Sequence[str], without: Sequence[Path] = ()) -> list[str]:
    """`file: needle` for each file below `root` that holds one, in any case of its letters.

    Parquet is read value by value, since its pages are compressed, and gzip unpacked; the bytes as
    they are are searched in every file.
    """
    found = []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.is_symlink() or any(path.is_relative_to(w) for w in without):
            continue
        name = str(path.relative_to(root)).encode()
        contents = [name, *_contents(path)]
        found += [
            f"{path}: {needle}"
            for needle in needles
            if any(
                needle.lower().encode(encoding) in content.lower()
                for content in contents
                for encoding in ("utf-8", "utf-16-le", "utf-16-be")
            )
        ]
    return found


def _contents(path: Path) -> Iterator[bytes]:
    raw = path.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        yield zlib.decompressobj(31).decompress(raw)  # also what is torn, up to there
    elif raw[:4] == b"PAR1" and raw[-4:] == b"PAR1":
        table = pyarrow.parquet.read_table(path, partitioning=None)
        for column in table.columns:
            yield "\n".join(_texts(column.to_pylist())).encode("utf-8", "surrogateescape")
    else:
        with contextlib.suppress(zlib.error):
            yield zlib.decompress(raw)


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        yield from _texts([*values.keys(), *values.values()])
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _texts(value)
    elif isinstance(values, bytes):
        yield values.decode("utf-8", "surrogateescape")
    elif values is not None:
        yield str(values)

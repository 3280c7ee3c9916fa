"""How erased persons are remembered: keyed hashes (HMAC-SHA-256) of ids, whose key lies in bronze.

An id is turned into its hash here and goes no further: not into SQL, not into a log.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from ingestion import bronze
from ingestion.feeds import IngestionError
from ingestion.files import trimmed

_BLOCK_BYTES = 64  # of SHA-256


class Hasher:
    """HMAC-SHA-256 by its two pads; `keyed_hash` and the macro of that name are the same in SQL."""

    def __init__(self, inner_pad: bytes, outer_pad: bytes) -> None:
        self._inner = inner_pad
        self._outer = outer_pad

    @classmethod
    def of_key(cls, key: bytes) -> Hasher:
        """Raises ValueError for a key longer than a block."""
        if len(key) > _BLOCK_BYTES:
            raise ValueError("key")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        return cls(bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block))

    @property
    def pads(self) -> tuple[bytes, bytes]:
        return self._inner, self._outer

    def user(self, user_id: str) -> str:
        """The hash of a user id, in hexadecimal. `12474.0` and `12474.00` are the id `12474`."""
        normal = re.sub(r"\A([0-9]+)\.0+\Z", r"\1", user_id)
        inner = hashlib.sha256(self._inner + f"user:{normal}".encode()).digest()
        return hashlib.sha256(self._outer + inner).hexdigest()


def hasher(spark: SparkSession, catalog: str = "") -> Hasher:
    """By the key in bronze, which the first call makes.

    The key goes there as data: no statement, no history of a table shows it. Raises IngestionError
    if it is lost: by another one everybody who was erased would come back.
    """
    name = bronze.table_name("erasure_key", catalog)

    def rows() -> list[Any]:
        return spark.table(name).select("inner_pad", "outer_pad").collect()

    held = rows()
    if not held:
        if not spark.table(bronze.table_name("suppression_list", catalog)).isEmpty():
            raise IngestionError(
                "bronze.erasure_key is empty, and bronze.suppression_list is not: nobody could be "
                "recognised any more. Restore the key (docs/erasure.md)."
            )
        pads = Hasher.of_key(secrets.token_bytes(32)).pads
        made = spark.createDataFrame([(*pads, datetime.now(UTC))], spark.table(name).schema)
        made.write.format("delta").mode("append").saveAsTable(name)
        held = rows()
    # Two first calls at once make two keys; everyone then takes the lesser one, as the macro does.
    inner, outer = min((bytes(row.inner_pad), bytes(row.outer_pad)) for row in held)
    return Hasher(inner, outer)


def pads(catalog: str = "") -> str:
    """SQL: the relation of one row that `keyed_hash` needs."""
    key = bronze.table_name("erasure_key", catalog)
    columns = "min(inner_pad) as inner_pad, min_by(outer_pad, inner_pad) as outer_pad"
    return f"(select {columns} from {key})"  # noqa: S608 - a name of this package


def keyed_hash(kind: str, identifier: str) -> str:
    """SQL: the hash of a column, for a query that joins `pads`. `kind`: user, device or mac."""
    text = f"cast(concat('{kind}:', {identifier}) as binary)"
    return f"sha2(concat(outer_pad, unhex(sha2(concat(inner_pad, {text}), 256))), 256)"


def user_ids(lines: Iterable[str]) -> dict[str, int]:
    """Ids as a person types or pipes them, and the number (from 1) of the line of each.

    A line is an id, or a JSON string for one that cannot be typed: `"a\\u0000b"`. Blank lines and
    repeats are left out. Raises IngestionError for a line that begins like such a string and is
    none; its text names the line, not the id.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        text = trimmed(line)
        if text.startswith('"'):
            try:
                text = trimmed(json.loads(text))
            except ValueError:
                raise IngestionError(f"Line {number} of the input is no JSON string.") from None
            text = text.encode("utf-8", "replace").decode()  # half a surrogate pair, as in silver
        if text:
            found.setdefault(text, number)
    return found

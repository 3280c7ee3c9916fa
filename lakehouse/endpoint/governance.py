"""What Unity Catalog keeps about tables and open-source Spark has no place for.

Tags, column masks, row filters and key constraints are recorded in one JSON file of the home and
answered by the views of `information_schema`. **Nothing here is enforced.**
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TableKey = tuple[str, str]  # schema, table; lower case


@dataclass
class KeyConstraint:
    """A primary or foreign key, informational as on Databricks."""

    name: str
    columns: list[str]
    parent: list[str] | None = None  # schema and table; None for a primary key
    parent_columns: list[str] = field(default_factory=list)
    rely: bool = False


@dataclass
class Notes:
    """What is recorded about one table or view. Columns are lower case."""

    tags: dict[str, str] = field(default_factory=dict)
    column_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    masks: dict[str, dict[str, str]] = field(default_factory=dict)  # function, using_columns
    row_filter: dict[str, Any] | None = None  # function, columns
    constraints: list[KeyConstraint] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return self == Notes()

    def primary_key(self) -> KeyConstraint | None:
        return next((c for c in self.constraints if c.parent is None), None)


class Governance:
    """The record, in memory and in `file`; safe for threads, written whole at each change."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._tables: dict[TableKey, Notes] = {}
        self._schema_tags: dict[str, dict[str, str]] = {}
        self._load()

    def table(self, schema: str, table: str) -> Notes:
        """A copy of what is known, empty if nothing is."""
        with self._lock:
            notes = self._tables.get((schema.lower(), table.lower()))
            return _notes(asdict(notes)) if notes else Notes()

    def tables(self) -> dict[TableKey, Notes]:
        with self._lock:
            return {key: _notes(asdict(notes)) for key, notes in self._tables.items()}

    def schema_tags(self) -> dict[str, dict[str, str]]:
        with self._lock:
            return {schema: dict(tags) for schema, tags in self._schema_tags.items()}

    def change(self, schema: str, table: str, edit: Callable[[Notes], None]) -> None:
        """Apply `edit` to the notes of a table and keep the result."""
        key = (schema.lower(), table.lower())
        with self._lock:
            before = self.table(*key)
            notes = self.table(*key)
            edit(notes)
            if notes == before:
                return
            if notes.empty:
                self._tables.pop(key, None)
            else:
                self._tables[key] = notes
            self._save()

    def change_schema_tags(self, schema: str, edit: Callable[[dict[str, str]], None]) -> None:
        with self._lock:
            edit(self._schema_tags.setdefault(schema.lower(), {}))
            self._save()

    def forget_table(self, schema: str, table: str) -> None:
        """After DROP: its notes, and foreign keys of others that lead to it."""
        with self._lock:
            self.forget_references(schema, table)
            if self._tables.pop((schema.lower(), table.lower()), None) is not None:
                self._save()

    def references(self, schema: str, table: str) -> list[TableKey]:
        """The tables that have a foreign key to this one."""
        parent = [schema.lower(), table.lower()]
        with self._lock:
            return [
                key
                for key, notes in self._tables.items()
                if any(constraint.parent == parent for constraint in notes.constraints)
            ]

    def forget_references(self, schema: str, table: str) -> None:
        """Drop the foreign keys that lead to a table."""
        parent = [schema.lower(), table.lower()]

        def edit(notes: Notes) -> None:
            notes.constraints = [c for c in notes.constraints if c.parent != parent]

        with self._lock:
            for child in self.references(schema, table):
                self.change(*child, edit)

    def forget_schema(self, schema: str) -> None:
        with self._lock:
            for name, table in list(self._tables):
                if name == schema.lower():
                    self.forget_table(name, table)
            if self._schema_tags.pop(schema.lower(), None) is not None:
                self._save()

    def rename_table(self, schema: str, table: str, new_schema: str, new_table: str) -> None:
        old, new = (schema.lower(), table.lower()), (new_schema.lower(), new_table.lower())
        with self._lock:
            notes = self._tables.pop(old, None)
            self._tables.pop(new, None)
            if notes is not None:
                self._tables[new] = notes
            for other in self._tables.values():
                for constraint in other.constraints:
                    if constraint.parent == list(old):
                        constraint.parent = list(new)
            self._save()

    def _load(self) -> None:
        try:
            stored = json.loads(self._file.read_text())
        except FileNotFoundError:
            return
        for name, notes in stored["tables"].items():
            schema, _, table = name.partition(".")
            self._tables[(schema, table)] = _notes(notes)
        self._schema_tags = stored["schemas"]

    def _save(self) -> None:
        stored = {
            "tables": {f"{s}.{t}": asdict(notes) for (s, t), notes in self._tables.items()},
            "schemas": self._schema_tags,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(stored, indent=1))
        beside.replace(self._file)


def _notes(stored: dict[str, Any]) -> Notes:
    constraints = [KeyConstraint(**constraint) for constraint in stored["constraints"]]
    return Notes(**{**stored, "constraints": constraints})

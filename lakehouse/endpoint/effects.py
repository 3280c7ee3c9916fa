"""What a statement changes in the record of governance, once Spark has run it.

What Unity Catalog refuses about keys is refused here as well, in the words of Databricks, so that a
mistake shows here and not there first. Rows are never checked: keys are informational.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from lakehouse.endpoint.connect import SparkError
from lakehouse.endpoint.governance import Governance, KeyConstraint, Notes

Name = tuple[str, ...]


class Tables(Protocol):
    """What effects ask of the catalog."""

    def qualified(self, name: Name) -> tuple[str, str]:
        """Schema and table of a name of one or two parts."""

    def nullable(self, schema: str, name: str) -> Collection[str]:
        """Columns of a table that may be null, in lower case."""


class Effect(ABC):
    """A change of what is recorded."""

    def refuse(self, governance: Governance, tables: Tables, *, is_alter: bool) -> None:  # noqa: B027
        """Raise SparkError where Unity Catalog would refuse the change."""

    @abstractmethod
    def apply(self, governance: Governance, tables: Tables) -> None:
        """Record the change."""


@dataclass(frozen=True)
class _Edit(Effect):
    """A change of what is recorded about one table or view."""

    target: Name

    def apply(self, governance: Governance, tables: Tables) -> None:
        governance.change(*tables.qualified(self.target), self.edit)

    @abstractmethod
    def edit(self, notes: Notes) -> None:
        """Change the notes of the table."""


@dataclass(frozen=True)
class ChangeTags(_Edit):
    """None takes a tag away. `target` may be a schema."""

    tags: Mapping[str, str | None]
    column: str | None = None
    schema_level: bool = False

    def apply(self, governance: Governance, tables: Tables) -> None:
        if self.schema_level:
            governance.change_schema_tags(self.target[-1], self._change)
        else:
            super().apply(governance, tables)

    def edit(self, notes: Notes) -> None:
        column = self.column
        tags = notes.tags if column is None else notes.column_tags.setdefault(column, {})
        self._change(tags)
        if column is not None and not tags:
            del notes.column_tags[column]

    def _change(self, tags: dict[str, str]) -> None:
        for tag, value in self.tags.items():
            if value is None:
                tags.pop(tag, None)
            else:
                tags[tag] = value


@dataclass(frozen=True)
class SetMask(_Edit):
    """`function` None takes the mask away."""

    column: str
    function: str | None
    using: tuple[str, ...] = ()

    def edit(self, notes: Notes) -> None:
        if self.function is None:
            notes.masks.pop(self.column.lower(), None)
        else:
            notes.masks[self.column.lower()] = {
                "function": self.function,
                "using_columns": ",".join(self.using),
            }


@dataclass(frozen=True)
class SetRowFilter(_Edit):
    """`function` None takes the filter away."""

    function: str | None
    columns: tuple[str, ...] = ()

    def edit(self, notes: Notes) -> None:
        notes.row_filter = None
        if self.function:
            notes.row_filter = {"function": self.function, "columns": list(self.columns)}


@dataclass(frozen=True)
class AddKey(_Edit):
    constraint: KeyConstraint

    def refuse(self, governance: Governance, tables: Tables, *, is_alter: bool) -> None:
        schema, table = tables.qualified(self.target)
        key = self.constraint
        _refuse_parent(governance, schema, table, key)
        if is_alter:
            _refuse_added(governance, schema, table, key, tables.nullable(schema, table))

    def apply(self, governance: Governance, tables: Tables) -> None:
        key = self.constraint
        if key.parent is not None:
            schema, _ = tables.qualified(self.target)
            key.parent = [part.lower() for part in [schema, *key.parent][-2:]]
        super().apply(governance, tables)

    def edit(self, notes: Notes) -> None:
        key = self.constraint
        # CREATE TABLE IF NOT EXISTS may state again what is recorded.
        notes.constraints = [
            c
            for c in notes.constraints
            if c.name != key.name and not (key.parent is None and c.parent is None)
        ]
        notes.constraints.append(key)


@dataclass(frozen=True)
class DropKey(_Edit):
    """Without a name: the primary key. `then` is for Spark if no such key is recorded.

    `cascade` takes the foreign keys that lead to a primary key with it.
    """

    name: str | None
    then: str | None = None
    cascade: bool = False

    def is_recorded(self, governance: Governance, tables: Tables) -> bool:
        """Whether the table has a key of this name."""
        notes = governance.table(*tables.qualified(self.target))
        return any(c.name.lower() == (self.name or "").lower() for c in notes.constraints)

    def refuse(self, governance: Governance, tables: Tables, *, is_alter: bool) -> None:
        """A primary key that foreign keys lead to goes only with them."""
        schema, table = tables.qualified(self.target)
        primary = self._primary(governance.table(schema, table))
        if primary is not None and not self.cascade and governance.references(schema, table):
            raise SparkError(
                f"Cannot delete constraint `{primary.name}` with non empty child constraints. Set "
                "the argument CASCADE to true to delete both this constraint and all child "
                "constraints."
            )

    def apply(self, governance: Governance, tables: Tables) -> None:
        schema, table = tables.qualified(self.target)
        if self.cascade and self._primary(governance.table(schema, table)) is not None:
            governance.forget_references(schema, table)
        super().apply(governance, tables)

    def edit(self, notes: Notes) -> None:
        wanted = (self.name or "").lower()
        notes.constraints = [
            c
            for c in notes.constraints
            if (c.parent is not None if self.name is None else c.name.lower() != wanted)
        ]

    def _primary(self, notes: Notes) -> KeyConstraint | None:
        """The primary key, if it is the one that goes."""
        primary = notes.primary_key()
        if primary is None or self.name is None or primary.name.lower() == self.name.lower():
            return primary
        return None


@dataclass(frozen=True)
class Replaced(_Edit):
    """CREATE OR REPLACE TABLE takes the keys away, and nothing else."""

    def edit(self, notes: Notes) -> None:
        notes.constraints = []


@dataclass(frozen=True)
class DroppedColumns(_Edit):
    columns: tuple[str, ...]

    def edit(self, notes: Notes) -> None:
        for column in self.columns:
            notes.column_tags.pop(column.lower(), None)
            notes.masks.pop(column.lower(), None)


@dataclass(frozen=True)
class Dropped(Effect):
    target: Name

    def apply(self, governance: Governance, tables: Tables) -> None:
        governance.forget_table(*tables.qualified(self.target))


@dataclass(frozen=True)
class DroppedSchema(Effect):
    schema: Name

    def apply(self, governance: Governance, tables: Tables) -> None:
        governance.forget_schema(self.schema[-1])


@dataclass(frozen=True)
class Renamed(Effect):
    target: Name
    to: Name

    def apply(self, governance: Governance, tables: Tables) -> None:
        governance.rename_table(*tables.qualified(self.target), *tables.qualified(self.to))


def _refuse_parent(governance: Governance, schema: str, table: str, key: KeyConstraint) -> None:
    """A foreign key leads to the primary key of its parent."""
    if key.parent is None:
        return
    parent = [schema, *key.parent][-2:]
    if [part.lower() for part in parent] == [schema.lower(), table.lower()]:
        return
    primary = governance.table(*parent).primary_key()
    led = {column.lower() for column in key.parent_columns}
    if primary is None or (led and led != {column.lower() for column in primary.columns}):
        condition = "UC_REFERENTIAL_CONSTRAINT_DOES_NOT_EXIST"
        raise SparkError(
            f"[{condition}] Table `{parent[0]}`.`{parent[1]}` does not have a primary key "
            f"constraint of the columns that `{key.name}` leads to. Please add one and retry.",
            condition,
            "42000",
        )


def _refuse_added(
    governance: Governance, schema: str, table: str, key: KeyConstraint, nullable: Collection[str]
) -> None:
    """A table has one primary key, of columns without nulls; names are given once in a table."""
    notes = governance.table(schema, table)
    for other in notes.constraints:
        is_second = key.parent is None and other.parent is None
        if is_second or other.name.lower() == key.name.lower():
            raise SparkError(
                f"[DELTA_CONSTRAINT_ALREADY_EXISTS] Constraint '{other.name}' already exists. "
                "Please delete the old constraint first.",
                "DELTA_CONSTRAINT_ALREADY_EXISTS",
                "42710",
            )
    missing = [column for column in key.columns if column.lower() in nullable]
    if key.parent is None and missing:
        raise SparkError(
            f"Cannot create the primary key `{key.name}` because its child column(s) "
            + ", ".join(f"`{column}`" for column in missing)
            + " is nullable. Please change the column nullability and retry."
        )

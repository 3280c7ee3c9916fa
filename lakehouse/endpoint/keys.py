"""What Unity Catalog refuses about keys, so that a mistake shows here and not there first.

All raise SparkError with the words of Databricks. Rows are never checked: keys are informational.
"""

from __future__ import annotations

from collections.abc import Collection

from lakehouse.endpoint.connect import SparkError
from lakehouse.endpoint.governance import Governance, KeyConstraint
from lakehouse.endpoint.translate import DropKey


def is_primary(governance: Governance, schema: str, table: str, name: str | None) -> bool:
    """Whether a table has this primary key; without a name, whether it has one."""
    primary = governance.table(schema, table).primary_key()
    return primary is not None and (name is None or primary.name.lower() == name.lower())


def refuse_parent(governance: Governance, schema: str, table: str, key: KeyConstraint) -> None:
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


def refuse_added(
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


def refuse_drop(governance: Governance, schema: str, table: str, drop: DropKey) -> None:
    """A primary key that foreign keys lead to goes only with them."""
    if drop.cascade or not is_primary(governance, schema, table, drop.name):
        return
    if governance.references(schema, table):
        primary = governance.table(schema, table).primary_key()
        raise SparkError(
            f"Cannot delete constraint `{primary.name if primary else drop.name}` with non empty "
            "child constraints. Set the argument CASCADE to true to delete both this constraint "
            "and all child constraints."
        )

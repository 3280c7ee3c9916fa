"""The views of information_schema: each is answered by a sub-query of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ingestion.literals import literal
from lakehouse.endpoint.catalog import Catalog, Row, Table, is_nullable, type_text
from lakehouse.endpoint.connect import SparkError
from lakehouse.endpoint.governance import KeyConstraint, Notes
from lakehouse.endpoint.scope import Scope, View
from lakehouse.endpoint.sqltext import identifier

_OF_SCHEMA = ("catalog_name", "schema_name")
_OF_TABLE = ("table_catalog", "table_schema", "table_name")
_OF_CONSTRAINT = ("constraint_catalog", "constraint_schema", "constraint_name")
_TAG = ("tag_name", "tag_value")
# Columns of the views, all text but for those named below. Only what has a meaning here.
_VIEWS: dict[str, tuple[str, ...]] = {
    "catalogs": ("catalog_name", "catalog_owner", "comment"),
    "schemata": (*_OF_SCHEMA, "schema_owner", "comment"),
    "tables": (
        *(*_OF_TABLE, "table_type", "is_insertable_into", "commit_action", "table_owner"),
        *("comment", "created", "created_by", "last_altered", "last_altered_by"),
        *("data_source_format", "storage_path"),
    ),
    "views": (
        *(*_OF_TABLE, "view_definition", "check_option", "is_updatable", "is_insertable_into"),
    ),
    "columns": (
        *(*_OF_TABLE, "column_name", "ordinal_position", "column_default", "is_nullable"),
        *("full_data_type", "data_type", "partition_index", "comment"),
    ),
    "table_tags": (*_OF_SCHEMA, "table_name", *_TAG),
    "column_tags": (*_OF_SCHEMA, "table_name", "column_name", *_TAG),
    "schema_tags": (*_OF_SCHEMA, *_TAG),
    "catalog_tags": ("catalog_name", *_TAG),
    "column_masks": (*_OF_TABLE, *_OF_SCHEMA, "column_name", "mask_name", "using_columns"),
    "row_filters": (*_OF_TABLE, *_OF_SCHEMA, "filter_name", "target_columns"),
    "table_constraints": (
        *(*_OF_CONSTRAINT, *_OF_TABLE, "constraint_type", "is_deferrable"),
        *("initially_deferred", "enforced"),
    ),
    "key_column_usage": (
        *(*_OF_CONSTRAINT, *_OF_TABLE, "column_name", "ordinal_position"),
        "position_in_unique_constraint",
    ),
    "constraint_column_usage": (*_OF_TABLE, "column_name", *_OF_CONSTRAINT),
    "referential_constraints": (
        *(*_OF_CONSTRAINT, "unique_constraint_catalog", "unique_constraint_schema"),
        *("unique_constraint_name", "match_option", "update_rule", "delete_rule"),
    ),
}
_TYPES = {
    "ordinal_position": "INT",
    "partition_index": "INT",
    "position_in_unique_constraint": "INT",
    "created": "TIMESTAMP",
    "last_altered": "TIMESTAMP",
}


def subquery(catalog: Catalog, view: View) -> str:
    """A sub-query that stands for a view. Raises SparkError for an unknown view."""
    names = _VIEWS.get(view.name)
    if names is None:
        raise SparkError(
            f"[TABLE_OR_VIEW_NOT_FOUND] information_schema.{view.name} is not there on the "
            f"local endpoint. SQLSTATE: 42P01",
            "TABLE_OR_VIEW_NOT_FOUND",
            "42P01",
        )
    rows = list(_rows(catalog, view.name, view.only))
    alias = f" AS {identifier(view.alias)}" if view.alias else ""
    return f"({_values(names, rows)}){alias}"


def _rows(catalog: Catalog, view: str, only: Scope) -> Iterator[Row]:
    if view == "catalogs":
        yield {"catalog_name": catalog.name}
    elif view == "schemata":
        for schema in catalog.schemas():
            yield {"catalog_name": catalog.name, "schema_name": schema}
    elif view in ("tables", "views", "columns"):
        for table in catalog.tables(only):
            yield from _table_rows(catalog, view, table, only)
    elif view == "schema_tags":
        for schema, tags in catalog.governance.schema_tags().items():
            yield from _tag_rows({"catalog_name": catalog.name, "schema_name": schema}, tags)
    elif view != "catalog_tags":
        for (schema, name), notes in catalog.governance.tables().items():
            if only.schemas is None or schema in only.schemas:
                yield from _governed_rows(catalog, view, schema, name, notes)


def _table_rows(catalog: Catalog, view: str, table: Table, only: Scope) -> Iterator[Row]:
    key = dict(zip(_OF_TABLE, (catalog.name, table.schema, table.name), strict=True))
    is_view = table.kind == "VIEW"
    if view == "views":
        if is_view:
            yield {**key, "view_definition": table.view_text}
    elif view == "tables":
        # Each of these two costs a statement a table.
        details = catalog.details_of(table) if only.wants("comment") else {}
        altered = _last_altered(catalog, table) if only.wants("last_altered") else None
        yield {
            **key,
            "table_type": table.kind,
            "is_insertable_into": "NO" if is_view else "YES",
            "table_owner": table.owner,
            "comment": details.get("Comment") or table.comment,
            "created_by": table.owner,
            "last_altered": altered,
            "last_altered_by": table.owner,
            "data_source_format": (
                "UNKNOWN_DATA_SOURCE_FORMAT" if is_view else table.provider.upper()
            ),
            "storage_path": table.location,
        }
    else:
        details = catalog.details_of(table) if only.wants("is_nullable") else {}
        for place, field in enumerate(catalog.columns(table)):
            yield {
                **key,
                "column_name": field.name,
                "ordinal_position": place,
                "is_nullable": "YES" if is_nullable(field, details) else "NO",
                "full_data_type": type_text(field),
                "data_type": field.dataType.typeName().upper(),
                "comment": field.metadata.get("comment"),
            }


def _last_altered(catalog: Catalog, table: Table) -> str | None:
    """Time of the last commit of a Delta table."""
    if table.kind == "VIEW" or table.provider != "delta":
        return None
    sql = f"DESCRIBE HISTORY {table.sql} LIMIT 1"
    rows = catalog.rows_about(table.schema, table.name, sql)
    return rows[0]["timestamp"].isoformat() if rows else None


def _governed_rows(
    catalog: Catalog, view: str, schema: str, name: str, notes: Notes
) -> Iterator[Row]:
    owner = {"catalog_name": catalog.name, "schema_name": schema}
    table = dict(zip(_OF_TABLE, (catalog.name, schema, name), strict=True))
    if view == "table_tags":
        yield from _tag_rows({**owner, "table_name": name}, notes.tags)
    elif view == "column_tags":
        for column, tags in notes.column_tags.items():
            yield from _tag_rows({**owner, "table_name": name, "column_name": column}, tags)
    elif view == "column_masks":
        for column, mask in notes.masks.items():
            yield {
                **table,
                **owner,
                "column_name": column,
                "mask_name": mask["function"],
                "using_columns": mask["using_columns"] or None,
            }
    elif view == "row_filters":
        if notes.row_filter:
            yield {
                **table,
                **owner,
                "filter_name": notes.row_filter["function"],
                "target_columns": ",".join(notes.row_filter["columns"]),
            }
    else:
        for constraint in notes.constraints:
            yield from _constraint_rows(catalog, view, table, constraint)


def _tag_rows(owner: Row, tags: Mapping[str, str]) -> Iterator[Row]:
    for tag, value in tags.items():
        yield {**owner, "tag_name": tag, "tag_value": value}


def _constraint_rows(
    catalog: Catalog, view: str, table: Row, constraint: KeyConstraint
) -> Iterator[Row]:
    names = (catalog.name, table["table_schema"], constraint.name)
    key = dict(zip(_OF_CONSTRAINT, names, strict=True))
    if view == "table_constraints":
        kind = "PRIMARY KEY" if constraint.parent is None else "FOREIGN KEY"
        yield {**key, **table, "constraint_type": kind, "enforced": "NO"}
    elif view in ("key_column_usage", "constraint_column_usage"):
        for place, column in enumerate(constraint.columns, 1):
            yield {
                **key,
                **table,
                "column_name": column,
                "ordinal_position": place,
                "position_in_unique_constraint": place if constraint.parent else None,
            }
    elif constraint.parent is not None:
        parent = catalog.notes(*constraint.parent).primary_key()
        yield {
            **key,
            "unique_constraint_catalog": catalog.name,
            "unique_constraint_schema": constraint.parent[0],
            "unique_constraint_name": parent.name if parent else None,
            "match_option": "FULL",
            "update_rule": "NO ACTION",
            "delete_rule": "NO ACTION",
        }


def _values(names: Iterable[str], rows: list[Row]) -> str:
    """A query for these rows, typed also if there are none."""
    columns = [(name, _TYPES.get(name, "STRING")) for name in names]
    typed = ", ".join(f"CAST(`{name}` AS {kind}) AS `{name}`" for name, kind in columns)
    listed = ", ".join(f"`{name}`" for name, _ in columns)
    lines = (", ".join(_literal(row.get(name)) for name, _ in columns) for row in rows or [{}])
    values = ", ".join(f"({line})" for line in lines)
    return f"SELECT {typed} FROM VALUES {values} AS v({listed})" + ("" if rows else " WHERE false")


def _literal(value: object) -> str:
    return "NULL" if value is None else literal(str(value))

"""What clients ask about the catalog, answered from Spark and the recorded governance.

Nothing is remembered but what Descriptions can tell to be true still: tables come and go through
other Spark sessions too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    StructField,
    StructType,
)

from ingestion.literals import literal
from lakehouse.endpoint.connect import SparkError, SparkSession
from lakehouse.endpoint.descriptions import About, Descriptions
from lakehouse.endpoint.governance import Governance, Notes
from lakehouse.endpoint.sqltext import Cursor, identifier, tokenize
from lakehouse.endpoint.translate import NOT_NULL_PREFIX, Scope, View

_CHAR_VARCHAR = "__CHAR_VARCHAR_TYPE_STRING"
_GONE = {"TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "DELTA_TABLE_NOT_FOUND"}

# Columns of the views, all text but for those named here. Only what has a meaning here.
_VIEWS: dict[str, tuple[str, ...]] = {
    "catalogs": ("catalog_name", "catalog_owner", "comment"),
    "schemata": ("catalog_name", "schema_name", "schema_owner", "comment"),
    "tables": (
        *("table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into"),
        *("commit_action", "table_owner", "comment", "created", "created_by", "last_altered"),
        *("last_altered_by", "data_source_format", "storage_path"),
    ),
    "views": (
        *("table_catalog", "table_schema", "table_name", "view_definition", "check_option"),
        *("is_updatable", "is_insertable_into"),
    ),
    "columns": (
        *("table_catalog", "table_schema", "table_name", "column_name", "ordinal_position"),
        *("column_default", "is_nullable", "full_data_type", "data_type"),
        *("partition_index", "comment"),
    ),
    "table_tags": ("catalog_name", "schema_name", "table_name", "tag_name", "tag_value"),
    "column_tags": (
        *("catalog_name", "schema_name", "table_name", "column_name", "tag_name", "tag_value"),
    ),
    "schema_tags": ("catalog_name", "schema_name", "tag_name", "tag_value"),
    "catalog_tags": ("catalog_name", "tag_name", "tag_value"),
    "column_masks": (
        *("table_catalog", "table_schema", "table_name", "catalog_name", "schema_name"),
        *("column_name", "mask_name", "using_columns"),
    ),
    "row_filters": (
        *("table_catalog", "table_schema", "table_name", "catalog_name", "schema_name"),
        *("filter_name", "target_columns"),
    ),
    "table_constraints": (
        *("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog"),
        *("table_schema", "table_name", "constraint_type", "is_deferrable"),
        *("initially_deferred", "enforced"),
    ),
    "key_column_usage": (
        *("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog"),
        *("table_schema", "table_name", "column_name", "ordinal_position"),
        "position_in_unique_constraint",
    ),
    "constraint_column_usage": (
        *("table_catalog", "table_schema", "table_name", "column_name"),
        *("constraint_catalog", "constraint_schema", "constraint_name"),
    ),
    "referential_constraints": (
        *("constraint_catalog", "constraint_schema", "constraint_name"),
        *("unique_constraint_catalog", "unique_constraint_schema", "unique_constraint_name"),
        *("match_option", "update_rule", "delete_rule"),
    ),
}
_TYPES = {
    "ordinal_position": "INT",
    "partition_index": "INT",
    "position_in_unique_constraint": "INT",
    "created": "TIMESTAMP",
    "last_altered": "TIMESTAMP",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table or view as Spark's catalog lists it."""

    schema: str
    name: str
    kind: str  # MANAGED, EXTERNAL or VIEW
    provider: str
    owner: str
    comment: str | None
    created: str | None
    location: str | None
    view_text: str | None

    @property
    def sql(self) -> str:
        return identifier(self.schema, self.name)


class Catalog:
    """Answers for one session; `catalog` is the name its client uses."""

    def __init__(
        self,
        spark: SparkSession,
        governance: Governance,
        descriptions: Descriptions,
        catalog: str,
    ) -> None:
        self._spark = spark
        self._governance = governance
        self._descriptions = descriptions
        self.name = catalog
        self._current: str | None = None
        self._temporary: set[str] = set()

    def ran(self, sql: str) -> None:
        """Take note of a statement that this session has run."""
        cursor = Cursor(tokenize(sql))
        if cursor.accept("USE"):
            self._current = None
        elif cursor.accept("DROP VIEW"):
            cursor.accept("IF EXISTS")
            self._temporary.discard(".".join(cursor.name() or []).lower())
        elif cursor.accept("CREATE"):
            cursor.accept("OR REPLACE")
            if cursor.accept_any("TEMPORARY VIEW", "TEMP VIEW") is not None:
                cursor.accept("IF NOT EXISTS")
                self._temporary.add(".".join(cursor.name() or []).lower())

    def _rows_about(self, schema: str, table: str, sql: str) -> list[Row]:
        """Rows of a statement that describes one table."""
        return self._descriptions.get(About(schema, table, sql), lambda: self._spark.rows(sql))

    def _fields_of(self, schema: str, table: str) -> list[StructField]:
        sql = f"SELECT * FROM {identifier(schema, table)}"
        found: StructType = self._descriptions.get(
            About(schema, table, sql), lambda: self._spark.schema(sql)
        )
        return list(found.fields)

    # Listing

    def schemas(self) -> list[str]:
        return [str(next(iter(row.values()))) for row in self._spark.rows("SHOW SCHEMAS")]

    def functions(self) -> list[str]:
        return [str(next(iter(row.values()))) for row in self._spark.rows("SHOW FUNCTIONS")]

    def notes(self, schema: str, table: str) -> Notes:
        """What is recorded about a table."""
        return self._governance.table(schema, table)

    def current_schema(self) -> str:
        if self._current is None:
            self._current = str(self._spark.rows("SELECT current_schema() AS s")[0]["s"])
        return self._current

    def qualified(self, name: tuple[str, ...]) -> tuple[str, str]:
        """Schema and table of a name of one or two parts."""
        if len(name) >= 2:
            return name[-2], name[-1]
        return self.current_schema(), name[-1]

    def tables(self, only: Scope) -> list[Table]:
        """Tables and views, without temporary ones."""
        found: list[Table] = []
        for schema in self.schemas() if only.schemas is None else sorted(only.schemas):
            pattern = "*"
            if only.tables is not None and len(only.tables) == 1:
                (pattern,) = only.tables
            found.extend(
                table
                for table in self._tables_of(schema, pattern)
                if only.tables is None or table.name.lower() in only.tables
            )
        return found

    def _tables_of(self, schema: str, pattern: str) -> list[Table]:
        sql = f"SHOW TABLE EXTENDED IN {identifier(schema)} LIKE {literal(pattern)}"
        try:
            # A name without wildcards is that of one table, of which no other has part.
            rows = self._rows_about(schema, pattern, sql)
        except SparkError as error:
            if error.condition in _GONE:
                return []
            raise
        return [
            _listed(schema, row["tableName"], row["information"])
            for row in rows
            if not row["isTemporary"]
        ]

    def columns(self, table: Table) -> list[StructField]:
        """Columns of a table, or none if it is gone or its view is broken."""
        try:
            return self._fields_of(table.schema, table.name)
        except SparkError as error:
            if error.condition in _GONE or table.kind == "VIEW":
                return []
            raise

    def nullable(self, schema: str, name: str) -> set[str]:
        """Columns of a table that may be null, in lower case. Raises SparkError."""
        not_null = _checked(self.details(schema, name).get("Table Properties", ""))
        fields = self._fields_of(schema, name)
        return {field.name.lower() for field in fields if field.nullable} - not_null

    def details(self, schema: str, name: str) -> dict[str, str]:
        """The lower part of DESCRIBE TABLE EXTENDED. Raises SparkError."""
        sql = f"DESCRIBE TABLE EXTENDED {identifier(schema, name)}"
        rows = self._rows_about(schema, name, sql)
        below = False
        found: dict[str, str] = {}
        for row in rows:
            if below and row["col_name"]:
                found[str(row["col_name"])] = str(row["data_type"])
            below = below or str(row["col_name"]).startswith("# Detailed Table Information")
        return found

    # Answers

    def describe_json(self, name: tuple[str, ...]) -> str:
        """DESCRIBE TABLE EXTENDED ... AS JSON, in the form of Databricks. Raises SparkError."""
        schema, table = self.qualified(name)
        if len(name) > 1:
            fields, details = self._fields_of(schema, table), self.details(schema, table)
        else:
            sql = identifier(*name)
            fields = list(self._spark.schema(f"SELECT * FROM {sql}").fields)
            # Spark has nothing more to say of a temporary view, and would analyse it again.
            details = {} if name[0].lower() in self._temporary else self._details_of(sql)
        notes = self._governance.table(schema, table)
        not_null = _checked(details.get("Table Properties", ""))
        answer: dict[str, Any] = {
            "table_name": table,
            "catalog_name": self.name,
            "schema_name": schema,
            "namespace": [schema],
            "type": details.get("Type", "VIEW"),
            "provider": details.get("Provider", ""),
            "columns": [_json_column(field, not_null) for field in fields],
        }
        optional = {
            "comment": details.get("Comment"),
            "owner": details.get("Owner"),
            "location": details.get("Location"),
            "view_text": details.get("View Text"),
            "table_constraints": self._json_constraints(notes),
        }
        answer.update({key: value for key, value in optional.items() if value})
        if notes.row_filter:
            answer["row_filter"] = {
                "function_name": _json_function(notes.row_filter["function"], self.name, schema),
                "column_names": notes.row_filter["columns"],
            }
        if notes.masks:
            answer["column_masks"] = [
                {
                    "column_name": column,
                    "function_name": _json_function(mask["function"], self.name, schema),
                    "using_column_names": [c for c in mask["using_columns"].split(",") if c],
                }
                for column, mask in notes.masks.items()
            ]
        return json.dumps(answer)

    def _details_of(self, sql: str) -> dict[str, str]:
        """Of a name that may be a temporary view, which has no schema."""
        rows = self._spark.rows(f"DESCRIBE TABLE EXTENDED {sql}")
        return {str(row["col_name"]): str(row["data_type"]) for row in rows}

    def _json_constraints(self, notes: Notes) -> str | None:
        """As Databricks writes them: `[(name,PRIMARY KEY (`a`)), (...)]`."""
        if not notes.constraints:
            return None
        written = []
        for constraint in notes.constraints:
            columns = ", ".join(identifier(column) for column in constraint.columns)
            if constraint.parent is None:
                body = f"PRIMARY KEY ({columns})"
            else:
                to = self._parent_columns(constraint.parent, constraint.parent_columns)
                parent = identifier(self.name, *constraint.parent)
                listed = ", ".join(identifier(column) for column in to)
                body = f"FOREIGN KEY ({columns}) REFERENCES {parent} ({listed})"
            written.append(f"({constraint.name},{body})")
        return "[" + ", ".join(written) + "]"

    def _parent_columns(self, parent: list[str], given: list[str]) -> list[str]:
        if given:
            return given
        key = self._governance.table(parent[0], parent[1]).primary_key()
        return key.columns if key else []

    def show_table_extended(self, schema: str, pattern: str) -> list[Row]:
        """Rows of SHOW TABLE EXTENDED; the text carries every column with its full type."""
        rows = []
        for table in self._tables_of(schema, pattern):
            details = self.details(schema, table.name) if table.kind != "VIEW" else {}
            comment = details.get("Comment") or table.comment
            lines = [
                f"Catalog: {self.name}",
                f"Database: {schema}",
                f"Table: {table.name}",
                f"Owner: {table.owner}",
                f"Created Time: {table.created or ''}",
                f"Type: {table.kind}",
                f"Provider: {table.provider}" if table.kind != "VIEW" else "",
                f"Location: {table.location}" if table.location else "",
                f"View Text: {table.view_text}" if table.view_text else "",
                # The adapter reads the comment up to the last line that looks like a key,
                # so the schema must come next and last.
                f"Comment: {comment}" if comment else "",
                "Schema: root",
                *(
                    f" |-- {field.name}: {type_text(field)} "
                    f"(nullable = {'true' if field.nullable else 'false'})"
                    for field in self.columns(table)
                ),
            ]
            rows.append(
                {
                    "database": schema,
                    "tableName": table.name,
                    "isTemporary": False,
                    "information": "\n".join(line for line in lines if line) + "\n",
                }
            )
        return rows

    # information_schema

    def information(self, view: View) -> str:
        """A sub-query that stands for a view. Raises SparkError for an unknown view."""
        names = _VIEWS.get(view.name)
        if names is None:
            raise SparkError(
                f"[TABLE_OR_VIEW_NOT_FOUND] information_schema.{view.name} is not there on the "
                f"local endpoint. SQLSTATE: 42P01",
                "TABLE_OR_VIEW_NOT_FOUND",
                "42P01",
            )
        rows = list(self._information_rows(view.name, view.only))
        alias = f" AS {identifier(view.alias)}" if view.alias else ""
        return f"({_values(names, rows)}){alias}"

    def _information_rows(self, view: str, only: Scope) -> Iterator[Row]:
        if view == "catalogs":
            yield {"catalog_name": self.name}
        elif view == "schemata":
            for schema in self.schemas():
                yield {"catalog_name": self.name, "schema_name": schema}
        elif view in ("tables", "views", "columns"):
            for table in self.tables(only):
                yield from self._table_rows(view, table, only)
        elif view == "schema_tags":
            for schema, tags in self._governance.schema_tags().items():
                for tag, value in tags.items():
                    yield {
                        "catalog_name": self.name,
                        "schema_name": schema,
                        "tag_name": tag,
                        "tag_value": value,
                    }
        elif view != "catalog_tags":
            for (schema, name), notes in self._governance.tables().items():
                if only.schemas is None or schema in only.schemas:
                    yield from self._governed(view, schema, name, notes)

    def _table_rows(self, view: str, table: Table, only: Scope) -> Iterator[Row]:
        key = {
            "table_catalog": self.name,
            "table_schema": table.schema,
            "table_name": table.name,
        }
        is_view = table.kind == "VIEW"
        if view == "views":
            if is_view:
                yield {**key, "view_definition": table.view_text}
        elif view == "tables":
            # Each of these two costs a statement a table.
            details = self._details_or_none(table) if only.wants("comment") else {}
            altered = self._last_altered(table) if only.wants("last_altered") else None
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
            details = self._details_or_none(table) if only.wants("is_nullable") else {}
            not_null = _checked(details.get("Table Properties", ""))
            for place, field in enumerate(self.columns(table)):
                nullable = field.nullable and field.name.lower() not in not_null
                yield {
                    **key,
                    "column_name": field.name,
                    "ordinal_position": place,
                    "is_nullable": "YES" if nullable else "NO",
                    "full_data_type": type_text(field),
                    "data_type": field.dataType.typeName().upper(),
                    "comment": field.metadata.get("comment"),
                }

    def _details_or_none(self, table: Table) -> dict[str, str]:
        """Details of a table that may have been dropped since it was listed."""
        if table.kind == "VIEW":
            return {}
        try:
            return self.details(table.schema, table.name)
        except SparkError as error:
            if error.condition in _GONE:
                return {}
            raise

    def _last_altered(self, table: Table) -> str | None:
        """Time of the last commit of a Delta table."""
        if table.kind == "VIEW" or table.provider != "delta":
            return None
        sql = f"DESCRIBE HISTORY {table.sql} LIMIT 1"
        rows = self._rows_about(table.schema, table.name, sql)
        return rows[0]["timestamp"].isoformat() if rows else None

    def _governed(self, view: str, schema: str, name: str, notes: Notes) -> Iterator[Row]:
        owner = {"catalog_name": self.name, "schema_name": schema}
        table = {"table_catalog": self.name, "table_schema": schema, "table_name": name}
        if view == "table_tags":
            for tag, value in notes.tags.items():
                yield {**owner, "table_name": name, "tag_name": tag, "tag_value": value}
        elif view == "column_tags":
            for column, tags in notes.column_tags.items():
                for tag, value in tags.items():
                    yield {
                        **owner,
                        "table_name": name,
                        "column_name": column,
                        "tag_name": tag,
                        "tag_value": value,
                    }
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
            yield from self._constraint_rows(view, schema, table, notes)

    def _constraint_rows(self, view: str, schema: str, table: Row, notes: Notes) -> Iterator[Row]:
        for constraint in notes.constraints:
            key = {
                "constraint_catalog": self.name,
                "constraint_schema": schema,
                "constraint_name": constraint.name,
            }
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
                parent = self._governance.table(*constraint.parent).primary_key()
                yield {
                    **key,
                    "unique_constraint_catalog": self.name,
                    "unique_constraint_schema": constraint.parent[0],
                    "unique_constraint_name": parent.name if parent else None,
                    "match_option": "FULL",
                    "update_rule": "NO ACTION",
                    "delete_rule": "NO ACTION",
                }


# Helpers

_KEY = re.compile(r"^([A-Z][A-Za-z ]*): ?", re.MULTILINE)


def _listed(schema: str, name: str, information: str) -> Table:
    """Read Spark's text about a table: `Key: value` lines; values may have several lines."""
    keys = list(_KEY.finditer(information))
    facts: dict[str, str] = {}
    for match, after in zip(keys, [*keys[1:], None], strict=True):
        end = after.start() if after else len(information)
        # The first of a name is Spark's; a later one may stand in a view's text.
        facts.setdefault(match[1], information[match.end() : end].strip())
    return Table(
        schema=schema,
        name=name,
        kind=facts.get("Type", "MANAGED"),
        provider=facts.get("Provider", "delta").lower(),
        owner=facts.get("Owner") or "local",
        comment=facts.get("Comment"),
        created=facts.get("Created Time"),
        location=facts.get("Location"),
        view_text=facts.get("View Text") or facts.get("View Original Text"),
    )


def _checked(properties: str) -> set[str]:
    """Columns with the CHECK constraint that stands for NOT NULL, from the properties' text."""
    return set(re.findall(rf"delta\.constraints\.{NOT_NULL_PREFIX}([^=]+)=", properties))


def type_text(field: StructField) -> str:
    """The SQL type of a column, e.g. `struct<a:int>`."""
    return str(field.metadata.get(_CHAR_VARCHAR) or field.dataType.simpleString())


def _json_column(field: StructField, not_null: set[str]) -> Row:
    column: Row = {
        "name": field.name,
        "type": _json_type(field.dataType),
        "nullable": field.nullable and field.name.lower() not in not_null,
    }
    limited = re.fullmatch(r"(char|varchar)\((\d+)\)", field.metadata.get(_CHAR_VARCHAR, ""))
    if limited:
        column["type"] = {"name": limited[1], "length": int(limited[2])}
    if field.metadata.get("comment"):
        column["comment"] = field.metadata["comment"]
    return column


_JSON_NAMES = {
    "integer": "int",
    "long": "bigint",
    "short": "smallint",
    "byte": "tinyint",
    "timestamp": "timestamp_ltz",
}


def _json_type(kind: DataType) -> Row:
    """A type as DESCRIBE ... AS JSON writes it."""
    if isinstance(kind, DecimalType):
        return {"name": "decimal", "precision": kind.precision, "scale": kind.scale}
    if isinstance(kind, ArrayType):
        element = _json_type(kind.elementType)
        return {"name": "array", "element_type": element, "element_nullable": kind.containsNull}
    if isinstance(kind, MapType):
        return {
            "name": "map",
            "key_type": _json_type(kind.keyType),
            "value_type": _json_type(kind.valueType),
            "value_nullable": kind.valueContainsNull,
        }
    if isinstance(kind, StructType):
        fields = [
            {"name": f.name, "type": _json_type(f.dataType), "nullable": f.nullable}
            for f in kind.fields
        ]
        return {"name": "struct", "fields": fields}
    name = kind.typeName()
    return {"name": _JSON_NAMES.get(name, kind.simpleString() if " " in name else name)}


def _json_function(name: str, catalog: str, schema: str) -> Row:
    parts = [catalog, schema, *name.split(".")][-3:]
    parts = name.split(".") if name.count(".") == 2 else parts
    return {"catalog_name": parts[0], "schema_name": parts[1], "function_name": parts[2]}


def _literal(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    if kind == "INT":
        return str(int(value))
    return literal(str(value))


def _values(names: Iterable[str], rows: list[Row]) -> str:
    """A query for these rows, typed also if there are none."""
    columns = [(name, _TYPES.get(name, "STRING")) for name in names]
    typed = ", ".join(f"CAST(`{name}` AS {kind}) AS `{name}`" for name, kind in columns)
    listed = ", ".join(f"`{name}`" for name, _ in columns)
    if not rows:
        nulls = ", ".join("NULL" for _ in columns)
        return f"SELECT {typed} FROM VALUES ({nulls}) AS v({listed}) WHERE false"
    lines = ", ".join(
        "(" + ", ".join(_literal(row.get(name), kind) for name, kind in columns) + ")"
        for row in rows
    )
    return f"SELECT {typed} FROM VALUES {lines} AS v({listed})"

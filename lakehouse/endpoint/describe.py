"""DESCRIBE TABLE EXTENDED ... AS JSON and SHOW TABLE EXTENDED, in the words of Databricks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pyspark.sql.types import ArrayType, DataType, DecimalType, MapType, StructField, StructType

from lakehouse.endpoint.catalog import CHAR_VARCHAR, Catalog, Row, is_nullable, type_text
from lakehouse.endpoint.governance import Notes
from lakehouse.endpoint.sqltext import identifier


def describe_json(catalog: Catalog, name: tuple[str, ...]) -> str:
    """DESCRIBE TABLE EXTENDED ... AS JSON, in the form of Databricks. Raises SparkError."""
    schema, table = catalog.qualified(name)
    fields, details = catalog.described(name)
    notes = catalog.notes(schema, table)
    answer: dict[str, Any] = {
        "table_name": table,
        "catalog_name": catalog.name,
        "schema_name": schema,
        "namespace": [schema],
        "type": details.get("Type", "VIEW"),
        "provider": details.get("Provider", ""),
        "columns": [_column(field, details) for field in fields],
    }
    optional = {
        "comment": details.get("Comment"),
        "owner": details.get("Owner"),
        "location": details.get("Location"),
        "view_text": details.get("View Text"),
        "table_constraints": _constraints(catalog, notes),
    }
    answer.update({key: value for key, value in optional.items() if value})
    if notes.row_filter:
        answer["row_filter"] = {
            "function_name": _function(notes.row_filter["function"], catalog.name, schema),
            "column_names": notes.row_filter["columns"],
        }
    if notes.masks:
        answer["column_masks"] = [
            {
                "column_name": column,
                "function_name": _function(mask["function"], catalog.name, schema),
                "using_column_names": [c for c in mask["using_columns"].split(",") if c],
            }
            for column, mask in notes.masks.items()
        ]
    return json.dumps(answer)


def _constraints(catalog: Catalog, notes: Notes) -> str | None:
    """As Databricks writes them: `[(name,PRIMARY KEY (`a`)), (...)]`."""
    if not notes.constraints:
        return None
    written = []
    for constraint in notes.constraints:
        columns = ", ".join(map(identifier, constraint.columns))
        if constraint.parent is None:
            body = f"PRIMARY KEY ({columns})"
        else:
            parent = identifier(catalog.name, *constraint.parent)
            listed = ", ".join(map(identifier, catalog.referenced_columns(constraint)))
            body = f"FOREIGN KEY ({columns}) REFERENCES {parent} ({listed})"
        written.append(f"({constraint.name},{body})")
    return "[" + ", ".join(written) + "]"


def _column(field: StructField, details: dict[str, str]) -> Row:
    column: Row = {
        "name": field.name,
        "type": _type(field.dataType),
        "nullable": is_nullable(field, details),
    }
    limited = re.fullmatch(r"(char|varchar)\((\d+)\)", field.metadata.get(CHAR_VARCHAR, ""))
    if limited:
        column["type"] = {"name": limited[1], "length": int(limited[2])}
    if field.metadata.get("comment"):
        column["comment"] = field.metadata["comment"]
    return column


_TYPE_NAMES = {
    "integer": "int",
    "long": "bigint",
    "short": "smallint",
    "byte": "tinyint",
    "timestamp": "timestamp_ltz",
}


def _type(kind: DataType) -> Row:
    """A type as DESCRIBE ... AS JSON writes it."""
    if isinstance(kind, DecimalType):
        return {"name": "decimal", "precision": kind.precision, "scale": kind.scale}
    if isinstance(kind, ArrayType):
        element = _type(kind.elementType)
        return {"name": "array", "element_type": element, "element_nullable": kind.containsNull}
    if isinstance(kind, MapType):
        return {
            "name": "map",
            "key_type": _type(kind.keyType),
            "value_type": _type(kind.valueType),
            "value_nullable": kind.valueContainsNull,
        }
    if isinstance(kind, StructType):
        fields = [
            {"name": f.name, "type": _type(f.dataType), "nullable": f.nullable} for f in kind.fields
        ]
        return {"name": "struct", "fields": fields}
    name = kind.typeName()
    return {"name": _TYPE_NAMES.get(name, kind.simpleString() if " " in name else name)}


def _function(name: str, catalog: str, schema: str) -> Row:
    parts = [catalog, schema, *name.split(".")][-3:]
    parts = name.split(".") if name.count(".") == 2 else parts
    return {"catalog_name": parts[0], "schema_name": parts[1], "function_name": parts[2]}


def show_table_extended(catalog: Catalog, schema: str, pattern: str) -> Iterator[tuple[str, ...]]:
    """Rows of SHOW TABLE EXTENDED: schema, table, false (none is temporary), and a text that
    carries every column with its full type."""
    for table in catalog.tables_like(schema, pattern):
        comment = catalog.details_of(table).get("Comment") or table.comment
        lines = [
            f"Catalog: {catalog.name}",
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
                for field in catalog.columns(table)
            ),
        ]
        yield schema, table.name, "false", "\n".join(line for line in lines if line) + "\n"

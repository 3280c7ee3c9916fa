"""The protocol's own calls about the catalog: GetTables and the like, in JDBC's columns.

Each function takes the session's catalog and the request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pyspark.sql.types import (
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    TimestampType,
)

from lakehouse.endpoint.catalog import Catalog, type_text
from lakehouse.endpoint.catalog_names import CATALOGS
from lakehouse.endpoint.operation import INT, TEXT, Result, table
from lakehouse.endpoint.scope import Scope
from lakehouse.endpoint.thrift_api import t

# java.sql.Types by the name of Spark's type; OTHER for what JDBC does not know.
_JDBC = {
    "boolean": 16,
    "byte": -6,
    "short": 5,
    "integer": 4,
    "long": -5,
    "float": 6,
    "double": 8,
    "string": 12,
    "binary": -2,
    "date": 91,
    "timestamp": 93,
    "timestamp_ntz": 93,
    "decimal": 3,
    "array": 2003,
    "map": 2000,
    "struct": 2002,
    "void": 0,
}
_OTHER = 1111
_SIZES: dict[type[DataType], int] = {
    ByteType: 3,
    ShortType: 5,
    IntegerType: 10,
    LongType: 19,
    FloatType: 7,
    DoubleType: 15,
    DateType: 10,
    TimestampType: 29,
}


def matches(value: str, pattern: str | None) -> bool:
    """LIKE of the protocol: `%`, `_`, `\\` escapes; no pattern, `*` or an empty one is all."""
    if pattern is None or pattern in ("", "*"):
        return True
    expression = []
    pieces = iter(pattern)
    for char in pieces:
        if char == "\\":
            expression.append(re.escape(next(pieces, "\\")))
        else:
            expression.append({"%": ".*", "_": "."}.get(char) or re.escape(char))
    return re.fullmatch("".join(expression), value, re.IGNORECASE | re.DOTALL) is not None


def _catalog_name(catalog: Catalog, asked: str | None) -> str | None:
    """The catalog under the name the client uses, or None if it asks for another one."""
    if asked is not None and asked.lower() in CATALOGS:
        return asked.lower()
    return catalog.name if matches(catalog.name, asked) else None


def catalogs(catalog: Catalog, _: Any) -> Result:
    return table([("TABLE_CAT", TEXT)], [(catalog.name,)])


def schemas(catalog: Catalog, request: Any) -> Result:
    name = _catalog_name(catalog, request.catalogName)
    found = [s for s in catalog.schemas() if matches(s, request.schemaName)] if name else []
    columns = [("TABLE_SCHEM", TEXT), ("TABLE_CATALOG", TEXT)]
    return table(columns, [(schema, name) for schema in sorted(found)])


def _schemas_like(catalog: Catalog, pattern: str | None) -> Scope:
    listed = catalog.schemas()
    return Scope(schemas=frozenset(s.lower() for s in listed if matches(s, pattern)))


def tables(catalog: Catalog, request: Any) -> Result:
    columns = [
        (name, TEXT) for name in ("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS")
    ]
    name = _catalog_name(catalog, request.catalogName)
    wanted = {kind.upper() for kind in request.tableTypes or ()}
    rows = []
    if name:
        for found in catalog.tables(_schemas_like(catalog, request.schemaName)):
            kind = "VIEW" if found.kind == "VIEW" else "TABLE"
            if matches(found.name, request.tableName) and (not wanted or kind in wanted):
                rows.append((name, found.schema, found.name, kind, found.comment or ""))
    return table(columns, rows)


_COLUMNS = (
    ("TABLE_CAT", TEXT),
    ("TABLE_SCHEM", TEXT),
    ("TABLE_NAME", TEXT),
    ("COLUMN_NAME", TEXT),
    ("DATA_TYPE", INT),
    ("TYPE_NAME", TEXT),
    ("COLUMN_SIZE", INT),
    ("BUFFER_LENGTH", INT),
    ("DECIMAL_DIGITS", INT),
    ("NUM_PREC_RADIX", INT),
    ("NULLABLE", INT),
    ("REMARKS", TEXT),
    ("COLUMN_DEF", TEXT),
    ("SQL_DATA_TYPE", INT),
    ("SQL_DATETIME_SUB", INT),
    ("CHAR_OCTET_LENGTH", INT),
    ("ORDINAL_POSITION", INT),
    ("IS_NULLABLE", TEXT),
    ("SCOPE_CATALOG", TEXT),
    ("SCOPE_SCHEMA", TEXT),
    ("SCOPE_TABLE", TEXT),
    ("SOURCE_DATA_TYPE", INT),
    ("IS_AUTO_INCREMENT", TEXT),
)


def columns(catalog: Catalog, request: Any) -> Result:
    name = _catalog_name(catalog, request.catalogName)
    rows: list[Sequence[Any]] = []
    found = catalog.tables(_schemas_like(catalog, request.schemaName)) if name else []
    for listed in found:
        if not matches(listed.name, request.tableName):
            continue
        for place, field in enumerate(catalog.columns(listed)):
            if not matches(field.name, request.columnName):
                continue
            kind = field.dataType
            size = kind.precision if isinstance(kind, DecimalType) else _SIZES.get(type(kind))
            scale = kind.scale if isinstance(kind, DecimalType) else None
            if isinstance(kind, (ByteType, ShortType, IntegerType, LongType)):
                scale = 0
            rows.append(
                (
                    *(name, listed.schema, listed.name, field.name),
                    *(_JDBC.get(kind.typeName(), _OTHER), type_text(field).upper(), size, None),
                    *(scale, 10 if scale is not None else None, int(field.nullable)),
                    *(field.metadata.get("comment", ""), None, None, None, None, place),
                    *("YES" if field.nullable else "NO", None, None, None, None, "NO"),
                )
            )
    return table(_COLUMNS, rows)


def table_types(_: Catalog, __: Any) -> Result:
    return table([("TABLE_TYPE", TEXT)], [("TABLE",), ("VIEW",)])


def type_info(_: Catalog, __: Any) -> Result:
    """The types there are; of JDBC's columns those that say something here."""
    listed = [
        *(("VOID", "void"), ("BOOLEAN", "boolean"), ("TINYINT", "byte"), ("SMALLINT", "short")),
        *(("INT", "integer"), ("BIGINT", "long"), ("FLOAT", "float"), ("DOUBLE", "double")),
        *(("STRING", "string"), ("BINARY", "binary"), ("DATE", "date"), ("DECIMAL", "decimal")),
        *(("TIMESTAMP", "timestamp"), ("ARRAY", "array"), ("MAP", "map"), ("STRUCT", "struct")),
    ]
    columns = [("TYPE_NAME", TEXT), ("DATA_TYPE", INT), ("NULLABLE", INT)]
    return table(columns, [(name, _JDBC[kind], 1) for name, kind in listed])


def functions(catalog: Catalog, request: Any) -> Result:
    columns = [
        *(("FUNCTION_CAT", TEXT), ("FUNCTION_SCHEM", TEXT), ("FUNCTION_NAME", TEXT)),
        *(("REMARKS", TEXT), ("FUNCTION_TYPE", INT), ("SPECIFIC_NAME", TEXT)),
    ]
    found = [name for name in catalog.functions() if matches(name, request.functionName)]
    return table(columns, [(None, None, name, "", 1, name) for name in found])


def primary_keys(catalog: Catalog, request: Any) -> Result:
    columns = [
        *(("TABLE_CAT", TEXT), ("TABLE_SCHEM", TEXT), ("TABLE_NAME", TEXT)),
        *(("COLUMN_NAME", TEXT), ("KEQ_SEQ", INT), ("PK_NAME", TEXT)),
    ]
    schema = request.schemaName or catalog.current_schema()
    key = catalog.notes(schema, request.tableName or "").primary_key()
    rows = (
        [
            (catalog.name, schema, request.tableName, column, place, key.name)
            for place, column in enumerate(key.columns, 1)
        ]
        if key
        else []
    )
    return table(columns, rows)


def cross_reference(catalog: Catalog, request: Any) -> Result:
    names = (
        *("PKTABLE_CAT", "PKTABLE_SCHEM", "PKTABLE_NAME", "PKCOLUMN_NAME"),
        *("FKTABLE_CAT", "FKTABLE_SCHEM", "FKTABLE_NAME", "FKCOLUMN_NAME"),
        *("KEQ_SEQ", "UPDATE_RULE", "DELETE_RULE", "FK_NAME", "PK_NAME", "DEFERRABILITY"),
    )
    numbers = ("KEQ_SEQ", "UPDATE_RULE", "DELETE_RULE", "DEFERRABILITY")
    columns = [(name, INT if name in numbers else TEXT) for name in names]
    schema = request.foreignSchemaName or catalog.current_schema()
    child = request.foreignTableName or ""
    rows: list[Sequence[Any]] = []
    for key in catalog.notes(schema, child).constraints:
        if key.parent is None:
            continue
        parent = catalog.notes(*key.parent).primary_key()
        pairs = zip(key.columns, catalog.referenced_columns(key), strict=False)
        for place, (column, referred) in enumerate(pairs, 1):
            rows.append(
                (
                    *(catalog.name, *key.parent, referred, catalog.name, schema, child, column),
                    *(place, 3, 3, key.name, parent.name if parent else None, 7),
                )
            )
    return table(columns, rows)


_INFORMATION = {
    t.TGetInfoType.CLI_SERVER_NAME: "Spark SQL",
    t.TGetInfoType.CLI_DBMS_NAME: "Spark SQL",
    t.TGetInfoType.CLI_IDENTIFIER_QUOTE_CHAR: "`",
}


def information(kind: int, version: str) -> str:
    """GetInfo: names and the version of Spark's client library; empty for the rest."""
    if kind == t.TGetInfoType.CLI_DBMS_VER:
        return version
    return _INFORMATION.get(kind, "")

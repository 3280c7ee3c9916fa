"""Types of results: Spark's as Thrift and Arrow name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    CalendarIntervalType,
    DataType,
    DayTimeIntervalType,
    DecimalType,
    MapType,
    StringType,
    StructField,
    StructType,
    VariantType,
    YearMonthIntervalType,
)

from lakehouse.endpoint.thrift_api import t

_TYPE_IDS: dict[str, int] = {
    "boolean": t.TTypeId.BOOLEAN_TYPE,
    "byte": t.TTypeId.TINYINT_TYPE,
    "short": t.TTypeId.SMALLINT_TYPE,
    "integer": t.TTypeId.INT_TYPE,
    "long": t.TTypeId.BIGINT_TYPE,
    "float": t.TTypeId.FLOAT_TYPE,
    "double": t.TTypeId.DOUBLE_TYPE,
    "string": t.TTypeId.STRING_TYPE,
    "binary": t.TTypeId.BINARY_TYPE,
    "date": t.TTypeId.DATE_TYPE,
    "timestamp": t.TTypeId.TIMESTAMP_TYPE,
    "timestamp_ntz": t.TTypeId.TIMESTAMP_TYPE,
    "decimal": t.TTypeId.DECIMAL_TYPE,
    "array": t.TTypeId.ARRAY_TYPE,
    "map": t.TTypeId.MAP_TYPE,
    "struct": t.TTypeId.STRUCT_TYPE,
    "void": t.TTypeId.NULL_TYPE,
}
_INTERVALS = (DayTimeIntervalType, YearMonthIntervalType, CalendarIntervalType)


def unreadable(schema: StructType) -> frozenset[int]:
    """Positions of columns that the connector cannot read from Arrow, so Spark casts them.

    Intervals and variants, also inside of others. Databricks sends those as text too.
    """
    return frozenset(i for i, f in enumerate(schema.fields) if _holds_unreadable(f.dataType))


def _holds_unreadable(kind: DataType) -> bool:
    if isinstance(kind, (*_INTERVALS, VariantType)):
        return True
    if isinstance(kind, ArrayType):
        return _holds_unreadable(kind.elementType)
    if isinstance(kind, MapType):
        return _holds_unreadable(kind.keyType) or _holds_unreadable(kind.valueType)
    if isinstance(kind, StructType):
        return any(_holds_unreadable(field.dataType) for field in kind.fields)
    return False


def thrift_schema(schema: StructType) -> Any:
    """TTableSchema of a result."""
    columns = []
    for place, field in enumerate(schema.fields, 1):
        kind = field.dataType
        qualifiers = None
        if isinstance(kind, DecimalType):
            qualifiers = t.TTypeQualifiers(
                {
                    "precision": t.TTypeQualifierValue(i32Value=kind.precision),
                    "scale": t.TTypeQualifierValue(i32Value=kind.scale),
                }
            )
        entry = t.TPrimitiveTypeEntry(type_id(kind), qualifiers)
        described = t.TTypeDesc([t.TTypeEntry(primitiveEntry=entry)])
        columns.append(t.TColumnDesc(field.name, described, place))
    return t.TTableSchema(columns)


def type_id(kind: DataType) -> int:
    """TTypeId; what the protocol has no id for (a variant) travels as text."""
    if isinstance(kind, DayTimeIntervalType):
        return int(t.TTypeId.INTERVAL_DAY_TIME_TYPE)
    if isinstance(kind, YearMonthIntervalType):
        return int(t.TTypeId.INTERVAL_YEAR_MONTH_TYPE)
    return int(_TYPE_IDS.get(kind.typeName(), t.TTypeId.STRING_TYPE))


def arrow_schema(schema: StructType, found: pa.Schema | None, as_text: Iterable[int]) -> pa.Schema:
    """The Arrow schema of a result; `found` is that of its first batch, if it has one."""
    text = frozenset(as_text)
    if found is None:
        plain = [
            StructField(f"c{i}", StringType() if i in text else f.dataType)
            for i, f in enumerate(schema.fields)
        ]
        found = to_arrow_schema(StructType(plain), timezone="UTC")
    fields = []
    for place, field in enumerate(schema.fields):
        variant = isinstance(field.dataType, VariantType)
        metadata = {b"Spark:DataType:SqlName": b"VARIANT"} if variant else None
        fields.append(pa.field(field.name, found.field(place).type, metadata=metadata))
    return pa.schema(fields)

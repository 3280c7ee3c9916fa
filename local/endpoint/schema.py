"""Types of results: Spark's as Thrift and Arrow name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    CalendarIntervalType,
    DataType,
    DayTimeIntervalType,
    DecimalType,
    MapType,
    StructField,
    StructType,
    VariantType,
    YearMonthIntervalType,
)

_TYPE_IDS: dict[str, int] = {
    "boolean": ttypes.TTypeId.BOOLEAN_TYPE,
    "byte": ttypes.TTypeId.TINYINT_TYPE,
    "short": ttypes.TTypeId.SMALLINT_TYPE,
    "integer": ttypes.TTypeId.INT_TYPE,
    "long": ttypes.TTypeId.BIGINT_TYPE,
    "float": ttypes.TTypeId.FLOAT_TYPE,
    "double": ttypes.TTypeId.DOUBLE_TYPE,
    "string": ttypes.TTypeId.STRING_TYPE,
    "binary": ttypes.TTypeId.BINARY_TYPE,
    "date": ttypes.TTypeId.DATE_TYPE,
    "timestamp": ttypes.TTypeId.TIMESTAMP_TYPE,
    "timestamp_ntz": ttypes.TTypeId.TIMESTAMP_TYPE,
    "decimal": ttypes.TTypeId.DECIMAL_TYPE,
    "array": ttypes.TTypeId.ARRAY_TYPE,
    "map": ttypes.TTypeId.MAP_TYPE,
    "struct": ttypes.TTypeId.STRUCT_TYPE,
    "void": ttypes.TTypeId.NULL_TYPE,
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
            qualifiers = ttypes.TTypeQualifiers(
                {
                    "precision": ttypes.TTypeQualifierValue(i32Value=kind.precision),
                    "scale": ttypes.TTypeQualifierValue(i32Value=kind.scale),
                }
            )
        entry = ttypes.TPrimitiveTypeEntry(type_id(kind), qualifiers)
        described = ttypes.TTypeDesc([ttypes.TTypeEntry(primitiveEntry=entry)])
        columns.append(ttypes.TColumnDesc(field.name, described, place))
    return ttypes.TTableSchema(columns)


def type_id(kind: DataType) -> int:
    """TTypeId; what the protocol has no id for (a variant) travels as text."""
    if isinstance(kind, DayTimeIntervalType):
        return int(ttypes.TTypeId.INTERVAL_DAY_TIME_TYPE)
    if isinstance(kind, YearMonthIntervalType):
        return int(ttypes.TTypeId.INTERVAL_YEAR_MONTH_TYPE)
    return _TYPE_IDS.get(kind.typeName(), ttypes.TTypeId.STRING_TYPE)


def arrow_schema(schema: StructType, found: pa.Schema | None, as_text: Iterable[int]) -> pa.Schema:
    """The Arrow schema of a result; `found` is that of its first batch, if it has one."""
    text = frozenset(as_text)
    fields = []
    derived: pa.Schema | None = None
    if found is None:
        plain = [
            StructField(f"c{i}", f.dataType) if i not in text else StructField(f"c{i}", _TEXT)
            for i, f in enumerate(schema.fields)
        ]
        derived = to_arrow_schema(StructType(plain), timestamp_utc=True)
    for place, field in enumerate(schema.fields):
        kind = found.field(place).type if found is not None else derived.field(place).type
        metadata = None
        if isinstance(field.dataType, VariantType):
            metadata = {b"Spark:DataType:SqlName": b"VARIANT"}
        fields.append(pa.field(field.name, kind, nullable=True, metadata=metadata))
    return pa.schema(fields)


def _text_type() -> DataType:
    from pyspark.sql.types import StringType

    return StringType()


_TEXT = _text_type()

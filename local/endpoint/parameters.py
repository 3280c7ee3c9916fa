"""Statement parameters: the protocol's texts with a type become literals of Spark Connect."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Sequence
from typing import Any

from pyspark.sql.connect.expressions import (
    Expression,
    LiteralExpression,
    UnresolvedFunction,
)
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    NullType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from local.endpoint.connect import Arguments, SparkError

_NUMBERS: dict[str, DataType] = {
    "TINYINT": ByteType(),
    "SMALLINT": ShortType(),
    "INT": IntegerType(),
    "INTEGER": IntegerType(),
    "BIGINT": LongType(),
}
_TEXTS: dict[str, DataType] = {"STRING": StringType(), "": StringType()}


def arguments(parameters: Sequence[Any] | None) -> Arguments | None:
    """Expressions for TSparkParameters. Raises SparkError for a value that is not of its type."""
    if not parameters:
        return None
    if all(parameter.name for parameter in parameters):
        return Arguments(named={p.name: _expression(p) for p in parameters})
    return Arguments(positional=tuple(_expression(parameter) for parameter in parameters))


def _expression(parameter: Any) -> Expression:
    kind = (parameter.type or "").upper()
    if kind in ("ARRAY", "MAP", "STRUCT"):
        inner = [_expression(argument) for argument in parameter.arguments or ()]
        if kind == "STRUCT":
            raise SparkError(
                "A parameter of the type STRUCT is not supported on the local endpoint.",
                "UNSUPPORTED_FEATURE",
                "0A000",
            )
        return UnresolvedFunction(kind.lower(), inner)
    value = parameter.value
    text = getattr(value, "stringValue", value) if value is not None else None
    try:
        return _literal(text, kind)
    except (ValueError, decimal.InvalidOperation):
        # Without the value: it may be personal.
        raise SparkError(
            f"[INVALID_PARAMETER_VALUE] The value of a parameter is not of the type {kind}. "
            "SQLSTATE: 22023",
            "INVALID_PARAMETER_VALUE",
            "22023",
        ) from None


def _literal(text: str | None, kind: str) -> Expression:
    if kind == "VOID" or text is None:
        return LiteralExpression(None, NullType())
    if kind in _NUMBERS:
        return LiteralExpression(int(text), _NUMBERS[kind])
    if kind in ("FLOAT", "DOUBLE"):
        return LiteralExpression(float(text), FloatType() if kind == "FLOAT" else DoubleType())
    if kind == "BOOLEAN":
        if text.lower() not in ("true", "false"):
            raise ValueError(kind)
        return LiteralExpression(text.lower() == "true", BooleanType())
    if kind == "DATE":
        return LiteralExpression(datetime.date.fromisoformat(text), DateType())
    if kind in ("TIMESTAMP", "TIMESTAMP_NTZ"):
        moment = datetime.datetime.fromisoformat(text)
        if kind == "TIMESTAMP_NTZ":
            return LiteralExpression(moment.replace(tzinfo=None), TimestampNTZType())
        # The session's time zone is UTC; a value with another offset keeps its instant.
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return LiteralExpression(zoned, TimestampType())
    if kind == "BINARY":
        return LiteralExpression(text.encode(), BinaryType())
    sized = re.fullmatch(r"DECIMAL(?:\((\d+)(?:,\s*(\d+))?\))?", kind)
    if sized:
        number = decimal.Decimal(text)
        if sized[1] is None:
            return LiteralExpression(number, _fitting(number))
        return LiteralExpression(number, DecimalType(int(sized[1]), int(sized[2] or 0)))
    if kind in _TEXTS:
        return LiteralExpression(text, StringType())
    raise SparkError(
        f"A parameter of the type {kind} is not supported on the local endpoint.",
        "UNSUPPORTED_FEATURE",
        "0A000",
    )


def _fitting(number: decimal.Decimal) -> DecimalType:
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("DECIMAL")
    scale = max(0, -exponent)
    return DecimalType(max(len(digits), scale, 1), scale)

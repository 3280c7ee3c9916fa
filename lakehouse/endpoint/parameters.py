"""Statement parameters: their markers become literals of Spark SQL before a statement is read.

Spark 4.2 binds them while it parses, in a method that Delta's parser does not pass on.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Sequence
from typing import Any

from ingestion.literals import literal
from lakehouse.endpoint.connect import SparkError
from lakehouse.endpoint.sqltext import Token, tokenize

_WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT")
# What may stand right before a colon that begins no marker: `a::int`, `column:path`.
_ENDS_OF_A_VALUE = (")", "]", ":")


def bind(sql: str, parameters: Sequence[Any] | None) -> str:
    """The statement with literals for the markers `:name` or `?` of its TSparkParameters.

    A marker without a parameter is left, for Spark to name. Raises SparkError for a value that is
    not of its type.
    """
    if not parameters:
        return sql
    literals = [_literal(parameter) for parameter in parameters]
    named = {p.name: literal for p, literal in zip(parameters, literals, strict=True) if p.name}
    in_order = iter(() if named else literals)
    pieces: list[str] = []
    tokens = tokenize(sql)
    for place, token in enumerate(tokens):
        if token.kind == "sign" and token.text == "?":
            pieces.append(next(in_order, "?"))
        elif _is_named(tokens, place):
            pieces[-1] = named.get(token.text, f":{token.text}")
        else:
            pieces.append(token.text)
    return "".join(pieces)


def _is_named(tokens: Sequence[Token], place: int) -> bool:
    """Whether this word and the sign before it are a marker."""
    if place == 0 or tokens[place].kind != "word" or tokens[place - 1].text != ":":
        return False
    before = tokens[place - 2] if place > 1 else None
    return before is None or not (
        before.is_name or before.kind == "string" or before.text in _ENDS_OF_A_VALUE
    )


def _literal(parameter: Any) -> str:
    kind = (parameter.type or "STRING").upper()
    if kind in ("ARRAY", "MAP"):
        inner = ", ".join(_literal(argument) for argument in parameter.arguments or ())
        return f"{kind.lower()}({inner})"
    value = parameter.value
    text = getattr(value, "stringValue", value) if value is not None else None
    if kind == "VOID" or text is None:
        return "NULL"
    if kind == "STRING":
        return literal(text)
    try:
        return _typed(text, kind)
    except (ValueError, OverflowError, decimal.InvalidOperation):
        # Without the value: it may be personal.
        raise SparkError(
            f"[INVALID_PARAMETER_VALUE] The value of a parameter is not of the type {kind}. "
            "SQLSTATE: 22023",
            "INVALID_PARAMETER_VALUE",
            "22023",
        ) from None


def _typed(text: str, kind: str) -> str:
    """A cast of a text that was found to be of the type. Raises ValueError if it is not."""
    if kind in _WHOLE_NUMBERS:
        text = str(int(text))
    elif kind in ("FLOAT", "DOUBLE"):
        text = str(float(text))
    elif kind == "BOOLEAN":
        if text.lower() not in ("true", "false"):
            raise ValueError(kind)
    elif kind == "DATE":
        text = datetime.date.fromisoformat(text).isoformat()
    elif kind == "TIMESTAMP":
        moment = datetime.datetime.fromisoformat(text)
        # The session's time zone is UTC; a value with another offset keeps its instant.
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        text = zoned.astimezone(datetime.UTC).isoformat(" ")
    elif kind == "TIMESTAMP_NTZ":
        text = datetime.datetime.fromisoformat(text).replace(tzinfo=None).isoformat(" ")
    elif kind == "BINARY":
        return f"X'{text.encode().hex()}'"
    elif re.fullmatch(r"DECIMAL(\(\d+(,\s*\d+)?\))?", kind):
        number = decimal.Decimal(text)
        kind, text = (_fitting(number) if kind == "DECIMAL" else kind), f"{number:f}"
    else:
        raise SparkError(
            f"A parameter of the type {kind} is not supported on the local endpoint.",
            "UNSUPPORTED_FEATURE",
            "0A000",
        )
    return f"CAST({literal(text)} AS {kind})"


def _fitting(number: decimal.Decimal) -> str:
    """The smallest type that holds a number."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("DECIMAL")
    scale = max(0, -exponent)
    return f"DECIMAL({max(len(digits) + max(0, exponent), scale, 1)},{scale})"

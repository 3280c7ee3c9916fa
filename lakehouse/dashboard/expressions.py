"""The expressions of dashboard fields and calculated measures, parsed once for page and linter.

The language is the part of Databricks SQL that the definition uses: columns in backticks,
numbers and strings, arithmetic, comparisons, AND / OR / NOT, IS [NOT] NULL, CASE WHEN, the
aggregates below and a few functions. The page gets the parsed tree as JSON and never sees SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

AGGREGATES = frozenset({"SUM", "AVG", "MIN", "MAX", "COUNT", "MEDIAN", "MAX_BY"})
FUNCTIONS = {"TRY_DIVIDE": 2, "NULLIF": 2, "COALESCE": 2, "DATE_TRUNC": 2}

# Operator, name of the operation and operands, as JSON: {"op": "column", "name": "visits"}.
Tree = dict[str, Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<column>`[^`]+`)|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<string>'(?:[^']|'')*'|\"[^\"]*\")|(?P<word>[A-Za-z_]+)|(?P<sign><=|>=|<>|!=|[-+*/=<>(),]))"
)
_COMPARISONS = {"=", "<>", "!=", "<", "<=", ">", ">="}


class ExpressionError(ValueError):
    """An expression that the page cannot evaluate; the text says where."""


def parse(text: str, measures: Mapping[str, str] | None = None) -> Tree:
    """The tree of an expression; MEASURE(`x`) becomes the tree of that measure.

    Raises ExpressionError for what is not of the language, and for measures that are unknown.
    """
    tree, rest = _Parser(text, measures or {}).whole()
    if rest:
        raise ExpressionError(f"{text!r}: not understood from {rest!r}")
    return tree


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and all trees in it."""
    yield tree
    for value in tree.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from walk(inner)


def columns(tree: Tree) -> set[str]:
    """Names of the dataset's columns that an expression reads."""
    return {node["name"] for node in walk(tree) if node["op"] == "column"}


def is_aggregate(tree: Tree) -> bool:
    """Whether it takes the rows of a group, not one row."""
    return any(node["op"] == "aggregate" for node in walk(tree))


class _Parser:
    def __init__(self, text: str, measures: Mapping[str, str]) -> None:
        self._text, self._measures = text, measures
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text.rstrip()):
            match = _TOKEN.match(text, place)
            if not match:
                raise ExpressionError(f"{text!r}: not understood from {text[place:]!r}")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match.group(kind)))
            place = match.end()
        self._place = 0

    def whole(self) -> tuple[Tree, str]:
        tree = self._or()
        return tree, " ".join(token for _, token in self._tokens[self._place :])

    def _peek(self) -> str:
        """The next token, words in capitals; nothing at the end."""
        if self._place == len(self._tokens):
            return ""
        kind, token = self._tokens[self._place]
        return token.upper() if kind == "word" else token

    def _take(self, *wanted: str) -> bool:
        if self._peek() in wanted:
            self._place += 1
            return True
        return False

    def _need(self, wanted: str) -> None:
        if not self._take(wanted):
            found = self._peek() or "the end"
            raise ExpressionError(f"{self._text!r}: {wanted} expected, {found} found")

    def _or(self) -> Tree:
        tree = self._and()
        while self._take("OR"):
            tree = {"op": "or", "left": tree, "right": self._and()}
        return tree

    def _and(self) -> Tree:
        tree = self._not()
        while self._take("AND"):
            tree = {"op": "and", "left": tree, "right": self._not()}
        return tree

    def _not(self) -> Tree:
        if self._take("NOT"):
            return {"op": "not", "operand": self._not()}
        tree = self._sum()
        if self._peek() in _COMPARISONS:
            sign = self._peek()
            self._place += 1
            return {"op": "<>" if sign == "!=" else sign, "left": tree, "right": self._sum()}
        if self._take("IS"):
            negated = self._take("NOT")
            self._need("NULL")
            null = {"op": "is null", "operand": tree}
            return {"op": "not", "operand": null} if negated else null
        return tree

    def _sum(self) -> Tree:
        return self._chain("+-", self._product)

    def _product(self) -> Tree:
        return self._chain("*/", self._single)

    def _chain(self, signs: str, operand: Callable[[], Tree]) -> Tree:
        """Operands between any of these signs, taken from the left."""
        tree = operand()
        while (sign := self._peek()) and sign in signs:
            self._place += 1
            tree = {"op": sign, "left": tree, "right": operand()}
        return tree

    def _single(self) -> Tree:
        if self._place == len(self._tokens):
            raise ExpressionError(f"{self._text!r}: ends too early")
        kind, token = self._tokens[self._place]
        self._place += 1
        if kind == "column":
            return {"op": "column", "name": token[1:-1]}
        if kind == "number":
            return {"op": "literal", "value": float(token) if "." in token else int(token)}
        if kind == "string":
            return {"op": "literal", "value": token[1:-1].replace("''", "'")}
        if token == "(":  # noqa: S105 - a token of the language
            tree = self._or()
            self._need(")")
            return tree
        name = token.upper()
        if name == "NULL":
            return {"op": "literal", "value": None}
        if name == "CASE":
            return self._case()
        if kind == "word" and self._take("("):
            return self._call(name)
        raise ExpressionError(f"{self._text!r}: {token} is not understood")

    def _case(self) -> Tree:
        whens: list[Tree] = []
        otherwise: Tree | None = None
        while self._take("WHEN"):
            condition = self._or()
            self._need("THEN")
            whens.append({"op": "when", "when": condition, "then": self._or()})
        if self._take("ELSE"):
            otherwise = self._or()
        self._need("END")
        if not whens:
            raise ExpressionError(f"{self._text!r}: CASE without WHEN")
        return {"op": "case", "whens": whens, "otherwise": otherwise}

    def _call(self, name: str) -> Tree:
        if name in AGGREGATES:
            distinct = self._take("DISTINCT")
            operand: Tree | None = None
            if not (name == "COUNT" and not distinct and self._take("*")):
                operand = self._or()
                if is_aggregate(operand):
                    raise ExpressionError(f"{self._text!r}: an aggregate in an aggregate")
            tree: Tree = {"op": "aggregate", "function": name, "distinct": distinct}
            if name == "MAX_BY":
                self._need(",")
                tree["by"] = self._or()
            self._need(")")
            return {**tree, "operand": operand}
        operands = [self._or()]
        while self._take(","):
            operands.append(self._or())
        self._need(")")
        if name == "MEASURE":
            return self._measure(operands)
        if name not in FUNCTIONS:
            raise ExpressionError(f"{self._text!r}: {name} is not among the functions of the page")
        if len(operands) != FUNCTIONS[name]:
            raise ExpressionError(f"{self._text!r}: {name} takes {FUNCTIONS[name]} arguments")
        return {"op": "function", "function": name, "operands": operands}

    def _measure(self, operands: list[Tree]) -> Tree:
        named = operands[0].get("name") if len(operands) == 1 else None
        if not isinstance(named, str) or named not in self._measures:
            raise ExpressionError(f"{self._text!r}: the dataset has no such measure")
        return parse(self._measures[named])

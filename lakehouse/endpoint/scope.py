"""Which views of information_schema a statement reads, and what of them can matter to it.

Their rows cost statements: so only those are made that the conditions leave over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lakehouse.endpoint.catalog_names import SPARK_CATALOG
from lakehouse.endpoint.sqltext import Cursor, Token, identifier, unquote

_SCHEMA_COLUMNS = ("TABLE_SCHEMA", "SCHEMA_NAME", "CONSTRAINT_SCHEMA")
_SET_OPERATORS = frozenset(("UNION", "EXCEPT", "INTERSECT", "MINUS", ";"))
# Words that may follow a relation without being its alias.
_AFTER_RELATION = frozenset(
    (
        *("WHERE", "JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "SEMI", "ANTI", "ON"),
        *("GROUP", "ORDER", "SORT", "DISTRIBUTE", "CLUSTER", "LIMIT", "OFFSET", "UNION"),
        *("HAVING", "USING", "NATURAL", "LATERAL", "EXCEPT", "INTERSECT", "MINUS", "WINDOW"),
        *("PIVOT", "UNPIVOT", "TABLESAMPLE"),
    )
)
# What ends a condition.
_AFTER_CONDITION = frozenset(
    (
        *("AND", "OR", ")", ";", "GROUP", "HAVING", "ORDER", "SORT", "DISTRIBUTE", "CLUSTER"),
        *("WINDOW", "LIMIT", "OFFSET"),
    )
)
# Names of schemas and tables that conditions leave over; None is all.
_Left = tuple[frozenset[str] | None, frozenset[str] | None]
_ALL: _Left = (None, None)


@dataclass(frozen=True)
class Scope:
    """What can matter of a view of information_schema; None is all."""

    schemas: frozenset[str] | None = None
    tables: frozenset[str] | None = None
    columns: frozenset[str] | None = None

    def wants(self, column: str) -> bool:
        """Whether a column of the view may be seen."""
        return self.columns is None or column in self.columns


@dataclass(frozen=True)
class View:
    """A view of information_schema that stands in a statement; with an alias of its own.

    `only` is what can matter of it there.
    """

    name: str
    alias: str = ""
    only: Scope = field(default_factory=Scope)


def cut_out_views(tokens: list[Token]) -> list[str | View]:
    """The statement with the views of information_schema cut out."""
    parts: list[str | View] = []
    cursor = Cursor(tokens)
    done = 0
    while cursor.peek() is not None:
        start = cursor.index
        name = cursor.name()
        if name is None:
            cursor.take()
            continue
        folded = [part.lower() for part in name]
        if "information_schema" not in folded[:-1] or folded[0] not in (
            *("system", SPARK_CATALOG, "information_schema"),
        ):
            continue
        view, *column = name[folded.index("information_schema") + 1 :]
        as_query = _table_as_query(tokens[done:start])
        parts.append(cursor.text(done, start) if as_query is None else as_query)
        done = cursor.previous_end
        if column:  # of a view that stands under its own name
            parts.append(identifier(view.lower(), *column))
            continue
        after = cursor.peek()
        aliased = after is not None and (
            after.kind == "quoted" or (after.kind == "word" and after.upper not in _AFTER_RELATION)
        )
        alias = "" if aliased else view.lower()
        parts.append(View(view.lower(), alias, _only(tokens, start)))
    parts.append(cursor.text(done))
    return parts


def _table_as_query(before: list[Token]) -> str | None:
    """What stands for a closing `TABLE` that begins a query: it takes names only."""
    words = [index for index, token in enumerate(before) if token.significant]
    if not words or before[words[-1]].upper != "TABLE":
        return None
    if len(words) > 1 and before[words[-2]].upper not in ("(", "AS", "ALL", *_SET_OPERATORS):
        return None
    return "".join(token.text for token in before[: words[-1]]) + "SELECT * FROM "


def _only(tokens: list[Token], at: int) -> Scope:
    """What the conditions leave over of the view whose name stands at this index.

    Everything, unless it is the one relation of its SELECT and they are plain: those of other
    branches of a UNION, of other sides of a join and of sub-queries are about other rows.
    """
    upper = {token.upper for token in tokens}
    if {"*", "NATURAL", "IDENTIFIER", "TABLE"} & upper:
        columns = None
    else:
        columns = frozenset(token.name.lower() for token in tokens if token.is_name)
    query = Cursor(_query_around(tokens, at))
    if not query.accept("SELECT"):
        return Scope()
    while (token := query.peek()) is not None and token.upper != "FROM":
        if token.text == "(":
            query.skip_group()
        else:
            query.take()
    query.accept("FROM")
    name = query.name() or [""]
    query.accept("AS")
    alias = query.name() if (token := query.peek()) and token.upper not in _AFTER_RELATION else None
    if not query.accept("WHERE"):
        return Scope(columns=columns)
    words = [token for token in query.tokens[query.index :] if token.significant]
    if {"CASE", "BETWEEN", "|", ">"} & {token.upper for token in words}:
        return Scope(columns=columns)
    try:
        (schemas, tables), _ = _either(words, 0, (alias or name)[-1].lower())
    except RecursionError:  # parentheses in parentheses: Spark may have a word to say about it
        return Scope(columns=columns)
    return Scope(schemas, tables, columns)


def _query_around(tokens: list[Token], at: int) -> list[Token]:
    """The tokens of the innermost SELECT that this index is part of."""

    def end(steps: range, opening: str, closing: str) -> int:
        depth = 0
        for index in steps:
            text = tokens[index].upper
            if depth == 0 and (text == closing or text in _SET_OPERATORS):
                return index
            depth += (text == opening) - (text == closing)
        return steps.stop

    first = end(range(at - 1, -1, -1), ")", "(") + 1
    query = tokens[first : end(range(at, len(tokens)), "(", ")")]
    words = [token for token in query if token.significant]
    return words[1:] if words[0].upper in ("ALL", "DISTINCT") else words


def _either(words: list[Token], at: int, relation: str) -> tuple[_Left, int]:
    """What conditions with OR leave over, and the index after them."""
    found, at = _each(words, at, relation)
    while at < len(words) and words[at].upper == "OR":
        other, at = _each(words, at + 1, relation)
        schemas, tables = (
            None if a is None or b is None else a | b for a, b in zip(found, other, strict=True)
        )
        found = schemas, tables
    return found, at


def _each(words: list[Token], at: int, relation: str) -> tuple[_Left, int]:
    """The same with AND."""
    found = _ALL
    while True:
        other, at = _condition(words, at, relation)
        schemas, tables = (
            b if a is None else a if b is None else a & b for a, b in zip(found, other, strict=True)
        )
        found = schemas, tables
        if at >= len(words) or words[at].upper != "AND":
            return found, at
        at += 1


def _condition(words: list[Token], start: int, relation: str) -> tuple[_Left, int]:
    """The same of one condition; what is not understood leaves over all."""

    def upper(at: int) -> str:
        return words[at].upper if at < len(words) else ";"

    if upper(start) == "(" and upper(start + 1) not in ("SELECT", "WITH", "FROM", "VALUES"):
        found, at = _either(words, start + 1, relation)
        if upper(at) == ")" and upper(at + 1) in _AFTER_CONDITION:
            return found, at + 1
    at = start
    if upper(at + 1) == "." and words[at].name.lower() == relation:
        at += 2
    if (
        upper(at + 1) == "="
        and at + 2 < len(words)
        and words[at + 2].kind == "string"
        and upper(at + 3) in _AFTER_CONDITION
    ):
        value = frozenset([unquote(words[at + 2].text).lower()])
        column = words[at].name.upper()
        schemas = value if column in _SCHEMA_COLUMNS else None
        return (schemas, value if column == "TABLE_NAME" else None), at + 3
    at, depth = start, 0
    while at < len(words) and (depth or upper(at) not in _AFTER_CONDITION):
        depth += (upper(at) == "(") - (upper(at) == ")")
        at += 1
    return _ALL, at

"""What a statement becomes: a text for Spark, or an answer made here, and effects on the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakehouse.endpoint.effects import Effect, Name
from lakehouse.endpoint.scope import View
from lakehouse.endpoint.sqltext import Cursor

# Answers: results that the endpoint makes itself.


@dataclass(frozen=True)
class DescribeJson:
    """DESCRIBE TABLE EXTENDED ... AS JSON."""

    table: Name


@dataclass(frozen=True)
class ShowTableExtended:
    """SHOW TABLE EXTENDED; without a schema of the current one."""

    schema: Name
    pattern: str


@dataclass(frozen=True)
class ShowCatalogs:
    """SHOW CATALOGS: the one, by its client's name."""


@dataclass(frozen=True)
class Nothing:
    """The statement has only effects."""


Answer = DescribeJson | ShowTableExtended | ShowCatalogs | Nothing


@dataclass(frozen=True)
class Translation:
    """`parts`, joined, is the text for Spark; not used if there is an `answer`."""

    parts: tuple[str | View, ...]
    rules: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    answer: Answer | None = None
    # Error conditions of Spark that mean "it is so already", and what to run then, if anything.
    tolerate: frozenset[str] = frozenset()
    instead: str | None = None

    @property
    def views(self) -> list[View]:
        """The views of information_schema that the text needs."""
        return [part for part in self.parts if isinstance(part, View)]

    def text(self, render: Callable[[View], str] = repr) -> str:
        """The text for Spark with what stands for each view."""
        return "".join(part if isinstance(part, str) else render(part) for part in self.parts)


_Apply = Callable[[Cursor], Translation | None]


@dataclass(frozen=True)
class Rule:
    """One difference. `apply` gets a cursor at the start of the statement; None: not about it."""

    name: str
    reason: str
    apply: _Apply


class Rules(list[Rule]):
    """Rules in the order in which they are defined."""

    def rule(self, name: str, reason: str) -> Callable[[_Apply], _Apply]:
        """Make a rule of a function."""

        def added(apply: _Apply) -> _Apply:
            self.append(Rule(name, reason, apply))
            return apply

        return added


def recorded(*effects: Effect) -> Translation:
    """Nothing for Spark, and these effects."""
    return Translation((), effects=effects, answer=Nothing())


def run(text: str, *effects: Effect, tolerate: frozenset[str] = frozenset()) -> Translation:
    """A text for Spark, then these effects."""
    return Translation((text,), effects=effects, tolerate=tolerate)


def alter_relation(cursor: Cursor) -> list[str] | None:
    """Consume `ALTER TABLE|VIEW ... name`."""
    if not cursor.accept("ALTER"):
        return None
    kinds = ("TABLE", "VIEW", "STREAMING TABLE", "MATERIALIZED VIEW", "MATERIALIZED_VIEW")
    if cursor.accept_any(*kinds) is None:
        return None
    return cursor.name()


def alter_column(cursor: Cursor) -> tuple[list[str], str] | None:
    """Consume `ALTER TABLE name ALTER|CHANGE [COLUMN] column`."""
    name = alter_relation(cursor)
    if (
        name is None
        or cursor.accept_any("ALTER COLUMN", "CHANGE COLUMN", "ALTER", "CHANGE") is None
    ):
        return None
    column = cursor.name()
    return (name, column[-1]) if column else None

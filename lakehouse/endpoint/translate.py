"""Where Databricks SQL and open-source Spark 4.2 with Delta 4.4 differ, statement by statement.

Each difference is one `Rule` with its reason; `docs/local-endpoint.md` lists them all, which a
test checks. Rules see a statement once, in the order of `RULES`; the first whose `apply` returns
a translation wins. Two rewritings of names come before: `catalog-name` and `information-schema`.
Literals and comments are never changed, but for the table names in `table_changes('...')`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ingestion.literals import literal
from lakehouse.endpoint.effects import (
    AddKey,
    ChangeTags,
    DropKey,
    Dropped,
    DroppedColumns,
    DroppedSchema,
    Effect,
    Name,
    Renamed,
    Replaced,
    SetMask,
    SetRowFilter,
)
from lakehouse.endpoint.governance import KeyConstraint
from lakehouse.endpoint.sqltext import (
    Cursor,
    Token,
    identifier,
    split_name,
    tokenize,
    unquote,
)

SPARK_CATALOG = "spark_catalog"
# Names under which clients know the one catalog: Unity-style, and of the old metastore.
CATALOGS = ("lakehouse", "hive_metastore")
NOT_NULL_PREFIX = "__nn_"

# What a statement becomes: a text for Spark, and things to do around it.


@dataclass(frozen=True)
class Scope:
    """What can matter of a view of information_schema; None is all."""

    schemas: frozenset[str] | None = None
    tables: frozenset[str] | None = None
    columns: frozenset[str] | None = None

    def wants(self, column: str) -> bool:
        return self.columns is None or column in self.columns


@dataclass(frozen=True)
class View:
    """A view of information_schema that stands in a statement; with an alias of its own.

    `only` is what can matter of it there.
    """

    name: str
    alias: str = ""
    only: Scope = field(default_factory=Scope)


# Answers: results that the endpoint makes itself.


@dataclass(frozen=True)
class DescribeJson:
    table: Name


@dataclass(frozen=True)
class ShowTableExtended:
    schema: Name
    pattern: str


@dataclass(frozen=True)
class ShowCatalogs:
    pass


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
        return [part for part in self.parts if isinstance(part, View)]

    def text(self, render: Callable[[View], str] = repr) -> str:
        return "".join(part if isinstance(part, str) else render(part) for part in self.parts)


@dataclass(frozen=True)
class Rule:
    """One difference. `apply` gets a cursor at the start of the statement."""

    name: str
    reason: str
    apply: Callable[[Cursor], Translation | None]


def translate(sql: str) -> Translation:
    """The statement as open-source Spark understands it."""
    tokens = tokenize(sql)
    rules: list[str] = []
    tokens, renamed = _rewrite_catalog(tokens)
    if renamed:
        rules.append("catalog-name")
    for rule in RULES:
        translation = rule.apply(Cursor(tokens))
        if translation is not None:
            return replace(translation, rules=(*rules, rule.name))
    parts = _information_schema(tokens)
    if any(isinstance(part, View) for part in parts):
        return Translation(tuple(parts), (*rules, "information-schema"))
    return Translation(tuple(parts), tuple(rules))


# Names


def _is_catalog(token: Token) -> bool:
    return token.is_name and token.name.lower() in CATALOGS


def _rewrite_catalog(tokens: list[Token]) -> tuple[list[Token], bool]:
    """Put `spark_catalog` for a catalog's name; also whether there was one.

    A name of three or more parts that starts with a catalog is a table's (an alias called
    `lakehouse` with a nested field would be taken for one). With two or one part it is a schema
    or a catalog only where the grammar wants one: after SCHEMA, USE, CATALOG, SHOW ... IN.
    """
    result = list(tokens)
    changed = False
    significant = [(i, token) for i, token in enumerate(tokens) if token.significant]
    head = [token.upper for _, token in significant[:5]]
    about_schema = bool({"SCHEMA", "DATABASE", "NAMESPACE"} & set(head))
    at = 0
    while at < len(significant):
        index, token = significant[at]
        before = significant[at - 1][1].upper if at else ""
        if token.kind == "string":
            opened = [t.upper for _, t in significant[max(0, at - 2) : at]]
            if opened in (["TABLE_CHANGES", "("], ["IDENTIFIER", "("]):
                name = Cursor(tokenize(token.text[1:-1])).name() or []
                if len(name) > 1 and name[0].lower() in CATALOGS:
                    text = token.text[0] + identifier(SPARK_CATALOG, *name[1:]) + token.text[0]
                    result[index] = Token("string", text)
                    changed = True
            at += 1
            continue
        if not token.is_name:
            at += 1
            continue
        length = 1
        while (
            at + 2 * length < len(significant)
            and significant[at + 2 * length - 1][1].text == "."
            and significant[at + 2 * length][1].is_name
        ):
            length += 1
        if _is_catalog(token):
            shows = head[:1] == ["SHOW"] and before in ("IN", "FROM")
            schema = about_schema and before in (
                *("SCHEMA", "DATABASE", "NAMESPACE", "EXISTS", "EXTENDED"),
            )
            if (
                (length >= 3 and before != ":")
                or (length == 2 and (schema or shows or before == "USE"))
                or (length == 1 and (shows or before == "CATALOG"))
            ):
                result[index] = Token("quoted", identifier(SPARK_CATALOG))
                changed = True
        at += 2 * length - 1
    return result, changed


# Words that may follow a relation without being its alias.
_AFTER_RELATION = frozenset(
    (
        *("WHERE", "JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "SEMI", "ANTI", "ON"),
        *("GROUP", "ORDER", "SORT", "DISTRIBUTE", "CLUSTER", "LIMIT", "OFFSET", "UNION"),
        *("HAVING", "USING", "NATURAL", "LATERAL", "EXCEPT", "INTERSECT", "MINUS", "WINDOW"),
        *("PIVOT", "UNPIVOT", "TABLESAMPLE"),
    )
)


def _information_schema(tokens: list[Token]) -> list[str | View]:
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


_SCHEMA_COLUMNS = ("TABLE_SCHEMA", "SCHEMA_NAME", "CONSTRAINT_SCHEMA")
_SET_OPERATORS = frozenset(("UNION", "EXCEPT", "INTERSECT", "MINUS", ";"))
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


# Helpers of the rules


def _table_name(parts: list[str]) -> Name:
    """Schema and table, or the table alone; the catalog is one anyway."""
    return tuple(parts[1:] if len(parts) == 3 else parts)


def _sql_name(name: list[str]) -> str:
    return identifier(*name)


def _alter_relation(cursor: Cursor) -> list[str] | None:
    """Consume `ALTER TABLE|VIEW ... name`."""
    if not cursor.accept("ALTER"):
        return None
    kinds = ("TABLE", "VIEW", "STREAMING TABLE", "MATERIALIZED VIEW", "MATERIALIZED_VIEW")
    if cursor.accept_any(*kinds) is None:
        return None
    return cursor.name()


def _alter_column(cursor: Cursor) -> tuple[list[str], str] | None:
    """Consume `ALTER TABLE name ALTER|CHANGE [COLUMN] column`."""
    name = _alter_relation(cursor)
    if (
        name is None
        or cursor.accept_any("ALTER COLUMN", "CHANGE COLUMN", "ALTER", "CHANGE") is None
    ):
        return None
    column = cursor.name()
    return (name, column[-1]) if column else None


def _recorded(*effects: Effect) -> Translation:
    return Translation((), effects=effects, answer=Nothing())


def _run(text: str, *effects: Effect, tolerate: frozenset[str] = frozenset()) -> Translation:
    return Translation((text,), effects=effects, tolerate=tolerate)


def _with_head(cursor_tokens: list[Token], text: str) -> str:
    """Keep comments before the statement: dbt marks its statements so."""
    head = []
    for token in cursor_tokens:
        if token.significant:
            break
        head.append(token.text)
    return "".join(head) + text


def _tag_pairs(cursor: Cursor) -> dict[str, str] | None:
    """`('name' = 'value', 'flag')`; names may be unquoted."""
    if not cursor.accept("("):
        return None
    tags: dict[str, str] = {}
    while not cursor.accept(")"):
        key = cursor.string()
        if key is None:
            name = cursor.name()
            if name is None:
                return None
            key = ".".join(name)
        tags[key] = (cursor.string() or "") if cursor.accept("=") else ""
        cursor.accept(",")
    return tags


# The rules


def _use_catalog(cursor: Cursor) -> Translation | None:
    if cursor.accept("USE CATALOG"):
        return _run(_with_head(cursor.tokens, f"SET CATALOG {cursor.rest()}"))
    return None


def _show_catalogs(cursor: Cursor) -> Translation | None:
    if cursor.accept("SHOW CATALOGS") and cursor.at_end:
        return Translation((), answer=ShowCatalogs())
    return None


def _current_catalog(cursor: Cursor) -> Translation | None:
    """Only where it is asked for alone, as clients do; elsewhere it is a value of Spark's."""
    if cursor.accept("SELECT CURRENT_CATALOG ( )") and cursor.at_end:
        return _run(f"SELECT {literal(CATALOGS[0])} AS `current_catalog()`")
    return None


def _describe_json(cursor: Cursor) -> Translation | None:
    if cursor.accept_any("DESCRIBE", "DESC") is None:
        return None
    cursor.accept("TABLE")
    if not cursor.accept("EXTENDED"):
        return None
    name = cursor.name()
    if name is None or not cursor.accept("AS JSON") or not cursor.at_end:
        return None
    return Translation((), answer=DescribeJson(_table_name(name)))


def _show_table_extended(cursor: Cursor) -> Translation | None:
    if not cursor.accept("SHOW TABLE EXTENDED"):
        return None
    schema: list[str] = []
    if cursor.accept_any("IN", "FROM") is not None:
        schema = cursor.name() or []
    cursor.accept("LIKE")
    pattern = cursor.string()
    if pattern is None or not cursor.at_end:
        return None
    return Translation((), answer=ShowTableExtended(tuple(schema[-1:]), pattern))


def _comment_on_column(cursor: Cursor) -> Translation | None:
    if not cursor.accept("COMMENT ON COLUMN"):
        return None
    name = cursor.name()
    if name is None or len(name) < 2 or not cursor.accept("IS"):
        return None
    text = cursor.rest()
    comment = "''" if text.upper() == "NULL" else text
    table, column = _sql_name(name[:-1]), identifier(name[-1])
    return _run(f"ALTER TABLE {table} ALTER COLUMN {column} COMMENT {comment}")


def _comment_on_view(cursor: Cursor) -> Translation | None:
    if not cursor.accept("COMMENT ON VIEW"):
        return None
    name = cursor.name()
    if name is None or not cursor.accept("IS"):
        return None
    text = cursor.rest()
    if text.upper() == "NULL":
        return _run(f"ALTER VIEW {_sql_name(name)} UNSET TBLPROPERTIES IF EXISTS ('comment')")
    return _run(f"ALTER VIEW {_sql_name(name)} SET TBLPROPERTIES ('comment' = {text})")


def _set_not_null(cursor: Cursor) -> Translation | None:
    found = _alter_column(cursor)
    if found is None:
        return None
    name, column = found
    table, constraint = _sql_name(name), identifier(NOT_NULL_PREFIX + column.lower())
    if cursor.accept("SET NOT NULL"):
        check = f"ADD CONSTRAINT {constraint} CHECK ({identifier(column)} IS NOT NULL)"
        exists = frozenset({"DELTA_CONSTRAINT_ALREADY_EXISTS"})
        return _run(f"ALTER TABLE {table} {check}", tolerate=exists)
    if cursor.accept("DROP NOT NULL"):
        # A column that was created NOT NULL has no such constraint.
        return Translation(
            (f"ALTER TABLE {table} DROP CONSTRAINT {constraint}",),
            tolerate=frozenset({"DELTA_CONSTRAINT_DOES_NOT_EXIST"}),
            instead=f"ALTER TABLE {table} ALTER COLUMN {identifier(column)} DROP NOT NULL",
        )
    return None


def _tags(cursor: Cursor) -> Translation | None:
    if not cursor.accept("ALTER"):
        return None
    schema_level = cursor.accept_any("SCHEMA", "DATABASE", "CATALOG") is not None
    column = None
    if not schema_level:
        kinds = ("TABLE", "VIEW", "STREAMING TABLE", "MATERIALIZED VIEW", "MATERIALIZED_VIEW")
        if cursor.accept_any(*kinds) is None:
            return None
    name = cursor.name()
    if name is None:
        return None
    if cursor.accept_any("ALTER COLUMN", "CHANGE COLUMN") is not None:
        column = (cursor.name() or [""])[-1].lower()
    target = tuple(name[-1:]) if schema_level else _table_name(name)
    if cursor.accept("SET TAGS"):
        tags = _tag_pairs(cursor)
        return None if tags is None else _recorded(ChangeTags(target, tags, column, schema_level))
    if cursor.accept("UNSET TAGS"):
        tags = _tag_pairs(cursor)
        if tags is not None:
            return _recorded(ChangeTags(target, dict.fromkeys(tags), column, schema_level))
    return None


def _mask(cursor: Cursor) -> Translation | None:
    found = _alter_column(cursor)
    if found is None:
        return None
    name, column = found
    target = _table_name(name)
    if cursor.accept("DROP MASK"):
        return _recorded(SetMask(target, column, None))
    if not cursor.accept("SET MASK"):
        return None
    function = cursor.name()
    if function is None:
        return None
    using: tuple[str, ...] = ()
    if cursor.accept("USING COLUMNS"):
        using = tuple(cursor.names() or ())
    return _recorded(SetMask(target, column, ".".join(_shown(function)), using))


def _row_filter(cursor: Cursor) -> Translation | None:
    name = _alter_relation(cursor)
    if name is None:
        return None
    if cursor.accept("DROP ROW FILTER"):
        return _recorded(SetRowFilter(_table_name(name), None))
    if not cursor.accept("SET ROW FILTER"):
        return None
    function = cursor.name()
    if function is None or not cursor.accept("ON"):
        return None
    columns = tuple(cursor.names() or ())
    return _recorded(SetRowFilter(_table_name(name), ".".join(_shown(function)), columns))


def _shown(name: list[str]) -> list[str]:
    """A name as the client knows it."""
    return [CATALOGS[0], *name[1:]] if name[0] == SPARK_CATALOG else name


def _key(cursor: Cursor, name: str | None, table: Name) -> KeyConstraint | None:
    """`PRIMARY KEY (...)` or `FOREIGN KEY (...) REFERENCES ...`, with its options."""
    if cursor.accept("PRIMARY KEY"):
        columns = []
        if cursor.accept("("):
            while (token := cursor.take()) is not None and token.text != ")":
                if token.is_name and token.upper not in ("TIMESERIES",):
                    columns.append(token.name)
        constraint = KeyConstraint(name or f"{table[-1]}_pk", columns)
    elif cursor.accept("FOREIGN KEY"):
        columns = cursor.names() or []
        if not cursor.accept("REFERENCES"):
            return None
        parent = list(_table_name(cursor.name() or []))
        if not parent:
            return None
        if len(parent) == 1:
            parent = [*table[:-1], *parent]
        constraint = KeyConstraint(
            name or f"{table[-1]}_{'_'.join(columns)}_fk", columns, parent, cursor.names() or []
        )
    else:
        return None
    options = (
        *("NOT ENFORCED", "DEFERRABLE", "INITIALLY DEFERRED", "NORELY", "NOVALIDATE"),
        *("MATCH FULL", "ON UPDATE NO ACTION", "ON DELETE NO ACTION", "DISABLE", "RELY"),
    )
    while (option := cursor.accept_any(*options)) is not None:
        constraint.rely = constraint.rely or option == "RELY"
    return constraint


def _add_key(cursor: Cursor) -> Translation | None:
    name = _alter_relation(cursor)
    if name is None or not cursor.accept("ADD"):
        return None
    given = None
    if cursor.accept("CONSTRAINT"):
        given = (cursor.name() or [""])[-1] or None
    constraint = _key(cursor, given, _table_name(name))
    if constraint is None or not cursor.at_end:
        return None
    return _recorded(AddKey(_table_name(name), constraint))


def _drop_key(cursor: Cursor) -> Translation | None:
    name = _alter_relation(cursor)
    if name is None:
        return None
    if cursor.accept("DROP PRIMARY KEY"):
        cursor.accept("IF EXISTS")
        cascade = cursor.accept_any("CASCADE", "RESTRICT") == "CASCADE"
        return _recorded(DropKey(_table_name(name), None, cascade=cascade))
    if not cursor.accept("DROP CONSTRAINT"):
        return None
    optional = "IF EXISTS " if cursor.accept("IF EXISTS") else ""
    given = cursor.name()
    if given is None:
        return None
    cascade = cursor.accept_any("CASCADE", "RESTRICT") == "CASCADE"
    then = f"ALTER TABLE {_sql_name(name)} DROP CONSTRAINT {optional}{identifier(given[-1])}"
    return _recorded(DropKey(_table_name(name), given[-1], then, cascade))


def _insert_replace_on(cursor: Cursor) -> Translation | None:
    """INSERT INTO t AS a REPLACE ON (condition) (query) AS b, by one MERGE."""
    if not cursor.accept("INSERT INTO"):
        return None
    cursor.accept("TABLE")
    table = cursor.name()
    if table is None:
        return None
    cursor.accept("AS")
    target = cursor.peek()
    if target is None or not target.is_name or target.upper in ("SELECT", "VALUES", "BY", "TABLE"):
        return None
    alias = target.name
    if alias.upper() == "REPLACE":
        return None
    cursor.take()
    if not cursor.accept("REPLACE ON"):
        return None
    start = cursor.index
    cursor.skip_group()
    condition = cursor.text(start, cursor.previous_end)
    start = cursor.index
    cursor.skip_group()
    query = cursor.text(start, cursor.previous_end)
    cursor.accept("AS")
    source = cursor.name()
    if source is None or not condition or not query or not cursor.at_end:
        return None
    a, b = identifier(alias), identifier(source[-1])
    return _run(
        # The parts are the client's own.
        f"MERGE INTO {_sql_name(table)} AS {a}\n"
        f"USING (WITH __new AS {query}\n"
        "  SELECT *, true AS __replaces FROM __new\n"
        "  UNION ALL SELECT *, false AS __replaces FROM __new\n"
        f") AS {b}\n"
        f"ON {b}.__replaces AND {condition}\n"
        "WHEN MATCHED THEN DELETE\n"
        f"WHEN NOT MATCHED AND NOT {b}.__replaces THEN INSERT *"
    )


def _create_table(cursor: Cursor) -> Translation | None:
    """Take out what only Unity Catalog stores, and record it."""
    if not cursor.accept("CREATE"):
        return None
    replaces = cursor.accept("OR REPLACE")
    cursor.accept("EXTERNAL")
    if not cursor.accept("TABLE"):
        return None
    cursor.accept("IF NOT EXISTS")
    name = cursor.name()
    if name is None:
        return None
    table = _table_name(name)
    effects: list[Effect] = [Replaced(table)] if replaces else []
    cuts: list[tuple[int, int]] = []
    if cursor.accept("("):
        _table_elements(cursor, table, effects, cuts)
    while (token := cursor.peek()) is not None:
        start = cursor.index
        if token.upper in ("AS", "SELECT", "WITH") and not cursor.accept("WITH ROW FILTER"):
            break
        if cursor.previous_end > start:
            function = cursor.name() or [""]
            columns: tuple[str, ...] = ()
            if cursor.accept("ON"):
                columns = tuple(cursor.names() or ())
            effects.append(SetRowFilter(table, ".".join(_shown(function)), columns))
            cuts.append((start, cursor.previous_end))
        elif cursor.accept("CLUSTER BY AUTO"):
            cuts.append((start, cursor.previous_end))
        elif token.text == "(":
            cursor.skip_group()
        else:
            cursor.take()
    if not cuts and not effects:
        return None
    return _run(_without(cursor.tokens, cuts), *effects)


def _table_elements(
    cursor: Cursor, table: Name, effects: list[Effect], cuts: list[tuple[int, int]]
) -> None:
    """The list of columns and constraints; `cursor` stands after its opening parenthesis."""
    comma: int | None = None
    first = True
    while cursor.peek() is not None:
        start = cursor.index
        given = None
        if cursor.accept("CONSTRAINT"):
            given = (cursor.name() or [""])[-1] or None
        constraint = _key(cursor, given, table)
        if constraint is not None:
            effects.append(AddKey(table, constraint))
            # With the comma before it or, for the first of the list, the one after.
            begin = start if comma is None else comma
            end = cursor.previous_end
            after = cursor.peek()
            if first and after is not None and after.text == ",":
                cursor.take()
                cuts.append((begin, cursor.previous_end))
                continue
            cuts.append((begin, end))
        else:
            column = cursor.name() or [""]
            _column_options(cursor, table, column[-1], effects, cuts)
        first = False
        token = cursor.peek()
        comma = cursor.index
        cursor.take()
        if token is None or token.text == ")":
            return


def _column_options(
    cursor: Cursor,
    table: Name,
    column: str,
    effects: list[Effect],
    cuts: list[tuple[int, int]],
) -> None:
    """What follows a column's name, up to the comma or parenthesis that ends it."""
    depth = 0
    while (token := cursor.peek()) is not None:
        start = cursor.index
        if depth == 0 and token.text in (",", ")"):
            return
        if depth == 0 and cursor.accept("PRIMARY KEY"):
            effects.append(AddKey(table, KeyConstraint(f"{table[-1]}_pk", [column])))
            cuts.append((start, cursor.previous_end))
        elif depth == 0 and cursor.accept("MASK"):
            function = cursor.name() or [""]
            using: tuple[str, ...] = ()
            if cursor.accept("USING COLUMNS"):
                using = tuple(cursor.names() or ())
            effects.append(SetMask(table, column, ".".join(_shown(function)), using))
            cuts.append((start, cursor.previous_end))
        else:
            # `>` closes a type such as struct<a: int, b: int>, whose commas end nothing.
            depth += {"(": 1, "<": 1, ")": -1, ">": -1}.get(token.text, 0)
            cursor.take()


def _without(tokens: list[Token], cuts: list[tuple[int, int]]) -> str:
    cut = {index for start, end in cuts for index in range(start, end)}
    return "".join(token.text for index, token in enumerate(tokens) if index not in cut)


def _cluster_by_auto(cursor: Cursor) -> Translation | None:
    name = _alter_relation(cursor)
    if name is not None and cursor.accept("CLUSTER BY AUTO") and cursor.at_end:
        return _recorded()
    return None


def _follow(cursor: Cursor) -> Translation | None:
    """Statements that Spark runs as they are, and that change what is recorded."""
    text = cursor.text(0)
    if cursor.accept("DROP"):
        if cursor.accept_any("SCHEMA", "DATABASE") is not None:
            cursor.accept("IF EXISTS")
            name = cursor.name()
            return _run(text, DroppedSchema(tuple(name[-1:]))) if name else None
        if cursor.accept_any("TABLE", "VIEW") is None:
            return None
        cursor.accept("IF EXISTS")
        name = cursor.name()
        return _run(text, Dropped(_table_name(name))) if name else None
    name = _alter_relation(cursor)
    if name is None:
        return None
    if cursor.accept("RENAME TO"):
        start = cursor.index
        to = cursor.name()
        if to is None:
            return None
        target, new = _table_name(name), _table_name(to)
        # Spark takes a catalog in the new name for a schema.
        text = cursor.text(0, start) + identifier(*new)
        if len(new) == 1:
            new = (*target[:-1], *new)
        return _run(text, Renamed(target, new))
    if cursor.accept_any("DROP COLUMN", "DROP COLUMNS") is not None:
        cursor.accept("IF EXISTS")
        columns = cursor.names() or [(cursor.name() or [""])[-1]]
        return _run(text, DroppedColumns(_table_name(name), tuple(columns)))
    return None


def _everywhere(_: Cursor) -> Translation | None:
    """For what `translate` does in any statement, before the rules."""
    return None


CATALOG_RULE = Rule(
    "catalog-name",
    "Spark has one catalog with Delta tables, `spark_catalog`; clients know it as `lakehouse` "
    "(or `hive_metastore`).",
    _everywhere,
)
INFORMATION_RULE = Rule(
    "information-schema",
    "open-source Spark has no `information_schema`; each view becomes a sub-query of values.",
    _everywhere,
)
RULES = (
    Rule("use-catalog", "Spark says SET CATALOG.", _use_catalog),
    Rule("show-catalogs", "Spark would answer `spark_catalog`.", _show_catalogs),
    Rule("current-catalog", "Spark would answer `spark_catalog`.", _current_catalog),
    Rule("describe-json", "Spark refuses AS JSON for Delta tables.", _describe_json),
    Rule(
        "show-table-extended",
        "Spark leaves the columns of Delta tables out.",
        _show_table_extended,
    ),
    Rule("comment-on-column", "Spark has only ALTER COLUMN ... COMMENT.", _comment_on_column),
    Rule("comment-on-view", "Spark has COMMENT ON for tables only.", _comment_on_view),
    Rule(
        "set-not-null",
        "Delta cannot make a nullable column NOT NULL; a CHECK constraint is enforced as well.",
        _set_not_null,
    ),
    Rule("tags", "Tags belong to Unity Catalog: recorded.", _tags),
    Rule("column-mask", "Masks belong to Unity Catalog: recorded, NOT enforced.", _mask),
    Rule("row-filter", "Filters belong to Unity Catalog: recorded, NOT enforced.", _row_filter),
    Rule("add-key", "Delta refuses PRIMARY and FOREIGN KEY: recorded.", _add_key),
    Rule("drop-key", "Keys are recorded here, other constraints are Delta's.", _drop_key),
    Rule(
        "insert-replace-on",
        "Delta refuses INSERT ... REPLACE ON; one MERGE deletes and inserts.",
        _insert_replace_on,
    ),
    Rule(
        "create-table",
        "Keys, masks, filters and CLUSTER BY AUTO are unknown to Spark: recorded or left out.",
        _create_table,
    ),
    Rule("cluster-by-auto", "Databricks chooses the keys; here nobody does.", _cluster_by_auto),
    Rule("follow", "DROP and RENAME take the recorded facts with them.", _follow),
)
ALL_RULES = (CATALOG_RULE, INFORMATION_RULE, *RULES)


def shown_text(text: str) -> str:
    """A message of Spark's with the catalog under the name that clients know."""
    return text.replace(f"`{SPARK_CATALOG}`", f"`{CATALOGS[0]}`").replace(
        f"{SPARK_CATALOG}.", f"{CATALOGS[0]}."
    )


def parts_of(name: str) -> Name:
    """Schema and table of a name given as text."""
    return _table_name(split_name(name))

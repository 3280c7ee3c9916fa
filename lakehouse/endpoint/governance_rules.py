"""What Unity Catalog stores and Spark does not: statements that change the record of governance."""

from __future__ import annotations

from lakehouse.endpoint.catalog_names import shown_name, table_name
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
from lakehouse.endpoint.sqltext import Cursor, Token, identifier
from lakehouse.endpoint.translation import (
    Rules,
    Translation,
    alter_column,
    alter_relation,
    recorded,
    run,
)

RULES = Rules()


@RULES.rule("tags", "Tags belong to Unity Catalog: recorded.")
def _tags(cursor: Cursor) -> Translation | None:
    schemas = ("ALTER SCHEMA", "ALTER DATABASE", "ALTER CATALOG")
    schema_level = cursor.accept_any(*schemas) is not None
    name = cursor.name() if schema_level else alter_relation(cursor)
    if name is None:
        return None
    column = None
    if cursor.accept_any("ALTER COLUMN", "CHANGE COLUMN") is not None:
        column = (cursor.name() or [""])[-1].lower()
    target = tuple(name[-1:]) if schema_level else table_name(name)
    words = cursor.accept_any("SET TAGS", "UNSET TAGS")
    tags = _tag_pairs(cursor) if words else None
    if tags is None:
        return None
    changes = tags if words == "SET TAGS" else dict.fromkeys(tags)
    return recorded(ChangeTags(target, changes, column, schema_level))


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


@RULES.rule("column-mask", "Masks belong to Unity Catalog: recorded, NOT enforced.")
def _mask(cursor: Cursor) -> Translation | None:
    found = alter_column(cursor)
    if found is None:
        return None
    name, column = found
    target = table_name(name)
    if cursor.accept("DROP MASK"):
        return recorded(SetMask(target, column, None))
    if not cursor.accept("SET MASK"):
        return None
    function, using = _call(cursor, "USING COLUMNS")
    return recorded(SetMask(target, column, function, using)) if function else None


def _call(cursor: Cursor, before_columns: str) -> tuple[str, tuple[str, ...]]:
    """A function's name, as clients know it, and the columns it gets, which these words precede."""
    function = ".".join(shown_name(cursor.name() or [""]))
    return function, tuple(cursor.names() or ()) if cursor.accept(before_columns) else ()


@RULES.rule("row-filter", "Filters belong to Unity Catalog: recorded, NOT enforced.")
def _row_filter(cursor: Cursor) -> Translation | None:
    name = alter_relation(cursor)
    if name is None:
        return None
    if cursor.accept("DROP ROW FILTER"):
        return recorded(SetRowFilter(table_name(name), None))
    if not cursor.accept("SET ROW FILTER"):
        return None
    function = cursor.name()
    if function is None or not cursor.accept("ON"):
        return None
    columns = tuple(cursor.names() or ())
    return recorded(SetRowFilter(table_name(name), ".".join(shown_name(function)), columns))


@RULES.rule("add-key", "Delta refuses PRIMARY and FOREIGN KEY: recorded.")
def _add_key(cursor: Cursor) -> Translation | None:
    name = alter_relation(cursor)
    if name is None or not cursor.accept("ADD"):
        return None
    constraint = _key(cursor, table_name(name))
    if constraint is None or not cursor.at_end:
        return None
    return recorded(AddKey(table_name(name), constraint))


@RULES.rule("drop-key", "Keys are recorded here, other constraints are Delta's.")
def _drop_key(cursor: Cursor) -> Translation | None:
    name = alter_relation(cursor)
    if name is None:
        return None
    if cursor.accept("DROP PRIMARY KEY"):
        cursor.accept("IF EXISTS")
        cascade = cursor.accept_any("CASCADE", "RESTRICT") == "CASCADE"
        return recorded(DropKey(table_name(name), None, cascade=cascade))
    if not cursor.accept("DROP CONSTRAINT"):
        return None
    optional = "IF EXISTS " if cursor.accept("IF EXISTS") else ""
    given = cursor.name()
    if given is None:
        return None
    cascade = cursor.accept_any("CASCADE", "RESTRICT") == "CASCADE"
    then = f"ALTER TABLE {identifier(*name)} DROP CONSTRAINT {optional}{identifier(given[-1])}"
    return recorded(DropKey(table_name(name), given[-1], then, cascade))


def _key(cursor: Cursor, table: Name) -> KeyConstraint | None:
    """`[CONSTRAINT name] PRIMARY KEY (...)` or `FOREIGN KEY (...) REFERENCES ...`, with options."""
    name = (cursor.name() or [""])[-1] if cursor.accept("CONSTRAINT") else ""
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
        parent = list(table_name(cursor.name() or []))
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


@RULES.rule("create-table", "Spark or Delta refuses keys, masks, filters, CLUSTER BY AUTO.")
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
    table = table_name(name)
    effects: list[Effect] = [Replaced(table)] if replaces else []
    cuts: list[tuple[int, int]] = []
    if cursor.accept("("):
        _table_elements(cursor, table, effects, cuts)
    while (token := cursor.peek()) is not None:
        start = cursor.index
        if token.upper in ("AS", "SELECT", "WITH") and not cursor.accept("WITH ROW FILTER"):
            break
        if cursor.previous_end > start:
            effects.append(SetRowFilter(table, *_call(cursor, "ON")))
            cuts.append((start, cursor.previous_end))
        elif cursor.accept("CLUSTER BY AUTO"):
            cuts.append((start, cursor.previous_end))
        elif token.text == "(":
            cursor.skip_group()
        else:
            cursor.take()
    if not cuts and not effects:
        return None
    return run(_without(cursor.tokens, cuts), *effects)


def _table_elements(
    cursor: Cursor, table: Name, effects: list[Effect], cuts: list[tuple[int, int]]
) -> None:
    """The list of columns and constraints; `cursor` stands after its opening parenthesis."""
    comma: int | None = None
    first = True
    while cursor.peek() is not None:
        start = cursor.index
        constraint = _key(cursor, table)
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
            effects.append(SetMask(table, column, *_call(cursor, "USING COLUMNS")))
            cuts.append((start, cursor.previous_end))
        else:
            # `>` closes a type such as struct<a: int, b: int>, whose commas end nothing.
            depth += {"(": 1, "<": 1, ")": -1, ">": -1}.get(token.text, 0)
            cursor.take()


def _without(tokens: list[Token], cuts: list[tuple[int, int]]) -> str:
    cut = {index for start, end in cuts for index in range(start, end)}
    return "".join(token.text for index, token in enumerate(tokens) if index not in cut)


@RULES.rule("cluster-by-auto", "Databricks chooses the keys; here nobody does.")
def _cluster_by_auto(cursor: Cursor) -> Translation | None:
    name = alter_relation(cursor)
    if name is not None and cursor.accept("CLUSTER BY AUTO") and cursor.at_end:
        return recorded()
    return None


@RULES.rule("follow", "DROP and RENAME take the recorded facts with them.")
def _follow(cursor: Cursor) -> Translation | None:
    """Statements that Spark runs as they are, and that change what is recorded."""
    text = cursor.text(0)
    if cursor.accept("DROP"):
        if cursor.accept_any("SCHEMA", "DATABASE") is not None:
            cursor.accept("IF EXISTS")
            name = cursor.name()
            return run(text, DroppedSchema(tuple(name[-1:]))) if name else None
        if cursor.accept_any("TABLE", "VIEW") is None:
            return None
        cursor.accept("IF EXISTS")
        name = cursor.name()
        return run(text, Dropped(table_name(name))) if name else None
    name = alter_relation(cursor)
    if name is None:
        return None
    if cursor.accept("RENAME TO"):
        start = cursor.index
        to = cursor.name()
        if to is None:
            return None
        target, new = table_name(name), table_name(to)
        # Spark takes a catalog in the new name for a schema.
        text = cursor.text(0, start) + identifier(*new)
        if len(new) == 1:
            new = (*target[:-1], *new)
        return run(text, Renamed(target, new))
    if cursor.accept_any("DROP COLUMN", "DROP COLUMNS") is not None:
        cursor.accept("IF EXISTS")
        columns = cursor.names() or [(cursor.name() or [""])[-1]]
        return run(text, DroppedColumns(table_name(name), tuple(columns)))
    return None

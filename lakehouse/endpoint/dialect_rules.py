"""What Databricks SQL has and Spark 4.2 with Delta 4.4 lacks: in other words, or answered here."""

from __future__ import annotations

from ingestion.literals import literal
from lakehouse.endpoint.catalog_names import CATALOGS, SPARK_CATALOG, table_name
from lakehouse.endpoint.sqltext import Cursor, Token, identifier
from lakehouse.endpoint.translation import (
    DescribeJson,
    Rules,
    ShowCatalogs,
    ShowTableExtended,
    Translation,
    alter_column,
    run,
)

RULES = Rules()
NOT_NULL_PREFIX = "__nn_"


@RULES.rule("use-catalog", "Spark says SET CATALOG, and takes a name for a variable.")
def _use_catalog(cursor: Cursor) -> Translation | None:
    if cursor.accept_any("USE CATALOG", "SET CATALOG") is None:
        return None
    name = cursor.name()
    catalog = ".".join(name) if name else cursor.string()
    if catalog is None or not cursor.at_end:
        return None
    known = SPARK_CATALOG if catalog.lower() in CATALOGS else catalog
    return run(_with_head(cursor.tokens, f"SET CATALOG {literal(known)}"))


def _with_head(cursor_tokens: list[Token], text: str) -> str:
    """Keep comments before the statement: dbt marks its statements so."""
    head = []
    for token in cursor_tokens:
        if token.significant:
            break
        head.append(token.text)
    return "".join(head) + text


@RULES.rule("show-catalogs", "Spark would answer `spark_catalog`.")
def _show_catalogs(cursor: Cursor) -> Translation | None:
    if cursor.accept("SHOW CATALOGS") and cursor.at_end:
        return Translation((), answer=ShowCatalogs())
    return None


@RULES.rule("current-catalog", "Spark would answer `spark_catalog`.")
def _current_catalog(cursor: Cursor) -> Translation | None:
    """Only where it is asked for alone, as clients do; elsewhere it is a value of Spark's."""
    if cursor.accept("SELECT CURRENT_CATALOG ( )") and cursor.at_end:
        return run(f"SELECT {literal(CATALOGS[0])} AS `current_catalog()`")
    return None


@RULES.rule("describe-json", "Spark refuses AS JSON for Delta tables.")
def _describe_json(cursor: Cursor) -> Translation | None:
    if cursor.accept_any("DESCRIBE", "DESC") is None:
        return None
    cursor.accept("TABLE")
    if not cursor.accept("EXTENDED"):
        return None
    name = cursor.name()
    if name is None or not cursor.accept("AS JSON") or not cursor.at_end:
        return None
    return Translation((), answer=DescribeJson(table_name(name)))


@RULES.rule("show-table-extended", "Spark leaves the columns of Delta tables out.")
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


@RULES.rule("comment-on-column", "Spark has only ALTER COLUMN ... COMMENT.")
def _comment_on_column(cursor: Cursor) -> Translation | None:
    if not cursor.accept("COMMENT ON COLUMN"):
        return None
    name = cursor.name()
    if name is None or len(name) < 2 or not cursor.accept("IS"):
        return None
    text = cursor.rest()
    comment = "''" if text.upper() == "NULL" else text
    table, column = identifier(*name[:-1]), identifier(name[-1])
    return run(f"ALTER TABLE {table} ALTER COLUMN {column} COMMENT {comment}")


@RULES.rule("comment-on-view", "Spark has COMMENT ON for tables only.")
def _comment_on_view(cursor: Cursor) -> Translation | None:
    if not cursor.accept("COMMENT ON VIEW"):
        return None
    name = cursor.name()
    if name is None or not cursor.accept("IS"):
        return None
    text = cursor.rest()
    if text.upper() == "NULL":
        return run(f"ALTER VIEW {identifier(*name)} UNSET TBLPROPERTIES IF EXISTS ('comment')")
    return run(f"ALTER VIEW {identifier(*name)} SET TBLPROPERTIES ('comment' = {text})")


@RULES.rule("set-not-null", "Delta makes no column NOT NULL; a CHECK constraint is as good.")
def _set_not_null(cursor: Cursor) -> Translation | None:
    found = alter_column(cursor)
    if found is None:
        return None
    name, column = found
    table, constraint = identifier(*name), identifier(NOT_NULL_PREFIX + column.lower())
    if cursor.accept("SET NOT NULL"):
        check = f"ADD CONSTRAINT {constraint} CHECK ({identifier(column)} IS NOT NULL)"
        exists = frozenset({"DELTA_CONSTRAINT_ALREADY_EXISTS"})
        return run(f"ALTER TABLE {table} {check}", tolerate=exists)
    if cursor.accept("DROP NOT NULL"):
        # A column that was created NOT NULL has no such constraint.
        return Translation(
            (f"ALTER TABLE {table} DROP CONSTRAINT {constraint}",),
            tolerate=frozenset({"DELTA_CONSTRAINT_DOES_NOT_EXIST"}),
            instead=f"ALTER TABLE {table} ALTER COLUMN {identifier(column)} DROP NOT NULL",
        )
    return None


@RULES.rule(
    "insert-replace-on", "Delta refuses INSERT ... REPLACE ON; one MERGE deletes and inserts."
)
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
    return run(
        # The parts are the client's own.
        f"MERGE INTO {identifier(*table)} AS {a}\n"
        f"USING (WITH __new AS {query}\n"
        "  SELECT *, true AS __replaces FROM __new\n"
        "  UNION ALL SELECT *, false AS __replaces FROM __new\n"
        f") AS {b}\n"
        f"ON {b}.__replaces AND {condition}\n"
        "WHEN MATCHED THEN DELETE\n"
        f"WHEN NOT MATCHED AND NOT {b}.__replaces THEN INSERT *"
    )

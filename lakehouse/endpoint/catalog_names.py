"""The one catalog, under the names that clients know and the one that Spark has.

Spark has one catalog with Delta tables, `spark_catalog`; clients know it as `lakehouse`, or by the
name of the old metastore.
"""

from __future__ import annotations

from lakehouse.endpoint.effects import Name
from lakehouse.endpoint.sqltext import Cursor, Token, identifier, split_name

SPARK_CATALOG = "spark_catalog"
CATALOGS = ("lakehouse", "hive_metastore")


def with_spark_catalog(tokens: list[Token]) -> list[Token]:
    """The statement with `spark_catalog` for the names of the catalog, also in the table's name in
    `table_changes('...')` and `IDENTIFIER('...')`."""
    result, cursor = list(tokens), Cursor(tokens)
    head = [token.upper for ahead in range(5) if (token := cursor.peek(ahead)) is not None]
    before = ("", "")
    while (token := cursor.peek()) is not None:
        index, name = cursor.index, cursor.name()
        if name is not None:
            if name[0].lower() in CATALOGS and _is_catalog(len(name), head, before[1]):
                result[index] = Token("quoted", identifier(SPARK_CATALOG))
        else:
            cursor.take()
            if token.kind == "string" and before in (("TABLE_CHANGES", "("), ("IDENTIFIER", "(")):
                quote, named = token.text[0], split_name(token.text[1:-1])
                if len(named) > 1 and named[0].lower() in CATALOGS:
                    text = identifier(SPARK_CATALOG, *named[1:])
                    result[index] = Token("string", f"{quote}{text}{quote}")
        before = (before[1], tokens[cursor.previous_end - 1].upper)
    return result


def _is_catalog(length: int, head: list[str], before: str) -> bool:
    """Whether a name of so many parts begins with a catalog, by the word before it.

    With three or more parts it is a table's (an alias called `lakehouse` with a nested field would
    be taken for one). With two or one it is a schema or a catalog only where the grammar wants one:
    after SCHEMA, USE, CATALOG, SHOW ... IN.
    """
    if length >= 3:
        return before != ":"
    if head[0] == "SHOW" and before in ("IN", "FROM"):
        return True
    if length == 1:
        return before == "CATALOG"
    schemas = {"SCHEMA", "DATABASE", "NAMESPACE"}
    is_schema = bool(schemas & set(head)) and before in {*schemas, "EXISTS", "EXTENDED"}
    return is_schema or before == "USE"


def shown_text(text: str) -> str:
    """A message of Spark's with the catalog under the name that clients know."""
    return text.replace(f"`{SPARK_CATALOG}`", f"`{CATALOGS[0]}`").replace(
        f"{SPARK_CATALOG}.", f"{CATALOGS[0]}."
    )


def shown_name(name: list[str]) -> list[str]:
    """A name as the client knows it."""
    return [CATALOGS[0], *name[1:]] if name[0] == SPARK_CATALOG else name


def table_name(parts: list[str]) -> Name:
    """Schema and table, or the table alone; the catalog is one anyway."""
    return tuple(parts[1:] if len(parts) == 3 else parts)


def parts_of(name: str) -> Name:
    """Schema and table of a name given as text."""
    return table_name(split_name(name))

"""The one catalog, under the names that clients know and the one that Spark has.

Spark has one catalog with Delta tables, `spark_catalog`; clients know it as `lakehouse`, or by the
name of the old metastore.
"""

from __future__ import annotations

from lakehouse.endpoint.effects import Name
from lakehouse.endpoint.sqltext import Cursor, Token, identifier, split_name, tokenize

SPARK_CATALOG = "spark_catalog"
CATALOGS = ("lakehouse", "hive_metastore")


def with_spark_catalog(tokens: list[Token]) -> tuple[list[Token], bool]:
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


def _is_catalog(token: Token) -> bool:
    return token.is_name and token.name.lower() in CATALOGS


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

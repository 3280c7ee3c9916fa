"""Where Databricks SQL and open-source Spark 4.2 with Delta 4.4 differ, statement by statement.

Each difference is one `Rule` with its reason (`dialect_rules`, `governance_rules`);
`docs/local-endpoint.md` lists them all, which a test checks. Rules see a statement once, in the
order of `RULES`; the first that returns a translation wins. Two rewritings of names come before:
`catalog-name` and `information-schema`. Literals and comments are never changed, but for the
table names in `table_changes('...')`.
"""

from __future__ import annotations

from dataclasses import replace

from lakehouse.endpoint import dialect_rules, governance_rules
from lakehouse.endpoint.catalog_names import with_spark_catalog
from lakehouse.endpoint.scope import View, cut_out_views
from lakehouse.endpoint.sqltext import Cursor, tokenize
from lakehouse.endpoint.translation import Rule, Translation

RULES: tuple[Rule, ...] = (*dialect_rules.RULES, *governance_rules.RULES)


def translate(sql: str) -> Translation:
    """The statement as open-source Spark understands it."""
    given = tokenize(sql)
    tokens = with_spark_catalog(given)
    before = () if tokens == given else ("catalog-name",)
    for rule in RULES:
        translation = rule.apply(Cursor(tokens))
        if translation is not None:
            return replace(translation, rules=(*before, rule.name))
    parts = tuple(cut_out_views(tokens))
    if any(isinstance(part, View) for part in parts):
        return Translation(parts, (*before, "information-schema"))
    return Translation(parts, before)

"""Tables, columns and their details as Spark knows them, beside the recorded governance.

Nothing is remembered but what Descriptions can tell to be true still: tables come and go through
other Spark sessions too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyspark.sql.types import StructField, StructType

from ingestion.literals import literal
from lakehouse.endpoint.connect import SparkError, SparkSession
from lakehouse.endpoint.descriptions import About, Descriptions
from lakehouse.endpoint.dialect_rules import NOT_NULL_PREFIX
from lakehouse.endpoint.governance import Governance, KeyConstraint, Notes
from lakehouse.endpoint.scope import Scope
from lakehouse.endpoint.sqltext import Cursor, identifier, tokenize

CHAR_VARCHAR = "__CHAR_VARCHAR_TYPE_STRING"
"""Metadata of a column that is char(n) or varchar(n): its type."""
_GONE = {"TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "DELTA_TABLE_NOT_FOUND"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table or view as Spark's catalog lists it."""

    schema: str
    name: str
    kind: str  # MANAGED, EXTERNAL or VIEW
    provider: str
    owner: str
    comment: str | None
    created: str | None
    location: str | None
    view_text: str | None

    @property
    def sql(self) -> str:
        """Its name, quoted for a statement."""
        return identifier(self.schema, self.name)


class Catalog:
    """The catalog as one session sees it; `name` is the one that its client uses."""

    def __init__(
        self, spark: SparkSession, governance: Governance, descriptions: Descriptions, name: str
    ) -> None:
        self.name = name
        self.governance = governance
        self._spark = spark
        self._descriptions = descriptions
        self._current: str | None = None
        self._temporary: set[str] = set()

    def ran(self, sql: str) -> None:
        """Take note of a statement that this session has run."""
        cursor = Cursor(tokenize(sql))
        if cursor.accept("USE"):
            self._current = None
        elif cursor.accept("DROP VIEW"):
            cursor.accept("IF EXISTS")
            self._temporary.discard(".".join(cursor.name() or []).lower())
        elif cursor.accept("CREATE"):
            cursor.accept("OR REPLACE")
            if cursor.accept_any("TEMPORARY VIEW", "TEMP VIEW") is not None:
                cursor.accept("IF NOT EXISTS")
                self._temporary.add(".".join(cursor.name() or []).lower())

    def rows_about(self, schema: str, table: str, sql: str) -> list[Row]:
        """Rows of a statement that describes one table."""
        return self._descriptions.get(About(schema, table, sql), lambda: self._spark.rows(sql))

    def _fields_of(self, schema: str, table: str) -> list[StructField]:
        sql = f"SELECT * FROM {identifier(schema, table)}"
        found: StructType = self._descriptions.get(
            About(schema, table, sql), lambda: self._spark.schema(sql)
        )
        return list(found.fields)

    # Listing

    def schemas(self) -> list[str]:
        """Names of all schemas."""
        return [str(next(iter(row.values()))) for row in self._spark.rows("SHOW SCHEMAS")]

    def functions(self) -> list[str]:
        """Names of all functions."""
        return [str(next(iter(row.values()))) for row in self._spark.rows("SHOW FUNCTIONS")]

    def notes(self, schema: str, table: str) -> Notes:
        """What is recorded about a table."""
        return self.governance.table(schema, table)

    def referenced_columns(self, key: KeyConstraint) -> list[str]:
        """What a foreign key leads to: the columns that it names, or its parent's primary key."""
        primary = None if key.parent is None else self.notes(*key.parent).primary_key()
        return key.parent_columns or (primary.columns if primary else [])

    def current_schema(self) -> str:
        """The one of the session's newest USE."""
        if self._current is None:
            self._current = str(self._spark.rows("SELECT current_schema() AS s")[0]["s"])
        return self._current

    def qualified(self, name: tuple[str, ...]) -> tuple[str, str]:
        """Schema and table of a name of one or two parts."""
        if len(name) >= 2:
            return name[-2], name[-1]
        return self.current_schema(), name[-1]

    def tables(self, only: Scope) -> list[Table]:
        """Tables and views, without temporary ones."""
        found: list[Table] = []
        for schema in self.schemas() if only.schemas is None else sorted(only.schemas):
            pattern = "*"
            if only.tables is not None and len(only.tables) == 1:
                (pattern,) = only.tables
            found.extend(
                table
                for table in self.tables_like(schema, pattern)
                if only.tables is None or table.name.lower() in only.tables
            )
        return found

    def tables_like(self, schema: str, pattern: str) -> list[Table]:
        """Tables and views of a schema by a pattern of Spark's: `*` for any text, `|` for or."""
        sql = f"SHOW TABLE EXTENDED IN {identifier(schema)} LIKE {literal(pattern)}"
        try:
            # A name without wildcards is that of one table, of which no other has part.
            rows = self.rows_about(schema, pattern, sql)
        except SparkError as error:
            if error.condition in _GONE:
                return []
            raise
        return [
            _listed(schema, row["tableName"], row["information"])
            for row in rows
            if not row["isTemporary"]
        ]

    def columns(self, table: Table) -> list[StructField]:
        """Columns of a table, or none if it is gone or its view is broken."""
        try:
            return self._fields_of(table.schema, table.name)
        except SparkError as error:
            if error.condition in _GONE or table.kind == "VIEW":
                return []
            raise

    def nullable(self, schema: str, name: str) -> set[str]:
        """Columns of a table that may be null, in lower case. Raises SparkError."""
        fields, details = self._fields_of(schema, name), self.details(schema, name)
        return {field.name.lower() for field in fields if is_nullable(field, details)}

    def details(self, schema: str, name: str) -> dict[str, str]:
        """The lower part of DESCRIBE TABLE EXTENDED. Raises SparkError."""
        sql = f"DESCRIBE TABLE EXTENDED {identifier(schema, name)}"
        rows = self.rows_about(schema, name, sql)
        below = False
        found: dict[str, str] = {}
        for row in rows:
            if below and row["col_name"]:
                found[str(row["col_name"])] = str(row["data_type"])
            below = below or str(row["col_name"]).startswith("# Detailed Table Information")
        return found

    def details_of(self, table: Table) -> dict[str, str]:
        """The same of a table that may be gone since it was listed; a view has none."""
        if table.kind == "VIEW":
            return {}
        try:
            return self.details(table.schema, table.name)
        except SparkError as error:
            if error.condition in _GONE:
                return {}
            raise

    def described(self, name: tuple[str, ...]) -> tuple[list[StructField], dict[str, str]]:
        """Columns and details of a name, which may be a temporary view's. Raises SparkError."""
        if len(name) > 1:
            return self._fields_of(*name[-2:]), self.details(*name[-2:])
        sql = identifier(*name)
        fields = list(self._spark.schema(f"SELECT * FROM {sql}").fields)
        if name[0].lower() in self._temporary:
            # Spark has nothing more to say of it, and would analyse it again.
            return fields, {}
        rows = self._spark.rows(f"DESCRIBE TABLE EXTENDED {sql}")
        return fields, {str(row["col_name"]): str(row["data_type"]) for row in rows}


_KEY = re.compile(r"^([A-Z][A-Za-z ]*): ?", re.MULTILINE)


def _listed(schema: str, name: str, information: str) -> Table:
    """Read Spark's text about a table: `Key: value` lines; values may have several lines."""
    keys = list(_KEY.finditer(information))
    facts: dict[str, str] = {}
    for match, after in zip(keys, [*keys[1:], None], strict=True):
        end = after.start() if after else len(information)
        # The first of a name is Spark's; a later one may stand in a view's text.
        facts.setdefault(match[1], information[match.end() : end].strip())
    return Table(
        schema=schema,
        name=name,
        kind=facts.get("Type", "MANAGED"),
        provider=facts.get("Provider", "delta").lower(),
        owner=facts.get("Owner") or "local",
        comment=facts.get("Comment"),
        created=facts.get("Created Time"),
        location=facts.get("Location"),
        view_text=facts.get("View Text") or facts.get("View Original Text"),
    )


def is_nullable(field: StructField, details: dict[str, str]) -> bool:
    """Whether a column may be null: a CHECK constraint of its table can stand for NOT NULL."""
    constraint = f"delta.constraints.{NOT_NULL_PREFIX}{field.name.lower()}="
    return field.nullable and constraint not in details.get("Table Properties", "")


def type_text(field: StructField) -> str:
    """The SQL type of a column, e.g. `struct<a:int>`."""
    return str(field.metadata.get(CHAR_VARCHAR) or field.dataType.simpleString())

"""What is translated, Spark refuses or answers otherwise: a rule goes when Spark learns it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse.endpoint.translate import RULES
from lakehouse.warehouse import spark_session
from tests.support import Workspace

# Each statement as it is where names are Spark's own; several where a rule has several ways.
REFUSED = {
    "information-schema": ["select * from spark_catalog.information_schema.tables"],
    "use-catalog": ["USE CATALOG 'spark_catalog'", "SET CATALOG spark_catalog"],
    "describe-json": ["DESCRIBE TABLE EXTENDED {t} AS JSON"],
    "comment-on-column": ["COMMENT ON COLUMN {t}.id IS 'a'"],
    "comment-on-view": ["COMMENT ON VIEW {v} IS 'a'", "COMMENT ON TABLE {v} IS 'a'"],
    "set-not-null": ["ALTER TABLE {t} ALTER COLUMN id SET NOT NULL"],
    "insert-replace-on": [
        "INSERT INTO {t} AS a REPLACE ON (a.id <=> b.id) (SELECT 1 AS id, 'c' AS name) AS b"
    ],
    "tags": ["ALTER TABLE {t} SET TAGS ('a' = 'b')"],
    "column-mask": ["ALTER TABLE {t} ALTER COLUMN name SET MASK f"],
    "row-filter": ["ALTER TABLE {t} SET ROW FILTER f ON (id)"],
    "add-key": [
        "ALTER TABLE {t} ADD CONSTRAINT c PRIMARY KEY (id)",
        "ALTER TABLE {t} ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES {t} (id)",
    ],
    "drop-key": [
        "ALTER TABLE {t} DROP PRIMARY KEY",
        "ALTER TABLE {t} DROP CONSTRAINT IF EXISTS c CASCADE",
    ],
    "create-table": [
        "CREATE TABLE {t}2 (id INT NOT NULL, CONSTRAINT c PRIMARY KEY (id) RELY)",
        "CREATE TABLE {t}2 (id INT PRIMARY KEY)",
        "CREATE TABLE {t}2 (id INT MASK f)",
        "CREATE TABLE {t}2 (id INT) WITH ROW FILTER f ON (id)",
        "CREATE TABLE {t}2 (id INT) CLUSTER BY AUTO",
    ],
    "cluster-by-auto": ["ALTER TABLE {t} CLUSTER BY AUTO"],
    "follow": [
        "ALTER TABLE spark_catalog.{t} RENAME TO spark_catalog.{t}2",
        "ALTER VIEW spark_catalog.{v} RENAME TO spark_catalog.{v}2",
    ],
}
ANSWERED = {
    "catalog-name": "SHOW CATALOGS",
    "show-catalogs": "SHOW CATALOGS",
    "current-catalog": "SELECT current_catalog()",
    "show-table-extended": "SHOW TABLE EXTENDED IN still_needed LIKE 't'",
}


@pytest.fixture(scope="module")
def spark(workspace: Workspace) -> Iterator[SparkSession]:
    """Spark itself, without the endpoint."""
    with spark_session(workspace.home) as session:
        session.sql("CREATE SCHEMA IF NOT EXISTS still_needed")
        session.sql("CREATE TABLE still_needed.t (id INT, name STRING)")
        session.sql("CREATE VIEW still_needed.v AS SELECT * FROM still_needed.t")
        yield session
        session.sql("DROP SCHEMA still_needed CASCADE")


def test_every_rule_is_tried() -> None:
    assert {"catalog-name", "information-schema", *(rule.name for rule in RULES)} == {
        *REFUSED,
        *ANSWERED,
    }


@pytest.mark.parametrize(
    "sql", [sql for statements in REFUSED.values() for sql in statements], ids=str
)
def test_spark_refuses(spark: SparkSession, sql: str) -> None:
    with pytest.raises(PySparkException):
        spark.sql(sql.format(t="still_needed.t", v="still_needed.v")).collect()


@pytest.mark.parametrize("sql", sorted(set(ANSWERED.values())))
def test_spark_answers_otherwise(spark: SparkSession, sql: str) -> None:
    """By the name that clients do not know, and without the columns of a Delta table."""
    (row,) = spark.sql(sql).collect()
    shown = str(row)
    assert "spark_catalog" in shown
    assert " |-- id" not in shown

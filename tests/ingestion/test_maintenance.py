"""Compaction makes few files of many, also where other statements keep files small."""

from __future__ import annotations

from pyspark.sql import SparkSession

from ingestion import sessions
from ingestion.maintenance import maintain
from tests.support import Workspace


def test_a_compacted_table_has_no_file_too_many(workspace: Workspace) -> None:
    with sessions.session(workspace.home.connect_url) as spark:
        spark.sql("create schema maintained")
        try:
            rows = spark.range(0, 1_200_000, 1, 3)
            rows.write.format("delta").saveAsTable("maintained.large")
            assert _files(spark) == 3
            assert maintain(spark, schema="maintained", many_files=3) == 1
            assert _files(spark) == 1
            assert spark.table("maintained.large").count() == 1_200_000
        finally:
            spark.sql("drop schema maintained cascade")


def _files(spark: SparkSession) -> int:
    return int(spark.sql("describe detail maintained.large").collect()[0].numFiles)

"""Compaction makes few files of many, also where other statements keep files small."""

from __future__ import annotations

from pyspark.sql import SparkSession

from ingestion import sessions
from ingestion.care import care
from tests.support import Workspace


def test_a_compacted_table_has_no_file_too_many(workspace: Workspace) -> None:
    with sessions.session(workspace.home.connect_url) as spark:
        spark.sql("create schema care_of_files")
        try:
            rows = spark.range(0, 1_200_000, 1, 3)
            rows.write.format("delta").saveAsTable("care_of_files.large")
            assert _files(spark) == 3
            assert care(spark, schema="care_of_files", many_files=3) == 1
            assert _files(spark) == 1
            assert spark.table("care_of_files.large").count() == 1_200_000
        finally:
            spark.sql("drop schema care_of_files cascade")


def _files(spark: SparkSession) -> int:
    return int(spark.sql("describe detail care_of_files.large").collect()[0].numFiles)

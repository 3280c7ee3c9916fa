"""Without Spark Connect's address, as on Databricks, files come through Auto Loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestion import sources
from ingestion.config import Config
from ingestion.feeds import FILE_FEEDS


class Recorder:
    """Stands in for a Spark session, its reader and its frames: keeps what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    @property
    def readStream(self) -> Recorder:
        return self

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Recorder:
            self.calls.append((name, *arguments))
            return self

        return call


@pytest.mark.parametrize("feed", FILE_FEEDS, ids=lambda feed: feed.name)
def test_files_are_read_by_auto_loader(tmp_path: Path, feed: Any) -> None:
    config = Config(landing=str(tmp_path), spark_remote="", max_files_per_trigger=7)
    spark = Recorder()
    sources.file_stream(spark, config, feed, held=())  # type: ignore[arg-type]
    reader = [call for call in spark.calls if call[0] in ("format", "option", "schema", "load")]
    assert reader == [
        ("format", "cloudFiles"),
        ("option", "cloudFiles.format", "binaryFile"),
        ("option", "cloudFiles.maxFilesPerTrigger", 7),
        ("option", "cloudFiles.useManagedFileEvents", "true"),
        ("load", f"{tmp_path}/{feed.folder}"),
    ]
    assert [call[0] for call in spark.calls[5:]] == ["selectExpr", "mapInArrow", "selectExpr"]

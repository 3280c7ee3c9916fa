"""A workspace of ingestion's own: its tests kill Spark, stop Kafka and create topics anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ingestion.drills import Drills
from tests.support import running


@pytest.fixture(scope="session")
def drills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drills]:
    with running(tmp_path_factory.mktemp("ingestion")) as workspace:
        yield Drills(workspace)

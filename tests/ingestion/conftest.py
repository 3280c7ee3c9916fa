"""A workspace of ingestion's own: its tests kill Spark, stop Kafka and create topics anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.home import Home
from tests.ingestion.drills import Drills
from tests.support import Workspace, free_base_port


@pytest.fixture(scope="session")
def drills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drills]:
    home = Home(tmp_path_factory.mktemp("ingestion").resolve(), free_base_port())
    space = Workspace(home)
    try:
        space.run("up")
        yield Drills(space)
    finally:
        space.down()

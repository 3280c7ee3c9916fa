"""Pages of fixture gold, written once, and a browser for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakehouse.dashboard import page, render
from lakehouse.dashboard.definition import Definition
from lakehouse.jars import cache_folder
from tests.dashboard.browser import chromium
from tests.dashboard.gold import Gold


@dataclass(frozen=True)
class Written:
    """A page and the gold that it shows."""

    path: Path
    gold: Gold


@pytest.fixture(scope="session")
def definition() -> Definition:
    return Definition.read()


def written(folder: Path, definition: Definition, gold: Gold) -> Written:
    """The page of some gold, in a folder of its own."""
    path = folder / "fitbit.html"
    tables = render.read(definition, gold)
    page.write(path, render.render(definition, tables, cache=cache_folder()))
    return Written(path, gold)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, definition: Definition) -> Written:
    """Some hundred members over five months: long enough for cohorts and falling members."""
    return written(tmp_path_factory.mktemp("many"), definition, Gold.of(300, 150))


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory, definition: Definition) -> Written:
    """One member: every group is smaller than what may be shown."""
    return written(tmp_path_factory.mktemp("one"), definition, Gold.of(1, 30))


@pytest.fixture(scope="session")
def nobody(tmp_path_factory: pytest.TempPathFactory, definition: Definition) -> Written:
    """Gold without a row."""
    return written(tmp_path_factory.mktemp("nobody"), definition, Gold.empty())


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started

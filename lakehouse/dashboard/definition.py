"""The dashboard definition as Python sees it: datasets, pages, widgets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.home import CHECKOUT, WorkspaceError

PATH = CHECKOUT / "dashboards" / "fitbit.lvdash.json"
CANVAS, GLOBAL_FILTERS = "PAGE_TYPE_CANVAS", "PAGE_TYPE_GLOBAL_FILTERS"

CUSTOM = "custom-vega-viz"

# Datasets of one member's health data. Databricks shows them to whom the row filter admits; the
# page that `lakehouse dashboard` writes leaves them out and points to the members' own file.
PERSONAL_PREFIX = "member_"
# A row is about so many members at least.
LEAST_MEMBERS = 5
# Gold that hides smaller groups itself: all that a gym's managers may read.
MANAGERS_TABLES = frozenset({"gyms", "gym_hours", "gym_days", "member_cohorts"})
MANAGERS_PAGES = ("how-full", "who-stays")
# Gold about no member at all.
FEED_TABLES = frozenset({"pipeline_health", "unowned_activity"})

Json = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """SQL over gold with unqualified table names, and its calculated measures by name."""

    name: str
    title: str
    sql: str
    measures: Mapping[str, str]

    @property
    def is_personal(self) -> bool:
        return self.name.startswith(PERSONAL_PREFIX)


@dataclass(frozen=True)
class Definition:
    """A parsed `.lvdash.json`."""

    raw: Json

    @classmethod
    def read(cls, path: Path = PATH) -> Definition:
        """Raises WorkspaceError if the file is missing or no JSON."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise WorkspaceError(f"{path} is no JSON: {error}.") from error
        return cls(raw)

    @property
    def datasets(self) -> list[Dataset]:
        return [
            Dataset(
                each["name"],
                each.get("displayName", each["name"]),
                "".join(each["queryLines"]),
                {c["displayName"]: c["expression"] for c in each.get("columns", [])},
            )
            for each in self.raw["datasets"]
        ]

    @property
    def pages(self) -> list[Json]:
        pages: list[Json] = self.raw["pages"]
        return pages

    def widgets(self) -> Iterator[tuple[Json, Json]]:
        """(page, widget) of the whole definition."""
        for page in self.pages:
            for item in page["layout"]:
                yield page, item["widget"]


def dataset_names(page: Json) -> set[str]:
    """The datasets that a page's widgets read."""
    return {
        query["query"]["datasetName"]
        for item in page["layout"]
        for query in item["widget"].get("queries", [])
    }


def is_personal(page: Json) -> bool:
    """Whether the page shows one member's health data."""
    return any(name.startswith(PERSONAL_PREFIX) for name in dataset_names(page))

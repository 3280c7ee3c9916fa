"""What sqlfluff shows to the project's Jinja in place of dbt, so that linting needs no workspace.

Every public name is a variable of the templates (`library_path` in `.sqlfluff`). sqlfluff's own
stand-ins for dbt (`ref`, `source`, `this`, `return`) complete them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).resolve().parents[2] / "dbt_project.yml"
_PROJECT = yaml.safe_load(_FILE.read_text("utf-8"))

# Macros that ask the database answer for an unknown relation then.
execute = False
# A node without a plan compiles to its full build.
model: dict[str, Any] = {}


class _Config:
    """The model's `config(...)`, and `config.get(...)` of what it was given."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __call__(self, **values: Any) -> str:
        self._values.update(values)
        return ""

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)


# sqlfluff loads this module anew for each file, so nothing of one model reaches another.
config = _Config()


def var(name: str, default: Any = None) -> Any:
    """The project's own value of a variable."""
    return _PROJECT["vars"].get(name, default)

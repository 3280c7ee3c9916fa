"""Gives dbt the home's token: a profile reads variables only, and no file.

`dbt_token.pth`, in the virtual environment, has each Python there import this module. It waits for
the import of dbt, by whatever program, and sets the variable then: no other process carries the
secret. dbt keeps variables with this prefix out of its logs. (ADR 21)
"""

from __future__ import annotations

import sys

VARIABLE = "DBT_ENV_SECRET_LAKEHOUSE_TOKEN"


class _OnImportOfDbt:
    @classmethod
    def find_spec(cls, name: str, *_: object) -> None:
        """A finder that finds nothing: the others are asked next."""
        if name == "dbt":
            sys.meta_path.remove(cls)
            provide()


def provide() -> None:
    """Set the variable to the token of the home that the environment names, if it has one."""
    import os

    from lakehouse.home import Home, WorkspaceError

    # A parent process may have worked in another home.
    os.environ.pop(VARIABLE, None)
    try:
        os.environ[VARIABLE] = Home.from_environment().token
    except WorkspaceError:
        return  # dbt needs none to parse, and cannot connect before `lakehouse up`


if _OnImportOfDbt not in sys.meta_path:
    sys.meta_path.insert(0, _OnImportOfDbt)

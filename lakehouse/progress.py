"""A progress bar for a person who waits at a terminal; for anybody else nothing."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(total: int | None, unit: str, title: str) -> tqdm[Any]:
    """A bar on standard error; silent if that is no terminal."""
    return tqdm(
        total=total,
        unit=f" {unit}",
        desc=title,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
        leave=False,
    )

"""Values in the text of a statement.

Not parameters: Delta's parser does not pass on those that Spark 4.2 binds while it parses.
"""

from __future__ import annotations

from datetime import datetime


def literal(value: str | datetime) -> str:
    """A literal of Spark SQL with this value: a string, or a timestamp from one with an offset."""
    if isinstance(value, datetime):
        return f"timestamp'{value.isoformat()}'"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"

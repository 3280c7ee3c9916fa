"""The connector's generated Thrift code, which has no types."""

from __future__ import annotations

from typing import Any

from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes

t: Any = ttypes
Processor: Any = TCLIService.Processor

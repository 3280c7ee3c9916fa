"""What a build says at its end when another one wrote to its tables."""

from __future__ import annotations

import re
from types import SimpleNamespace

import jinja2
import pytest

from local.home import CHECKOUT

APPEND = "Database Error in model heart_rates\n  [DELTA_CONCURRENT_APPEND] Files were added"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], 0),
        ([None, "OK", "Got 3 results, configured to fail if != 0"], 0),
        (["[DELTA_CHANGE_DATA_FILE_NOT_FOUND] the feed ends"], 0),
        (["OK", APPEND], 1),
        ([APPEND, None, APPEND], 1),
        (["[DELTA_METADATA_CHANGED] The metadata has been changed"], 1),
        (["[DELTA_PROTOCOL_CHANGED] The protocol version has been changed"], 1),
        (["[TABLE_OR_VIEW_ALREADY_EXISTS] Cannot create table"], 1),
    ],
)
def test_a_conflict_is_told_once(messages: list[str | None], said: int) -> None:
    macro = (CHECKOUT / "macros" / "builds_at_once.sql").read_text()
    lines: list[str] = []
    template = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(
        macro + "{{ tell_of_another_build(results) }}",
        globals={"log": lambda line, info: lines.append(line), "modules": {"re": re}},
    )
    results = [SimpleNamespace(message=message) for message in messages]
    assert template.render(results=results).strip() == ""
    assert len(lines) == said
    assert all(line.startswith("Another build wrote to the same tables") for line in lines)

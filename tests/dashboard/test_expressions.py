"""The language of dashboard expressions: what is understood, what is refused."""

import pytest

from local.dashboard import expressions
from local.dashboard.expressions import ExpressionError, parse


def test_operators_bind_as_in_sql() -> None:
    tree = parse("1 + `a` * 2 >= 3 AND NOT `b` IS NULL OR `c` = 'x'")
    assert tree["op"] == "or"
    assert tree["left"]["op"] == "and"
    assert tree["left"]["left"]["op"] == ">="
    assert tree["left"]["left"]["left"]["right"] == {
        "op": "*",
        "left": {"op": "column", "name": "a"},
        "right": {"op": "literal", "value": 2},
    }
    assert expressions.columns(tree) == {"a", "b", "c"}


def test_a_measure_stands_for_its_expression() -> None:
    measures = {"visits": "SUM(`n`)"}
    assert parse("MEASURE(`visits`)", measures) == parse("SUM(`n`)")
    with pytest.raises(ExpressionError, match="no such measure"):
        parse("MEASURE(`other`)", measures)


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("CASE WHEN COUNT(DISTINCT `member`) >= 5 THEN SUM(`n`) END", 5),
        ("case when count(distinct `member`) >= 7 then sum(`n`) end", 7),
        ("SUM(`n`)", 0),
        ("CASE WHEN COUNT(`member`) >= 5 THEN SUM(`n`) END", 0),
        ("CASE WHEN COUNT(DISTINCT `gym`) >= 5 THEN SUM(`n`) END", 0),
        ("CASE WHEN COUNT(DISTINCT `member`) >= 5 THEN SUM(`n`) ELSE 0 END", 0),
        ("CASE WHEN COUNT(DISTINCT `member`) > 5 THEN SUM(`n`) END", 0),
        ("CASE WHEN COUNT(DISTINCT `member`) >= 5 THEN SUM(`n`) WHEN 1 = 1 THEN 0 END", 0),
        ("2 * CASE WHEN COUNT(DISTINCT `member`) >= 5 THEN SUM(`n`) END", 0),
    ],
)
def test_only_a_guard_around_the_whole_measure_counts(text: str, least: int) -> None:
    assert expressions.least_members(parse(text)) == least


@pytest.mark.parametrize(
    "text",
    [
        "",
        "`a",
        "SUM(`a`",
        "SUM(SUM(`a`))",
        "CASE END",
        "PERCENTILE(`a`, 0.5)",
        "TRY_DIVIDE(`a`)",
        "`a` `b`",
        "COUNT(DISTINCT *)",
        "a",
        "`a` # `b`",
    ],
)
def test_what_the_page_cannot_evaluate_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)

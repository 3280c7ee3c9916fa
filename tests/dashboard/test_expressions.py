"""The language of dashboard expressions: what is understood, what is refused."""

import pytest

from lakehouse.dashboard import expressions
from lakehouse.dashboard.expressions import ExpressionError, parse


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


def test_the_greatest_has_its_value_and_its_order() -> None:
    tree = parse("MAX_BY(`share`, `month`)")
    assert (tree["operand"]["name"], tree["by"]["name"]) == ("share", "month")
    assert expressions.columns(tree) == {"share", "month"}
    assert expressions.is_aggregate(tree)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "`a",
        "SUM(`a`",
        "SUM(SUM(`a`))",
        "MAX_BY(`a`)",
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

"""The lexical rules: joined tokens are the statement, literals and comments stay whole."""

from __future__ import annotations

import pytest

from ingestion.literals import literal
from lakehouse.endpoint.sqltext import Cursor, split_name, tokenize, unquote, without_literals

STATEMENTS = [
    "select 1",
    "select 'it''s' as `a``b`, \"x\\\"y\" -- a comment\n/* more */ from t;",
    r"select r'\' as raw, 'a\'b' as escaped",
    "select * from a.b.c where d = :name and e = ?",
    "select 'unclosed",
    "",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_tokens_joined_are_the_statement(sql: str) -> None:
    assert "".join(token.text for token in tokenize(sql)) == sql


def test_comments_and_literals_are_one_token_each() -> None:
    tokens = tokenize("select 'a -- b', \"c /* d */\" -- 'e'\n, `f 'g'` /* h\n'i */")
    kinds = [(token.kind, token.text) for token in tokens if token.kind != "space"]
    assert kinds == [
        ("word", "select"),
        ("string", "'a -- b'"),
        ("sign", ","),
        ("string", '"c /* d */"'),
        ("comment", "-- 'e'"),
        ("sign", ","),
        ("quoted", "`f 'g'`"),
        ("comment", "/* h\n'i */"),
    ]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'plain'", "plain"),
        (r"'it\'s'", "it's"),
        (r"'a\nb\\c'", "a\nb\\c"),
        (r"'10\%'", r"10\%"),
        (r"r'a\n'", r"a\n"),
        ('"double"', "double"),
    ],
)
def test_unquote(literal: str, value: str) -> None:
    assert unquote(literal) == value


@pytest.mark.parametrize("value", ["", "it's", "a\\b", "two\nlines", "`tick`", "é"])
def test_quote_and_unquote_are_inverse(value: str) -> None:
    assert unquote(literal(value)) == value


def test_split_name_honours_backticks() -> None:
    assert split_name("a.`b.c`.d") == ["a", "b.c", "d"]
    assert split_name("`a``b`") == ["a`b"]


def test_cursor_reads_names_lists_and_groups() -> None:
    cursor = Cursor(tokenize("ALTER /* x */ TABLE a . `b c` ( d , `e` ) (f (g) ) rest of it ;"))
    assert cursor.accept("ALTER TABLE")
    assert not cursor.accept("ALTER")
    assert cursor.name() == ["a", "b c"]
    assert cursor.names() == ["d", "e"]
    cursor.skip_group()
    assert cursor.rest() == "rest of it"


def test_the_shape_of_a_statement_has_no_values() -> None:
    sql = "/* user 7 */ select name, 42 from t where id = 'ann' and x > 1.5 -- secret"
    assert without_literals(sql) == "select name, ? from t where id = ? and x > ?.?"


@pytest.mark.parametrize(
    "sql",
    [
        "select x from t where name = 'O'Brien'",
        "select x from t where name = 'O'Brien' or name = 'D'Brien'",
        "select x from t where name = 'it's Brien and x = 1",
        "select x from t where name = 'Brien",
        'select x from t where name = "Brien',
        "select x from t where name = `Brien",
        "select x from t where name = `Brien' and y = 'a`b'",
        "select x from t where name = /* of Brien",
        "select x from t where name = /* a /* b */ Brien */ 'b'",
        "select x from t where name = Brien'",
        "select x from t where name = 'a' 'b'Brien",
    ],
)
def test_the_shape_of_broken_sql_ends_before_what_may_be_a_value(sql: str) -> None:
    shape = without_literals(sql)
    assert shape.startswith("select x from t where name =")
    assert shape.endswith("…")
    assert "Brien" not in shape + without_literals(sql, broken=True)


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("select x'00ff', DATE'2024-01-01', r'a\\', 'a' 'b'", "select x?, DATE?, ?, ? ?"),
        ("select 1 -- a \\\nBrien\n, 2", "select ? \n, ?".replace("\n", " ")),
        ("select 1 -- a\r, b", "select ?  , b"),
        ("SET spark.hadoop.key = Brien", "SET spark.hadoop.key = ?"),
    ],
)
def test_the_shape_of_sql_that_reads_oddly(sql: str, shape: str) -> None:
    assert without_literals(sql) == shape


def test_what_the_caller_knows_to_be_broken() -> None:
    assert without_literals("select 1 frm `t` where a = 'b'", broken=True) == "select ? frm …"

"""The lexical rules: joined tokens are the statement, literals and comments stay whole."""

from __future__ import annotations

import pytest

from local.endpoint.sqltext import Cursor, quote, split_name, tokenize, unquote, without_literals

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
    assert unquote(quote(value)) == value


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

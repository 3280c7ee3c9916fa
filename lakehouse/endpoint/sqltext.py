"""Just enough of Spark SQL's lexical rules to change a statement without touching its literals.

A statement is a list of tokens whose texts, joined, are the statement again. `Cursor` reads the
significant ones (no space, no comment) from left to right, as the translations need.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>--(?:\\\n|[^\r\n])*|/\*.*?\*/)
      | (?P<string>[rR](?:'[^']*'|"[^"]*")|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<word>\w+)
      | (?P<open>/\*|['"`])
      | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}


@dataclass(frozen=True)
class Token:
    """A piece of a statement; `kind` is space, comment, string, quoted, word, sign, or open: the
    beginning of one of those that has no end."""

    kind: str
    text: str

    @property
    def significant(self) -> bool:
        return self.kind not in ("space", "comment")

    @property
    def is_name(self) -> bool:
        return self.kind in ("word", "quoted")

    @property
    def upper(self) -> str:
        """The keyword it may be; a quoted name or a literal is never one."""
        return self.text.upper() if self.kind in ("word", "sign") else ""

    @property
    def name(self) -> str:
        """The identifier without its quotes."""
        if self.kind == "quoted":
            return self.text[1:-1].replace("``", "`")
        return self.text


_NOTHING = Token("space", "")


def tokenize(sql: str) -> list[Token]:
    return [Token(match.lastgroup or "sign", match[0]) for match in _TOKEN.finditer(sql)]


def unquote(literal: str) -> str:
    """The value of a string literal of Spark SQL."""
    if literal[0] in "rR":
        return literal[2:-1]

    def value(match: re.Match[str]) -> str:
        char = match[1]
        if char is None:
            return mark
        # Spark keeps the backslash before these two, for the patterns of LIKE.
        return "\\" + char if char in "%_" else _ESCAPES.get(char, char)

    mark = literal[0]
    return re.sub(rf"\\(.)|{mark}{mark}", value, literal[1:-1], flags=re.DOTALL)


def identifier(*parts: str) -> str:
    """A quoted name, e.g. `silver`.`heart_rates`."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def split_name(text: str) -> list[str]:
    """The parts of a name written as text, with or without backticks."""
    return Cursor(tokenize(text)).name() or [text]


# What may stand right before a literal; any other word there tells of a quote too many.
_PREFIXES = frozenset(
    ("X", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ", "INTERVAL", "VARIANT")
)


def without_literals(sql: str, limit: int = 2000, *, broken: bool = False) -> str:
    """The shape of a statement: no comment, `?` for every literal and number, at most `limit`.

    Where a statement is broken nobody knows what was meant for a literal: it ends with `…` before
    the first quotation mark or comment. The caller may know that it is, or it is seen here.
    """
    pieces: list[str] = []
    tokens = tokenize(sql)
    broken = broken or _has_a_quote_too_many(tokens)
    setting = Cursor(tokens).accept("SET")
    for before, token in pairwise((_NOTHING, *tokens)):
        if broken and token.kind in ("string", "quoted", "comment", "open"):
            if before.kind == "word":
                pieces.pop()  # the first half of a value, maybe
            pieces.append("…")
            break
        if token.text == "=" and setting:
            pieces.append("= ?")  # it needs no quotation marks
            break
        if token.kind == "comment":
            continue
        if token.kind == "string" or (token.kind == "word" and token.text[0].isdigit()):
            pieces.append("?")
        else:
            pieces.append(" " if token.kind == "space" else token.text)
    return "".join(pieces).strip()[:limit]


def _has_a_quote_too_many(tokens: list[Token]) -> bool:
    """A literal, name or comment without an end, or a word that touches a literal."""
    for before, token in pairwise((_NOTHING, *tokens)):
        nested = token.text.startswith("/*") and "/*" in token.text[2:]  # as Spark reads them
        kinds = (before.kind, token.kind)
        if (
            token.kind == "open"
            or (token.kind == "comment" and nested)
            or kinds == ("string", "word")
            or (kinds == ("word", "string") and before.upper not in _PREFIXES)
        ):
            return True
    return False


class Cursor:
    """Reads significant tokens; each method consumes what it returns, or nothing."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self._significant = [i for i, token in enumerate(tokens) if token.significant]
        self._at = 0

    def peek(self, ahead: int = 0) -> Token | None:
        place = self._at + ahead
        return self.tokens[self._significant[place]] if place < len(self._significant) else None

    @property
    def index(self) -> int:
        """Index in `tokens` of the next significant token, or their number at the end."""
        if self._at < len(self._significant):
            return self._significant[self._at]
        return len(self.tokens)

    @property
    def previous_end(self) -> int:
        """Index in `tokens` just after the token that was read last."""
        return self._significant[self._at - 1] + 1 if self._at else 0

    @property
    def at_end(self) -> bool:
        """Whether only semicolons are left."""
        rest = self._significant[self._at :]
        return all(self.tokens[i].text == ";" for i in rest)

    def take(self) -> Token | None:
        token = self.peek()
        if token is not None:
            self._at += 1
        return token

    def accept(self, phrase: str) -> bool:
        """Consume these keywords or signs, separated by blanks, if all of them come next."""
        words = phrase.split()
        for ahead, word in enumerate(words):
            token = self.peek(ahead)
            if token is None or token.upper != word:
                return False
        self._at += len(words)
        return True

    def accept_any(self, *phrases: str) -> str | None:
        for phrase in phrases:
            if self.accept(phrase):
                return phrase
        return None

    def name(self) -> list[str] | None:
        """A name of one or more parts."""
        token = self.peek()
        if token is None or not token.is_name:
            return None
        self._at += 1
        parts = [token.name]
        while True:
            dot, after = self.peek(), self.peek(1)
            if dot is None or dot.text != "." or after is None or not after.is_name:
                return parts
            parts.append(after.name)
            self._at += 2

    def string(self) -> str | None:
        """A literal; adjacent ones are one, as in Spark."""
        found = None
        while (token := self.peek()) is not None and token.kind == "string":
            found = (found or "") + unquote(token.text)
            self._at += 1
        return found

    def names(self) -> list[str] | None:
        """A list of one-part names in parentheses."""
        start = self._at
        if not self.accept("("):
            return None
        found = []
        while True:
            token = self.take()
            if token is None or not token.is_name:
                self._at = start
                return None
            found.append(token.name)
            if self.accept(")"):
                return found
            if not self.accept(","):
                self._at = start
                return None

    def skip_group(self) -> None:
        """Consume a group in parentheses, if one comes next."""
        if not self.accept("("):
            return
        depth = 1
        while depth and (token := self.take()) is not None:
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0

    def text(self, start: int, end: int | None = None) -> str:
        """The statement's text between two indexes of `tokens`."""
        return "".join(token.text for token in self.tokens[start:end])

    def rest(self) -> str:
        """The text that is left, without closing semicolons."""
        return self.text(self.index).rstrip().rstrip(";").rstrip()

"""Terraform files as blocks, with the references they make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

# Heads of a reference: everything else with a dot is a resource.
_REFERENCE = re.compile(r"(?<![\w.\"\]])([a-z_]\w*)((?:\.[A-Za-z_]\w*|\[[^\]]*\])+)")


@dataclass(frozen=True)
class Block:
    """`kind` "type" "name" { body }; type and name are empty where the kind has none."""

    kind: str
    type: str
    name: str
    body: dict[str, Any]
    file: str

    @property
    def address(self) -> str:
        return ".".join(part for part in (self.kind, self.type, self.name) if part)


@dataclass(frozen=True)
class Module:
    root: Path
    blocks: list[Block]

    @staticmethod
    def read(root: Path) -> Module:
        """Raises ValueError, naming the file, for what is no HCL."""
        found: list[Block] = []
        for path in sorted(root.glob("*.tf")):
            try:
                document = _parse(path.read_text())
            except Exception as error:
                raise ValueError(f"{path.name}: {str(error).splitlines()[0]}") from error
            for kind, entries in document.items():
                if kind.startswith("__"):
                    continue
                for entry in entries:
                    found.extend(_blocks(kind, entry, path.name))
        return Module(root, found)

    def of(self, kind: str, type_: str | None = None) -> list[Block]:
        return [b for b in self.blocks if b.kind == kind and type_ in (None, b.type)]


@cache
def _parse(text: str) -> dict[str, Any]:
    """The parser takes a tenth of a second a file; callers only read the result."""
    return hcl2.loads(text)


def _blocks(kind: str, entry: dict[str, Any], file: str) -> list[Block]:
    labels = {"resource": 2, "data": 2, "variable": 1, "output": 1, "provider": 1}.get(kind, 0)
    if labels == 0:
        return [Block(kind, "", "", entry, file)]
    found = []
    for first, inner in entry.items():
        if first.startswith("__"):
            continue
        if labels == 1:
            found.append(Block(kind, "", unquote(first), inner, file))
            continue
        for second, body in inner.items():
            if not second.startswith("__"):
                found.append(Block(kind, unquote(first), unquote(second), body, file))
    return found


def unquote(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def literal(value: Any) -> Any:
    """The value without quotes; expressions stay `${…}`."""
    return unquote(value) if isinstance(value, str) else value


def arguments(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in body.items():
        if not key.startswith("__"):
            yield unquote(key), value


def strings(value: Any) -> Iterator[str]:
    """All strings in a value, keys too: a key may be an expression."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not str(key).startswith("__"):
                yield str(key)
                yield from strings(item)


def references(value: Any) -> Iterator[tuple[str, ...]]:
    """("var", "x"), ("azurerm_x", "main", "id"), ("data", "azurerm_y", "z", "id"): no indexes."""
    for text in strings(value):
        for expression in _expressions(text):
            bare = re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: _inner(m[0]), expression)
            for match in _REFERENCE.finditer(bare):
                tail = re.sub(r"\[[^\]]*\]", "", match[2])
                yield (match[1], *[part for part in tail.split(".") if part])
                for index in re.findall(r"\[([^\]]*)\]", match[2]):
                    yield from references("${" + index + "}")


def _inner(quoted: str) -> str:
    """The expressions within a quoted string, the rest blanked."""
    return " ".join(f"({inner})" for inner in re.findall(r"\$\{([^}]*)\}", quoted)) or '""'


def _expressions(text: str) -> Iterator[str]:
    """What stands within ${…}, braces balanced."""
    start = 0
    while (start := text.find("${", start)) >= 0:
        depth, end = 1, start + 2
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield text[start + 2 : end - 1]
        start = end

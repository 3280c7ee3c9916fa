"""Writes providers.json: what the Terraform providers accept, for the types used in deploy/azure.

The source is the prebuilt CDK bindings of the providers on npm (MPL-2.0), whose type declarations
name every attribute and block. Run by hand when a new type or provider version is wanted:

    npm pack @cdktf/provider-azurerm @cdktf/provider-azuread @cdktf/provider-databricks
    python tests/deploy/schemas/extract.py FOLDER    # each unpacked to FOLDER/<provider>/

Only names, nesting and which are required end up in the file.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.deploy.hcl import Module

ROOT = Path(__file__).parents[3]
_INTERFACE = re.compile(r"export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)\n\}", re.S)
_MEMBER = re.compile(r"/\*\*(.*?)\*/\s*readonly \w+(\??): ((?:\{[^}]*\}|[^;])+);", re.S)


def schema(bindings: Path, name: str, data: bool) -> dict[str, Any]:
    """Of a type: {"arguments": {name: {"required", form?: arguments}}, "attributes": [names]}."""
    provider, _, short = name.partition("_")
    folder = ("data-" + provider + "-" if data else "") + short.replace("_", "-")
    declared = "".join(
        path.read_text()
        for path in sorted((bindings / provider / "package/lib" / folder).glob("*.d.ts"))
    )
    interfaces = {
        match[1]: {
            found[1]: (
                not member[2],
                member[3].split("|")[0].strip(" ()[]\n"),
                _form(member[1], member[3]),
            )
            for member in _MEMBER.finditer(match[2])
            if (found := re.search(r"#(\w+) \w+#\w+\}", member[1]))
        }
        for match in _INTERFACE.finditer(declared)
    }
    class_ = re.search(
        r"class (\w+) extends cdktf\.Terraform(?:Resource|DataSource) \{(.*)", declared, re.S
    )
    assert class_, name
    getters = re.findall(r"^    get (\w+)\(\)", class_[2], re.M)
    attributes = {_snake(getter) for getter in getters if not getter.endswith("Input")}
    return {
        "arguments": _arguments(interfaces, class_[1] + "Config", ()),
        "attributes": sorted(attributes - {"timeouts"}),
    }


def _arguments(interfaces: dict[str, Any], name: str, above: tuple[str, ...]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for key, (required, type_, form) in sorted(interfaces[name].items()):
        if key == "timeouts":
            continue
        arguments[key] = {"required": required}
        if type_ in interfaces and type_ not in above:
            arguments[key][form] = _arguments(interfaces, type_, (*above, type_))
    return arguments


def _form(comment: str, type_: str) -> str:
    """A block; an argument that holds an object; or, in lists of old resources, either."""
    if re.search(r"\* \w+ block$", comment, re.M):
        return "block"
    return "either" if "[]" in type_ else "object"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def main() -> None:
    bindings = Path(sys.argv[1])
    module = Module.read(ROOT / "deploy/azure")
    versions = {
        provider: re.findall(
            r"provider version ([\d.]+\d)", (bindings / provider / "package/README.md").read_text()
        )[0]
        for provider in ("azuread", "azurerm", "databricks")
    }
    result: dict[str, Any] = {"providers": versions}
    for kind in ("resource", "data"):
        names = sorted({block.type for block in module.blocks if block.kind == kind})
        result[kind] = {name: schema(bindings, name, kind == "data") for name in names}
    text = json.dumps(result, indent=1, sort_keys=True)
    # One line for each argument without a block: short to read, small to diff.
    text = re.sub(r"\{\s+\"required\": (true|false)\s+\}", r'{"required": \1}', text)
    Path(__file__).with_name("providers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

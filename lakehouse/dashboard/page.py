"""Puts a page together: one HTML file with its data, styles and scripts in it."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_ASSETS = Path(__file__).with_name("assets")
VEGA_LITE = "6.4"
_IMPORT = re.compile(r"^import [^;]+;\n", re.M)
_EXPORT = re.compile(r"^export ", re.M)


def asset(name: str) -> str:
    """Text of a file of the page."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def filled(name: str, **texts: str) -> str:
    """A file of the page with texts in place of its %NAMES%."""
    text = asset(name)
    for place, value in texts.items():
        text = text.replace(f"%{place}%", html.escape(value))
    return text


def script(*names: str) -> str:
    """Modules as one: the page is one file, so what they import stands above them."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", asset(name))) for name in names)


def vega(cache: Path) -> str:
    """Vega, Vega-Lite and its embedding as one script that sets `vegaEmbed`; kept in `cache`."""
    from importlib.metadata import version

    import vl_convert

    kept = cache / f"vega-{VEGA_LITE}-{version('vl-convert-python')}.js"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE
    )
    cache.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    fresh.write_text(bundle, encoding="utf-8")
    fresh.replace(kept)
    return bundle


def as_json(value: Any) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def packed(content: bytes) -> str:
    """Bytes as the page unpacks them: gzip in base64, the same for the same content."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()


def assemble(
    *,
    title: str,
    body: str,
    styles: Iterable[str],
    scripts: Iterable[str],
    payloads: Mapping[str, tuple[str, str]],
    cache: Path,
) -> str:
    """The page. payloads: by element id, (media type, text)."""
    parts = {
        "TITLE": html.escape(title),
        "CSS": "\n".join(asset(name) for name in styles),
        "BODY": body,
        "PAYLOADS": "\n".join(
            f'<script id="{name}" type="{kind}">{text}</script>'
            for name, (kind, text) in payloads.items()
        ),
        "VEGA": vega(cache).replace("</script", "<\\/script"),
        "SCRIPT": script(*scripts),
    }
    # One pass, so that nothing in a part is taken for a place of the template.
    return re.sub(r"%([A-Z]+)%", lambda match: parts[match.group(1)], asset("page.html"))


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)

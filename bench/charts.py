"""Plots as small hand-made SVG files, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

_WIDTH, _LABELS, _BAR = 760, 210, 26
_STYLE = """<style>
    .page { fill: #ffffff } .text { fill: #1f2328 } .quiet { fill: #59636e }
    .axis { stroke: #d0d7de } .bar { fill: #8c959f } .own { fill: #3a6ea5 }
    .line { fill: none; stroke-width: 2 } .first { stroke: #3a6ea5 } .second { stroke: #9c5f2e }
    .dot-first { fill: #3a6ea5 } .dot-second { fill: #9c5f2e }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 } .text { fill: #f0f6fc } .quiet { fill: #9198a1 }
      .axis { stroke: #3d444d } .bar { fill: #5f6a76 } .own { fill: #5c93cf }
      .first { stroke: #5c93cf } .second { stroke: #c98a57 }
      .dot-first { fill: #5c93cf } .dot-second { fill: #c98a57 }
    }
  </style>"""


@dataclass(frozen=True)
class Bar:
    """One bar: what it is, how long, and the text at its end."""

    label: str
    value: float
    text: str
    is_own: bool = False


def bars(path: Path, title: str, rows: Sequence[Bar]) -> None:
    """Horizontal bars from nought."""
    most = max(row.value for row in rows)
    room = _WIDTH - _LABELS - 130
    parts = []
    for number, row in enumerate(rows):
        y = 44 + number * (_BAR + 10)
        width = max(1.0, room * row.value / most)
        parts += [
            f'<text class="text" x="{_LABELS - 10}" y="{y + 18}" text-anchor="end">'
            f"{escape(row.label)}</text>",
            f'<rect class="{"own" if row.is_own else "bar"}" x="{_LABELS}" y="{y}" '
            f'width="{width:.1f}" height="{_BAR}" rx="3"/>',
            f'<text class="quiet" x="{_LABELS + width + 8:.1f}" y="{y + 18}">'
            f"{escape(row.text)}</text>",
        ]
    _write(path, title, 54 + len(rows) * (_BAR + 10), parts)


def lines(
    path: Path, title: str, ticks: Sequence[str], series: Mapping[str, Sequence[float]], unit: str
) -> None:
    """One or two lines over equally spaced ticks, from nought."""
    top, bottom, left, right = 60, 250, 70, _WIDTH - 150
    most = max(value for values in series.values() for value in values) * 1.15
    step = (right - left) / max(1, len(ticks) - 1)
    parts = [f'<path class="axis" d="M{left} {top}V{bottom}H{right}" fill="none"/>']
    parts += [
        f'<text class="quiet" x="{left + n * step:.0f}" y="{bottom + 22}" text-anchor="middle">'
        f"{escape(tick)}</text>"
        for n, tick in enumerate(ticks)
    ]
    for (name, values), kind in zip(series.items(), ("first", "second"), strict=False):
        points = [
            (left + n * step, bottom - (bottom - top) * value / most)
            for n, value in enumerate(values)
        ]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line {kind}" points="{drawn}"/>')
        below = 20 if kind == "second" else -10
        for (x, y), value in zip(points, values, strict=True):
            parts.append(f'<circle class="dot-{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
            parts.append(
                f'<text class="quiet" x="{x:.1f}" y="{y + below:.1f}" text-anchor="middle">'
                f"{value:.1f} {unit}</text>"
            )
        x, y = points[-1]
        parts.append(
            f'<text class="text" x="{x + 48:.1f}" y="{y + (16 if below > 0 else 0):.1f}">'
            f"{escape(name)}</text>"
        )
    _write(path, title, bottom + 40, parts)


def _write(path: Path, title: str, height: int, parts: Sequence[str]) -> None:
    body = "\n  ".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="title" font-family="system-ui, -apple-system, \'Segoe UI\', Roboto, '
        f'Helvetica, Arial, sans-serif" font-size="13">\n  <title id="title">{escape(title)}'
        f'</title>\n  {_STYLE}\n  <rect class="page" width="{_WIDTH}" height="{height}" rx="10"/>\n'
        f'  <text class="text" x="20" y="28" font-weight="600">{escape(title)}</text>\n'
        f"  {body}\n</svg>\n"
    )

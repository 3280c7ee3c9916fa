"""Colours that stand side by side are told apart, also by people who see fewer of them."""

from __future__ import annotations

import itertools
import re

import pytest

from lakehouse.dashboard import page
from lakehouse.dashboard.definition import Definition

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
DEFICIENCIES = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
Color = tuple[float, float, float]


def _linear(hex_color: str) -> Color:
    parts = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return red, green, blue


def _seen(color: Color, deficiency: str) -> Color:
    red, green, blue = (
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, color, strict=True))))
        for row in DEFICIENCIES[deficiency]
    )
    return red, green, blue


def _lab(color: Color) -> Color:
    red, green, blue = color
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, two: str, deficiency: str) -> float:
    """CIE76 distance of two colours as someone sees them; 2.3 is just noticeable."""
    a, b = (_lab(_seen(_linear(color), deficiency)) for color in (one, two))
    return float(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5)


def _contrast(one: str, two: str) -> float:
    lights = sorted(
        (
            0.2126 * red + 0.7152 * green + 0.0722 * blue
            for red, green, blue in map(_linear, (one, two))
        ),
        reverse=True,
    )
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def _palettes(definition: Definition) -> dict[str, list[str]]:
    palettes = {"theme": definition.raw["uiSettings"]["theme"]["visualizationColors"]}
    for _, widget in definition.widgets():
        spec = widget.get("spec", {})
        encodings = spec.get("encodings", {})
        scale = encodings.get("color", {}).get("scale", {})
        colors = [mapping["color"] for mapping in scale.get("mappings", [])]
        # Those that a custom visualization names, and those of a table's rules.
        colors += re.findall(r'"(#\w{6})"', spec.get("jsonSpec", {}).get("spec", ""))
        columns = encodings.get("columns", []) if spec.get("widgetType") == "table" else []
        for column in columns:
            colors += [
                r["backgroundColor"]["hex"] for r in column.get("style", {}).get("rules", [])
            ]
        if colors:
            palettes[widget["name"]] = list(dict.fromkeys(colors))
    assert {"feeds", "by-gym", "reject-rate", "new-and-returning"} <= palettes.keys()
    return palettes | _of_members()


def _of_members() -> dict[str, list[str]]:
    """The members' file names its colours in its own program."""
    text = page.asset("members.js")
    named = dict(re.findall(r'\b(BLUE|ORANGE|GREEN) = "(#\w{6})"', text))
    zones = re.findall(r'zone: "\w+", title: "[^"]+", color: "(#\w{6})"', text)
    others = re.findall(r'value: paint\("(#\w{6})"\)', text)
    assert (len(named), len(zones), len(others)) == (3, 4, 1)
    # Every colour of the program is in one of them.
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) == {*named.values(), *zones, *others}
    return {
        "members: zones": zones,
        "members: curve, resting line, gym": list(named.values()),
        "members: chosen day, other days": [named["ORANGE"], *others],
    }


def _shown(color: str, theme: str) -> str:
    """The colour as `paint` of charts.js gives it."""
    lighter = re.search(r"part \+ \(255 - part\) \* ([\d.]+)\)", page.asset("charts.js"))
    assert lighter
    if theme == "light":
        return color
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (255 - p) * float(lighter[1])):02x}" for p in parts)


def _ground(theme: str) -> str:
    """What charts are drawn on, from the style sheet: the light theme's comes first."""
    light, dark = re.findall(r"--card: #(\w{3,6});", page.asset("common.css"))
    color = {"light": light, "dark": dark}[theme]
    return "#" + (color if len(color) == 6 else "".join(2 * digit for digit in color))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_series_are_told_apart(definition: Definition, deficiency: str, theme: str) -> None:
    # More than the series of any chart here.
    for name, palette in _palettes(definition).items():
        for one, two in itertools.combinations(palette[:6], 2):
            shown = (_shown(one, theme), _shown(two, theme))
            assert distance(*shown, deficiency) > 9, (name, one, two)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colors_stand_out_from_the_ground(definition: Definition, theme: str) -> None:
    for name, palette in _palettes(definition).items():
        for color in palette:
            assert _contrast(_shown(color, theme), _ground(theme)) >= 3, (name, color)

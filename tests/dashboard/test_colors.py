"""Colours that stand side by side are told apart, also by people who see fewer of them."""

from __future__ import annotations

import itertools

import pytest

from local.dashboard.definition import Definition

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
        mappings = (
            widget.get("spec", {})
            .get("encodings", {})
            .get("color", {})
            .get("scale", {})
            .get("mappings", [])
        )
        if mappings:
            palettes[widget["name"]] = [mapping["color"] for mapping in mappings]
    return palettes


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_series_are_told_apart(definition: Definition, deficiency: str) -> None:
    # The most series that a chart has: six outcomes.
    for name, palette in _palettes(definition).items():
        for one, two in itertools.combinations(palette[:6], 2):
            assert distance(one, two, deficiency) > 9, (name, one, two)


def test_colors_stand_out_from_the_ground(definition: Definition) -> None:
    for name, palette in _palettes(definition).items():
        for color in palette:
            assert _contrast(color, "#ffffff") >= 3, (name, color)

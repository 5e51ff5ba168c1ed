"""A small SVG chart, for the cost of a late event by the length of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 360, 60, 40, 170, 50
COLOURS = ("#1b6ca8", "#c8553d", "#7a7a7a", "#b0b0b0")
STEPS = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
_PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
     font-family="sans-serif" font-size="12" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{left}" y="22" font-size="14">{title}</text>
{parts}
</svg>
"""
Points = Sequence[tuple[float, float]]


def picture(title: str, below: str, unit: str, lines: Mapping[str, Points]) -> str:
    """An SVG of named lines: the x axis is logarithmic, the y axis begins at zero."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    top = 1.1 * max(y for points in lines.values() for _, y in points)
    first, last = log10(xs[0]), max(log10(xs[-1]), log10(xs[0]) + 1)

    def at(x: float, y: float) -> tuple[float, float]:
        along = (log10(x) - first) / (last - first)
        across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + along * across, 1), round(HEIGHT - BOTTOM - y / top * down, 1)

    parts = [_text(*at(x, 0), f"{x:,.0f}", "middle", 18) for x in xs]
    parts.append(_text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 10, below, "middle"))
    step = next(it for it in STEPS if 6 * it > top)
    for number in range(int(top / step) + 1):
        x, y = at(xs[0], number * step)
        parts += [
            f'<line x1="{x}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>',
            _text(x - 8, y + 4, f"{number * step} {unit}", "end"),
        ]
    for colour, (name, points) in zip(COLOURS, lines.items(), strict=False):
        parts += _line(colour, name, [at(x, y) for x, y in points])
    return _PICTURE.format(
        width=WIDTH, height=HEIGHT, left=LEFT, title=title, parts="\n".join(parts)
    )


def _line(colour: str, name: str, points: Points) -> Sequence[str]:
    path = " ".join(f"{x},{y}" for x, y in points)
    x, y = points[-1]
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points),
        f'<g fill="{colour}">{_text(x + 8, y + 4, name, "start")}</g>',
    )


def _text(x: float, y: float, text: str, anchor: str, below: float = 0) -> str:
    return f'<text x="{x}" y="{y + below}" text-anchor="{anchor}">{text}</text>'

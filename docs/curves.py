"""The curve of one run as an inline SVG, in the colours of the page around it."""

import math
from html import escape

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 34
LOWEST = 1e-17


def svg(points: list[list[float]], tol: float, said: str) -> str:
    """Certified ratio over steps, on a logarithmic axis, with the tolerance."""
    steps = [p[0] for p in points]
    levels = [math.log10(max(p[1], LOWEST)) for p in points]
    bar = math.log10(tol)
    low = math.floor(min([*levels, bar]) - 0.2)
    high = math.ceil(max([*levels, bar]) + 0.2)
    last = max(steps[-1], 1)

    def at(step: float, level: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * step / last
        down = TOP + (HEIGHT - TOP - BOTTOM) * (high - level) / (high - low)
        return round(across, 1), round(down, 1)

    line = " ".join(
        f"{x},{y}" for x, y in map(at, steps, levels)
    )  # fmt: skip
    every = max(1, math.ceil((high - low) / 5))
    parts = [
        f'<svg class="curve" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'aria-label="{escape(said, quote=True)}">'
    ]
    for level in range(low, high + 1):
        if (level - high) % every:
            continue
        y = at(0, level)[1]
        parts.append(
            f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" class="grid"/>'
            f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">1e{level}</text>'
        )
    y = at(0, bar)[1]
    parts.append(
        f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" class="tol"/>'
        # On the left, where the curve is high.
        f'<text x="{LEFT + 4}" y="{y - 4}">tol {tol:g}</text>'
    )
    parts.append(f'<polyline points="{line}" class="run"/>')
    x, y = at(steps[-1], levels[-1])
    parts.append(f'<circle cx="{x}" cy="{y}" r="4" class="end"/>')
    base = HEIGHT - BOTTOM + 16
    parts.append(
        f'<text x="{LEFT}" y="{base}">0</text>'
        f'<text x="{WIDTH - RIGHT}" y="{base}" text-anchor="end">{steps[-1]:,}</text>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{base}" text-anchor="middle">'
        "steps</text></svg>"
    )
    return "".join(parts)

"""A small curve of a certified ratio as inline SVG, for notebooks and mail."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from banach.report import words

# Of a single curve with axes, and of one beside its row in a table.
LARGE, SMALL = (360, 150), (110, 30)
MOST = 160  # points drawn of one curve


def curve(
    steps: Sequence[Any], ratios: Sequence[Any], tol: float, what: str = "ratio"
) -> str:
    """The ratio by step on a logarithmic axis, the tolerance as a dashed line.

    Empty where there are no two rows to join. It takes its colours from the text
    around it, needs no style sheet and no script, and says in its title what it shows.
    """
    points = _points(steps, ratios)
    if len(points) < 2:
        return ""
    width, height = LARGE
    box = (46, 8, width - 8, height - 30)
    low, high = _range([r for _, r in points], tol)
    X, Y = _scales(points, box, low, high)
    parts = [
        f'<path d="M{box[0]} {box[1]}V{box[3]}H{box[2]}" fill="none" '
        'stroke="currentColor" stroke-opacity=".5"/>'
    ]
    for e in _decades(low, high):
        y = f"{Y(10.0**e):.1f}"
        parts.append(
            f'<path d="M{box[0]} {y}H{box[2]}" stroke="currentColor" '
            f'stroke-opacity=".15"/>{_text(box[0] - 5, float(y) + 4, f"1e{e}", "end")}'
        )
    at, end = Y(tol), points[-1][0]
    parts += [
        _tolerance(box, at),
        _text(box[2] - 2, at - 4, f"tol {words.number(tol)}", "end"),
        _text(box[0], height - 14, words.number(points[0][0]), "middle"),
        _text(box[2], height - 14, words.number(end), "end"),
        _text((box[0] + box[2]) / 2, height - 4, f"{what} by step", "middle"),
        _line(points, X, Y, 1.8),
    ]
    return _svg(LARGE, parts, _said(points, tol, what))


def spark(steps: Sequence[Any], ratios: Sequence[Any], tol: float) -> str:
    """The same curve without axes, beside its row in a table."""
    points = _points(steps, ratios)
    if len(points) < 2:
        return ""
    width, height = SMALL
    box = (2, 3, width - 3, height - 3)
    X, Y = _scales(points, box, *_range([r for _, r in points], tol))
    parts = [_tolerance(box, Y(tol)), _line(points, X, Y, 1.5)]
    return _svg(SMALL, parts, _said(points, tol, "ratio"))


def _points(steps: Sequence[Any], ratios: Sequence[Any]) -> list[tuple[float, float]]:
    """(step, ratio) where there is a ratio; no more of them than can be seen."""
    found = [
        (float(s), float(r))
        for s, r in zip(steps, ratios, strict=False)
        if words.finite(r) is not None and words.finite(s) is not None
    ]
    if len(found) > MOST:
        kept = {round(i * (len(found) - 1) / (MOST - 1)) for i in range(MOST)}
        found = [found[i] for i in sorted(kept)]
    return found


def _range(ratios: list[float], tol: float) -> tuple[float, float]:
    """Limits of the axis: a diverging run may not flatten all that came before."""
    positive = [r for r in ratios if r > 0]
    first = next(iter(positive), tol)
    high = max([tol, *(min(r, 1e3 * first) for r in positive)])
    low = max(1e-20, min([tol, *positive]))
    return low / 2, high * 2


def _scales(points: Any, box: Any, low: float, high: float) -> Any:
    start, end = points[0][0], points[-1][0]
    wide, tall = math.log10(low), math.log10(high)

    def X(step: float) -> float:
        return box[0] + (step - start) / (end - start or 1) * (box[2] - box[0])

    def Y(ratio: float) -> float:
        inside = math.log10(min(high, max(low, ratio)))
        return box[3] - (inside - wide) / (tall - wide) * (box[3] - box[1])

    return X, Y


def _decades(low: float, high: float) -> list[int]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    every = max(1, math.ceil((last - first + 1) / 5))
    return list(range(last, first - 1, -every))


def _line(points: Any, X: Any, Y: Any, width: float) -> str:
    path = "L".join(f"{X(s):.1f} {Y(r):.1f}" for s, r in points)
    s, r = points[-1]
    return (
        f'<path d="M{path}" fill="none" stroke="currentColor" stroke-width="{width}" '
        f'stroke-linejoin="round"/><circle cx="{X(s):.1f}" cy="{Y(r):.1f}" r="2.4" '
        'fill="currentColor"/>'
    )


def _tolerance(box: Any, y: float) -> str:
    return (
        f'<path d="M{box[0]} {y:.1f}H{box[2]}" stroke="currentColor" '
        'stroke-opacity=".7" stroke-dasharray="5 4"/>'
    )


def _text(x: float, y: float, said: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="10.5" '
        f'fill="currentColor">{escape(said)}</text>'
    )


def _said(points: Any, tol: float, what: str) -> str:
    """The curve in words."""
    (first, high), (last, low) = points[0], points[-1]
    side = "at or below" if low <= tol else "above"
    return (
        f"{what} on a logarithmic axis: from {words.number(high)} at step "
        f"{words.number(first)} to {words.number(low)} at step {words.number(last)}, "
        f"{side} the tolerance {words.number(tol)}"
    )


def _svg(size: tuple[int, int], parts: list[str], said: str) -> str:
    width, height = size
    text = escape(said)
    return (
        f'<svg role="img" aria-label="{text}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="min-width:{min(width, SMALL[0])}px;'
        f'max-width:100%;height:auto;vertical-align:middle"><title>{text}</title>{"".join(parts)}</svg>'
    )

"""Median and quartiles of the certified ratio over the seeds of one method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from banach.report import words

POINTS = 80


class Band(NamedTuple):
    """Quartiles of the ratio at increasing x; a list each."""

    x: list[float]
    low: list[float]
    middle: list[float]
    high: list[float]


def band(
    runs: Sequence[Mapping], abscissa: Callable[[Mapping], Sequence[float]]
) -> Band | None:
    """Quartiles over runs with a `trace`, on the union of their abscissas.

    A run holds its ratio from one row of its trace to the next, and its last one to
    the end: what was certified at x stays so. None where no run has a ratio.
    """
    curves = []
    for run in runs:
        rows = [
            (x, r)
            for x, r in zip(abscissa(run), run["trace"]["ratio"], strict=True)
            if words.finite(x) is not None
        ]
        if rows:
            # What is no number is above everything.
            ratio = [words.finite(r) for _, r in rows]
            curves.append(
                (
                    np.array([x for x, _ in rows], float),
                    np.array([np.inf if r is None else r for r in ratio]),
                )
            )
    if not curves:
        return None
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    # From where every run has a row.
    grid = grid[grid >= max(x[0] for x, _ in curves)]
    if len(grid) > POINTS:
        grid = grid[
            np.unique(np.linspace(0, len(grid) - 1, POINTS).round().astype(int))
        ]
    table = np.stack([r[np.searchsorted(x, grid, "right") - 1] for x, r in curves])
    low, middle, high = np.percentile(table, (25, 50, 75), axis=0, method="nearest")
    return Band(grid.tolist(), low.tolist(), middle.tolist(), high.tolist())


def charted(run: Mapping) -> dict | None:
    """Bands of a run's seeds over run seconds and over calls, for the page's charts."""
    if "spread" not in run:
        return None
    over = {kind: _over_calls(run, kind) for kind in run["calls"]}
    seconds = band(run["seeds"], lambda one: one["trace"]["seconds"])
    return {
        "seeds": words.seeds(run),
        "seconds": None if seconds is None else seconds._asdict(),
        "calls": {k: v._asdict() for k, v in over.items() if v is not None},
    }


def _over_calls(run: Mapping, kind: str) -> Band | None:
    return band(run["seeds"], lambda one: one["trace"]["calls"][kind])

"""Several seeds of one stochastic method: which run stands for them, and the spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from banach.core.printing import number
from banach.core.result import Result

QUARTILES = (25, 50, 75)


def order(r: Result) -> tuple[Any, ...]:
    """Certified first, by warm seconds; the others by how close they came."""
    ratio = float(r.certificate.ratio)
    return (not r.certified, r.seconds["run"] if r.certified else ratio)


def middle(runs: Sequence[Result]) -> Result:
    """The run in the middle, the worse of two: certified only if most of them are.

    An interrupted run stands for all: the race ended there.
    """
    if runs[-1].status == "interrupted":
        return runs[-1]
    return sorted(runs, key=order)[len(runs) // 2]


def spread(runs: Sequence[Result]) -> dict[str, Any]:
    """Certified runs of all, and quartiles [25%, 50%, 75%] over the seeds."""

    def quartiles(values: list[float]) -> list[float | None]:
        # Infinite ratios are ordered, not averaged.
        cut = np.percentile(values, QUARTILES, method="nearest")
        return [number(v) for v in cut]

    return {
        "runs": len(runs),
        "certified": sum(r.certified for r in runs),
        "seconds": quartiles([float(r.seconds["run"]) for r in runs]),
        "ratio": quartiles([_ordered(float(r.certificate.ratio)) for r in runs]),
        "steps": quartiles([float(r.steps) for r in runs]),
    }


def entries(runs: Sequence[Result], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """One small record a seed: verdict, seconds, calls and trace."""
    kept = ("status", "reason", "steps", "calls", "seconds", "trace")
    rows = []
    for seed, r in zip(seeds, runs, strict=True):
        full = r.to_dict()
        rows.append(
            {"seed": seed, "ratio": full["certificate"]["ratio"]}
            | {k: full[k] for k in kept}
        )
    return rows


def _ordered(ratio: float) -> float:
    return np.inf if np.isnan(ratio) else ratio

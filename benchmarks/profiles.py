"""Profiles of solvers over a set of problems: mathematics, and pictures of it.

A table is {solver: {problem: cost}}; a cost is None (or absent) where the solver
failed. Dolan and More, Benchmarking optimization software with performance profiles
(2002); More and Wild, Benchmarking derivative-free optimization algorithms (2009).
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

Costs = Mapping[str, Mapping[str, float | None]]
# One style a solver, wherever it is drawn.
COLOURS = (
    "#1b6ca8 #d1495b #2e8b57 #8e5ea2 #e08e0b #4c4c4c #17a2b8 #a0522d #c71585 "
    "#6b8e23 #00008b #7f7f7f"
).split()


def ratios(table: Costs, problems: Sequence[str]) -> dict[str, list[float]]:
    """r[p, s] = cost of s over the least cost of any, infinite where s failed.

    A problem that nobody solved is infinite for all, and stays in the count.
    """
    out: dict[str, list[float]] = {solver: [] for solver in table}
    for p in problems:
        costs = {s: _cost(row.get(p)) for s, row in table.items()}
        best = min(costs.values())
        for s, c in costs.items():
            out[s].append(c / best if math.isfinite(c) else math.inf)
    return out


def share(values: Sequence[float], at: float) -> float:
    """rho(at): the share of the values that are at most `at`."""
    return sum(v <= at for v in values) / len(values)


def data_ratios(
    table: Costs, unknowns: Mapping[str, int], problems: Sequence[str]
) -> dict[str, list[float]]:
    """More and Wild's: cost over n + 1, the calls of one simplex gradient."""
    return {
        s: [_cost(row.get(p)) / (unknowns[p] + 1) for p in problems]
        for s, row in table.items()
    }


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm; NaN of none."""
    if not values:
        return math.nan
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(a, b) of y = a + b x by medians of slopes, then of the rest (Theil, Sen)."""
    slopes = [(y - v) / (x - u) for i, (u, v) in enumerate(points)
              for x, y in points[i + 1 :] if x != u]  # fmt: skip
    b = statistics.median(slopes)
    return statistics.median(y - b * x for x, y in points), b


def against(table: Costs, a: str, b: str) -> list[float]:
    """Cost of a over cost of b, on every problem that both solve."""
    both = [p for p, c in table[a].items()
            if c is not None and table[b].get(p) is not None]  # fmt: skip
    return [table[a][p] / table[b][p] for p in both]


def draw(
    curves: Mapping[str, Sequence[float]], title: str, across: str, path: Path
) -> None:
    """Steps of every curve's share on a logarithmic axis, into a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    finite = [v for vs in curves.values() for v in vs if math.isfinite(v) and v > 0]
    low, high = min(finite), max(finite) * 1.3
    figure, axes = plt.subplots(figsize=(7.6, 4.4), layout="constrained")
    for i, (solver, values) in enumerate(curves.items()):
        at = sorted(v for v in values if math.isfinite(v))
        xs = [low, *at, high]
        ys = [share(values, x) for x in xs]
        ours = not solver.startswith(("SciPy", "Optimistix"))
        axes.step(
            xs, ys, where="post", label=solver, color=COLOURS[i % len(COLOURS)],
            linestyle="-" if ours else "--", linewidth=2.4 if i == 0 else 1.4,
        )  # fmt: skip
    axes.set(
        xscale="log", xlim=(low, high), ylim=(0, 1.02), xlabel=across,
        ylabel="share of the problems", title=title,
    )  # fmt: skip
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _cost(value: float | None) -> float:
    return math.inf if value is None else float(value)

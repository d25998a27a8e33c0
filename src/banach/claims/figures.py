"""Pictures of claims: a canvas that is drawn on and saved, and two usual charts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def canvas(path: Any, *shape: int, **options: Any) -> Iterator[Any]:
    """The axes of `plt.subplots(*shape, **options)`; the figure is saved at the end."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(*shape, **options)
    try:
        yield axes
        fig.tight_layout()
        fig.savefig(path, dpi=130)
    finally:
        plt.close(fig)


def curves(
    path: Any, panels: dict[str, dict[str, Any]], x: str, y: str, top: float = np.inf
) -> None:
    """One panel a problem, one line a method; a line is values, or (at, values).

    The vertical axis is logarithmic and ends at `top`; the other one is logarithmic
    too where places are given.
    """
    size = (3.8 * len(panels), 3.4)
    with canvas(path, 1, len(panels), figsize=size, squeeze=False) as axes:
        for ax, (title, lines) in zip(axes[0], panels.items(), strict=True):
            least = np.inf
            for label, line in lines.items():
                if isinstance(line, tuple):
                    at, values = line
                    ax.set_xscale("log")
                    at = np.maximum(at, 1)
                else:
                    at, values = np.arange(len(line)), line
                ax.set_yscale("log")
                values = np.maximum(values, 1e-17)
                least = min(least, float(np.min(values)))
                ax.plot(at, values, label=label, lw=1.2)
            ax.set(title=title, xlabel=x)
            if ax.get_ylim()[1] > top:
                ax.set_ylim(least / 2, top)
            ax.legend(fontsize=8)
        axes[0][0].set_ylabel(y)


def bars(path: Any, rows: dict[str, dict[str, float]], y: str) -> None:
    """One group of bars a problem, one bar a method, on a logarithmic axis."""
    labels = list(next(iter(rows.values())))
    with canvas(path, figsize=(1.2 * len(rows) + 2, 3.6)) as ax:
        for i, label in enumerate(labels):
            at = np.arange(len(rows)) + (i - (len(labels) - 1) / 2) * 0.8 / len(labels)
            ax.bar(
                at, [r[label] for r in rows.values()], 0.8 / len(labels), label=label
            )
        ax.set_xticks(range(len(rows)), list(rows), rotation=30, ha="right")
        ax.set(yscale="log", ylabel=y)
        ax.legend()

"""The picture of a claim: its curves, and each statement's numbers beside their bar."""

import io
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def canvas(path: Any, *shape: int, **options: Any) -> Iterator[Any]:
    """The axes of `plt.subplots(*shape, **options)`; the figure is saved at the end."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    fig, axes = plt.subplots(*shape, **options)
    try:
        yield axes
        fig.tight_layout()
        sheet = io.BytesIO()
        fig.savefig(sheet, dpi=90)
        # A palette makes a third of it: these pictures are kept beside the pages.
        Image.open(sheet).convert("RGB").quantize(64).save(path, optimize=True)
    finally:
        plt.close(fig)


def of_claim(rows: list[dict[str, Any]], path: Any) -> bool:
    """Draw measured statements, a panel each; whether there was anything to draw."""
    panels: list[tuple[Callable[..., None], Any]] = []
    for row in rows:
        if row["verdict"] not in ("holds", "fails"):
            continue
        for title, lines in row["curves"].items():
            panels.append((_curves, (row, title, lines)))
        if not row["curves"]:
            panels.append((_numbers, row))
    if not panels:
        return False
    wide = min(len(panels), 3)
    high = -(-len(panels) // wide)
    size = (4.2 * wide, 3.3 * high)
    with canvas(path, high, wide, figsize=size, squeeze=False) as axes:
        for ax in axes.flat[len(panels) :]:
            ax.axis("off")
        for ax, (draw, what) in zip(axes.flat, panels, strict=False):
            draw(ax, what)
    return True


def _curves(ax: Any, what: Any) -> None:
    """Lines on a logarithmic axis; along a logarithmic one where places are given."""
    row, title, lines = what
    for label, line in lines.items():
        at, values = line if isinstance(line, tuple) else (np.arange(len(line)), line)
        if isinstance(line, tuple):
            ax.set_xscale("log")
            at = np.maximum(at, 1)
        dashed = "k--" if "bound" in label else "-"
        ax.plot(at, np.maximum(values, 1e-17), dashed, label=label, lw=1.2)
    ax.set(yscale="log", xlabel=row["axes"][0], ylabel=row["axes"][1])
    ax.set_title(textwrap.fill(title, 40), fontsize=9)
    ax.legend(fontsize=7)


def _numbers(ax: Any, row: dict[str, Any]) -> None:
    """A dot an instance; the side of the bar that fails is grey."""
    names = list(row["numbers"])
    values = np.array([row["numbers"][k] for k in names], float)
    known = np.isfinite(values)
    at = np.arange(len(names))
    good = np.array([row["bar"][0] <= v <= row["bar"][1] for v in values])
    ax.plot(values[known & good], at[known & good], "o", color="tab:blue", zorder=3)
    bad = known & ~good
    ax.plot(values[bad], at[bad], "x", color="tab:red", ms=8, mew=2, zorder=3)
    low, high = row["bar"]
    ends = [v for v in (low, high) if np.isfinite(v)]
    within = [*values[known], *ends]
    if min(within) > 0 and max(within) > 30 * min(within):
        ax.set_xscale("log")
    else:
        ax.ticklabel_format(axis="x", useOffset=False)
        ax.locator_params(axis="x", nbins=5)
    left, right = ax.get_xlim()
    reach = (min(left, *ends), max(right, *ends))
    for end, side in ((low, reach[0]), (high, reach[1])):
        if np.isfinite(end):
            ax.axvspan(*sorted((side, end)), color="0.9", lw=0, zorder=0)
            ax.axvline(end, color="k", ls="--", lw=1)
    for i in at[~known]:
        text = "never" if np.isinf(values[i]) else "not a number"
        ax.text(0.5, i, text, transform=ax.get_yaxis_transform(), color="tab:red")
    ax.set_yticks(at, names, fontsize=7)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_title(textwrap.fill(f"{row['sort']}: {row['source']}", 48), fontsize=8)
    ax.set_xlabel(textwrap.fill(row["says"], 52), fontsize=7)

"""Matplotlib figures of the certified quantity, for papers and notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from banach.core import validation
from banach.core.problem import Misuse
from banach.report import words
from banach.report.bands import Band, band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Seven colours told apart by colour-blind readers (after Okabe and Ito, darkened
# to 3:1 on white); dashes change every seven methods and markers every method.
COLOURS = (
    "#0068a8",
    "#c24a00",
    "#00785a",
    "#a8337f",
    "#7d6400",
    "#2f8fd0",
    "#4d4d4d",
)
LEGEND_COLUMNS = 4
_DASHES = ("-", (0, (6, 3)), (0, (2, 2)), (0, (8, 3, 2, 3)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def plot_race(
    race: Mapping, ax: Axes | None = None, against: str = "seconds"
) -> Figure:
    """Certified ratio of every run, on one logarithmic axis.

    `against` is "seconds" (compile and run, the compile time shaded), "run"
    (seconds once compiled), "step", or an oracle kind such as "grad". A run that
    never calls that oracle is left out. An end marker is filled where the run is
    certified and hollow where it is not. Ratios above a thousand times the largest
    start are beyond the frame. A method that ran over several seeds is drawn as the
    median of its ratio with the band between the quartiles.

    Raises Misuse when no run carries `against`.
    """
    _word(against)
    drawn = [
        (i, run)
        for i, run in enumerate(race["runs"])
        if against in _times(run) or any(_calls(run, against))
    ]
    if race["runs"] and not drawn:
        kinds = words.in_order({k for r in race["runs"] for k in r["trace"]["calls"]})
        raise Misuse(
            f"against={against!r}: no run of this race counts it. Use seconds, run, "
            f"step or one of: {', '.join(kinds)}"
        )
    own = ax is None
    rows = -(-len(drawn) // LEGEND_COLUMNS)
    ax = _axes(ax, (8, 4.5 + 0.19 * rows))
    for i, run in drawn:
        _curve(ax, run, against, i, shade=0.5 / len(drawn))
    _finish(ax, race["runs"], race["tol"], against)
    ax.set_title(race["problem"]["title"])
    if drawn and own:
        # Below the curves: a dozen names would cover them.
        ax.figure.legend(
            loc="outside lower center", fontsize="small", ncols=LEGEND_COLUMNS
        )
    elif drawn:
        ax.legend(fontsize="small", ncols=1 + len(drawn) // 9)
    return ax.figure


def plot_result(
    run: Mapping, tol: float, ax: Axes | None = None, against: str = "step"
) -> Figure:
    """Certified ratio of one run; `against` as in `plot_race`.

    Raises Misuse when the run does not carry `against`.
    """
    _word(against)
    if against not in _times(run) and not any(_calls(run, against)):
        kinds = words.in_order(run["trace"]["calls"])
        raise Misuse(
            f"against={against!r}: {run['method']} does not count it. Use seconds, "
            f"run, step or one of: {', '.join(kinds)}"
        )
    ax = _axes(ax, (6, 4))
    _curve(ax, run, against, 0, shade=0.25)
    _finish(ax, [run], tol, against)
    ax.set_title(f"{run['method']}: {run['status']}")
    return ax.figure


def plot_path(path: Any, ax: Axes | None = None) -> Figure:
    """Coefficients of a `Path` along it, in units of the largest each one has.

    The seven that enter first are coloured and named; points that are not certified are
    marked on the axis, and vertical lines stand at the best by the scores and at the
    strongest within one standard error of it.
    """
    import numpy as np

    ax = _axes(ax, (7, 4.2))
    multiples, x = np.asarray(path.multiples), path.x
    problem = path.results[0].problem
    c = np.stack([np.asarray(problem.split(v)[0]) for v in x]).reshape(len(x), -1)
    names = list(problem.columns) or [f"x[{j}]" for j in range(c.shape[1])]
    most = np.max(np.abs(c), axis=0, initial=0)
    entered = np.argmax(c != 0, axis=0) + len(c) * (most == 0)
    first = list(np.argsort(entered, kind="stable")[: len(COLOURS)])
    for j in range(c.shape[1]):
        if not most[j]:
            continue
        early = j in first and len(names) == c.shape[1]
        ax.plot(
            multiples,
            c[:, j] / most[j],
            color=COLOURS[first.index(j)] if early else "0.8",
            zorder=2 if early else 1,
            label=str(names[j]) if early else None,
        )
    left = multiples[~path.certified]
    if left.size:
        ax.plot(left, np.zeros(left.size), "x", color="#c21a1a", label="not certified")
    if path.scores is not None:
        for i, word in ((path.best, "least loss"), (path.one_error, "one error")):
            ax.axvline(multiples[i], color="0.3", ls=(0, (4, 3)), lw=1)
            ax.annotate(
                word, (multiples[i], 1.02), xycoords=("data", "axes fraction"),
                rotation=30, ha="left", va="bottom", fontsize="small",
            )  # fmt: skip
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xlabel("multiple of the penalty (strong to weak)")
    ax.set_ylabel("coefficient / its largest")
    ax.legend(title="first in", fontsize="small")
    return ax.figure


def plot_band(
    band: Any, x: Any, observed: Any = None, ax: Axes | None = None
) -> Figure:
    """A `Propagated` curve over its abscissae, with its band and the data."""
    import numpy as np

    x = validation.array(x, "x", ndim=1)
    if band.values.shape != x.shape:
        raise Misuse(
            f"x has shape {x.shape} and the values {band.values.shape}; give the "
            "abscissae that propagate was called with"
        )
    order = np.argsort(x)
    ax = _axes(ax, (6, 4))
    word = "of observations" if band.observation else "of the curve"
    ax.fill_between(
        x[order], band.lower[order], band.upper[order], alpha=0.25, color=COLOURS[0],
        lw=0, label=f"{100 * band.level:g}% {word}",
    )  # fmt: skip
    ax.plot(x[order], band.values[order], color=COLOURS[0], label="fit")
    if observed is not None:
        if not (isinstance(observed, tuple | list) and len(observed) == 2):
            raise Misuse("observed is a pair (abscissae, values) of the data")
        at, y = (validation.array(v, "observed", ndim=1) for v in observed)
        if at.shape != y.shape:
            raise Misuse(
                f"observed has {at.size} abscissae and {y.size} values; give one each"
            )
        ax.plot(at, y, "o", color="0.2", ms=4, label="data")
    ax.legend(fontsize="small")
    return ax.figure


def _word(against: object) -> None:
    if not isinstance(against, str):
        raise Misuse(
            f"against must be seconds, run, step or an oracle such as 'grad', got "
            f"{validation.shown(against)}"
        )


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        if not hasattr(ax, "plot"):
            raise Misuse(f"ax must be matplotlib Axes, got {validation.shown(ax)}")
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def _times(run: Mapping) -> dict[str, list]:
    trace, compiled = run["trace"], run["seconds"]["compile"]
    return {
        "seconds": [compiled + s for s in trace["seconds"]],
        "run": trace["seconds"],
        "step": trace["step"],
    }


def _ratio(run: Mapping) -> list:
    return run["trace"]["ratio"]


def _calls(run: Mapping, kind: str) -> list:
    return run["trace"]["calls"].get(kind, [])


def _band(run: Mapping, against: str) -> Band | None:
    if "spread" not in run:
        return None
    compiled = run["seconds"]["compile"]
    seconds = {"seconds": compiled, "run": 0.0}

    def abscissa(one: Mapping) -> list:
        if against in seconds:
            return [seconds[against] + s for s in one["trace"]["seconds"]]
        return one["trace"]["step"] if against == "step" else _calls(one, against)

    return band(run["seeds"], abscissa)


def _curve(ax: Axes, run: Mapping, against: str, i: int, shade: float) -> None:
    x = _times(run).get(against, _calls(run, against))
    ratio, quartiles = _ratio(run), _band(run, against)
    if quartiles is not None:
        x, ratio = quartiles.x, quartiles.middle
    # Matplotlib breaks a line at NaN; zero has no place on a logarithmic axis.
    y = [words.finite(r) or float("nan") for r in ratio]
    colour, marker = COLOURS[i % len(COLOURS)], _MARKERS[i % len(_MARKERS)]
    dash = _DASHES[i // len(COLOURS) % len(_DASHES)]
    if against == "seconds":
        ax.axvspan(0, run["seconds"]["compile"], color="0.5", alpha=shade, lw=0)
    every = max(1, len(x) // 6)
    label = run["method"]
    if quartiles is not None:
        label += f" ({words.seeds(run)} seeds certified)"
        high = [words.finite(v) or 1e300 for v in quartiles.high]
        ax.fill_between(x, quartiles.low, high, color=colour, alpha=0.18, lw=0)
    elif run["status"] != "certified":
        label += f" ({run['status']})"
    ax.plot(
        x,
        y,
        color=colour,
        linestyle=dash,
        marker=marker,
        markevery=every,
        markersize=4,
        label=label,
    )
    seen = [(a, b) for a, b in zip(x, y, strict=True) if b == b]
    if seen:
        fill = colour if run["status"] == "certified" else "none"
        ax.plot(*seen[-1], marker=marker, markersize=8, mec=colour, mfc=fill, ls="")


def _finish(ax: Axes, runs: list, tol: float, against: str) -> None:
    from matplotlib.ticker import LogLocator

    ax.axhline(tol, color="0.3", linestyle="--", linewidth=1)
    ax.annotate(
        f"tol {words.number(tol)}",
        (1, tol),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),  # beyond the frame: runs end at this line
        textcoords="offset points",
        va="center",
    )
    ax.set_yscale("log")
    starts = [next((v for v in map(words.finite, _ratio(r)) if v), None) for r in runs]
    reach = 1e3 * max((v for v in starts if v is not None), default=tol)
    if ax.get_ylim()[1] > reach:  # a diverging run may not flatten all others
        ax.set_ylim(top=max(reach, 3 * tol))
    if against == "run":
        # Solves of a millisecond and of a minute meet here; time starts at 0.
        ax.set_xscale("symlog", linthresh=1e-3)
    if against in ("seconds", "run"):
        ax.set_xlim(left=0)
    ax.yaxis.set_major_locator(LogLocator(numticks=10))
    names = {
        "seconds": "seconds, compile (shaded) and run",
        "run": "seconds once compiled",
        "step": "steps",
    }
    ax.set_xlabel(names.get(against, words.ORACLES.get(against, against)))
    quantity = runs[0]["certificate"]["quantity"] if runs else "certified quantity"
    ax.set_ylabel(f"{quantity}, relative to its scale")
    ax.grid(alpha=0.25)

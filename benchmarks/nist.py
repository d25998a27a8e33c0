"""NIST's problems of nonlinear regression (StRD), from every start that sif2jax has.

The certified values are NIST's, to its eleven digits; sif2jax states models and data
(importing it takes about a minute). A full run writes NIST.md beside this file.

A digit counts as agreement of every parameter: the least of -log10 |x - c| / |c|.
Runs that end elsewhere are looked at in extended precision (NumPy's longdouble where
it is wider than float64): the projection of r onto the range of J there.
"""

import importlib.util
import sys
from pathlib import Path

import jax
import numpy as np

import banach as bn
from banach.bridge import sif2jax
from banach.core import compat
from benchmarks import extended, measure

TOL, STEPS, SECONDS, DIGITS = 1e-6, 3000, 60.0, 6
TABLE = Path(__file__).parent / "NIST.md"
# What sif2jax states in other units or with another sign than NIST.
MOVED = {
    "MGH10S": np.array([1e2, 1e-3, 1e-2]),
    "MGH17S": np.array([1.0, 1.0, 1.0, 1e2, 1e2]),
    "ROSZMAN1LS": np.array([1.0, 1.0, -1.0, 1.0]),
}


def run(quick: bool = False) -> measure.Report:
    if importlib.util.find_spec("sif2jax") is None:
        return _report([], ["sif2jax is not installed: pip install sif2jax."])
    rows, notes = [], []
    for name, certified in list(CERTIFIED.items())[: 3 if quick else None]:
        for instance in _starts(name):
            rows.append(_row(instance, np.array(certified), notes))
            print("  ", *rows[-1], file=sys.stderr, flush=True)
    report = _report(rows, notes)
    if not quick:
        measure.keep(report, TABLE)
    return report


def _starts(name):
    """The instance from each of its starts."""
    first = sif2jax.by_name(name)
    for i in sorted(getattr(first, "provided_y0s", {0})):
        yield first if i == 0 else type(first)(y0_iD=i)


def _row(instance, certified, notes):
    problem = sif2jax.least_squares(instance)
    r = bn.solve(problem, tol=TOL, max_steps=STEPS, time_limit=SECONDS)
    want = certified * MOVED.get(instance.name, 1.0)
    apart = np.max(np.abs(np.asarray(r.x) - want) / np.abs(want))
    digits = min(11.0, -np.log10(max(apart, 1e-99)))
    start = f"{instance.name}, start {getattr(instance, 'y0_iD', 0) + 1}"
    if not r.certified or digits < DIGITS:
        with compat.double():
            far = extended.offset(problem, jax.tree.map(np.asarray, r.x))
        shown = np.array2string(np.asarray(r.x), precision=7, max_line_width=999)
        notes.append(
            f"- {start}: x = {shown}, where "
            f"||P_J r||/||r|| is {far:.2g} in extended precision."
        )
    c = r.certificate
    return [
        start,
        problem.residual_size(),
        problem.size(),
        r.status,
        r.method.card.name,
        r.steps,
        float(c.ratio),
        float(c.slack),
        2 * float(problem.objective(r.x)),
        round(float(digits), 1),
    ]


def _report(rows, notes) -> measure.Report:
    total = len(rows)
    good = sum(row[3] == "certified" for row in rows)
    right = sum(row[-1] >= DIGITS for row in rows)
    said = [
        f"- {good} of {total} runs certified; {right} of {total} at NIST's values to "
        f"{DIGITS} digits in every parameter."
    ]
    return measure.Report(
        "nist",
        "NIST's problems of nonlinear regression",
        "Every one that sif2jax holds, from each of its starts (those of the SIF "
        "files), by the default call: levenberg_marquardt, and where that stalls the "
        f"next default; tol {TOL:g}, at most {STEPS} steps. `ratio` is what was "
        "certified, `slack` its allowance for rounding, `digits` those in "
        "which every parameter is NIST's.",
        "run n p status method steps ratio slack RSS digits".split(),
        rows,
        notes=said + notes,
    )


# Certified parameters (https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml).
CERTIFIED = {
    "MISRA1A": [238.94212918, 0.00055015643181],
    "MISRA1B": [337.99746163, 0.00039039091287],
    "MISRA1C": [636.42725809, 0.00020813627256],
    "MISRA1D": [437.36970754, 0.00030227324449],
    "CHWIRUT1LS": [0.1902781837, 0.0061314004477, 0.010530908399],
    "CHWIRUT2LS": [0.16657666537, 0.0051653291286, 0.012150007096],
    "LANCZOS1": [
        0.095100000027,
        1.0000000001,
        0.86070000013,
        3.0000000002,
        1.5575999998,
        5.0000000001,
    ],
    "LANCZOS2": [
        0.096251029939,
        1.0057332849,
        0.86424689056,
        3.0078283915,
        1.5529016879,
        5.00287981,
    ],
    "LANCZOS3": [
        0.086816414977,
        0.95498101505,
        0.84400777463,
        2.9515951832,
        1.5825685901,
        4.9863565084,
    ],
    "GAUSS1": [
        98.778210871,
        0.010497276517,
        100.48990633,
        67.481111276,
        23.12977336,
        71.994503004,
        178.99805021,
        18.389389025,
    ],
    "GAUSS2": [
        99.018328406,
        0.010994945399,
        101.88022528,
        107.03095519,
        23.578584029,
        72.045589471,
        153.27010194,
        19.525972636,
    ],
    "GAUSS3": [
        98.94036897,
        0.010945879335,
        100.69553078,
        111.63619459,
        23.300500029,
        73.705031418,
        147.76164251,
        19.66822123,
    ],
    "DANIWOOD": [0.76886226176, 3.8604055871],
    "KIRBY2": [
        1.6745063063,
        -0.13927397867,
        0.0025961181191,
        -0.001724181187,
        2.1664802578e-05,
    ],
    "HAHN1LS": [
        1.0776351733,
        -0.12269296921,
        0.004086375061,
        -1.4262662514e-06,
        -0.0057609940901,
        0.00024053735503,
        -1.2314450199e-07,
    ],
    "NELSON": [2.5906836021, 5.6177717026e-09, -0.057701013174],
    "MGH09": [0.19280693458, 0.19128232873, 0.12305650693, 0.13606233068],
    "MGH10": [0.005609636471, 6181.3463463, 345.22363462],
    "MGH10S": [0.005609636471, 6181.3463463, 345.22363462],
    "MGH17": [
        0.37541005211,
        1.9358469127,
        -1.4646871366,
        0.01286753464,
        0.022122699662,
    ],
    "MGH17S": [
        0.37541005211,
        1.9358469127,
        -1.4646871366,
        0.01286753464,
        0.022122699662,
    ],
    "ROSZMAN1LS": [0.20196866396, -6.1953516256e-06, 1204.4556708, -181.34269537],
    "ENSO": [
        10.510749193,
        3.0762128085,
        0.53280138227,
        44.3110887,
        -1.6231428586,
        0.52554493756,
        26.88761444,
        0.21232288488,
        1.4966870418,
    ],
    "RAT42": [72.462237576, 2.6180768402, 0.067359200066],
    "RAT43": [699.6415127, 5.2771253025, 0.75962938329, 1.2792483859],
    "ECKERLE4": [1.5543827178, 4.0888321754, 451.54121844],
    "BOXBOD": [213.80940889, 0.54723748542],
    "BENNETT5": [-2523.5058043, 46.736564644, 0.93218483193],
}

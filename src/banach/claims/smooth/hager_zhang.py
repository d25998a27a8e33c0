"""Hager and Zhang's directions descend by 7/8 ||g||^2, in any units of f.

Proved: g.d <= -7/8 ||g||^2 whatever the search (Hager and Zhang 2005, theorem 1.1, for
any floor that is not positive). That the floor of 2013 knows no units of f follows from
its formula: f and c f have the same iterates, as long as rounding lets them. Reported:
CG_DESCENT takes fewer evaluations than Polak-Ribiere-plus on the CUTE problems.
Measured on the directions of every step, with a good and a poor search; on the first 20
iterates of f, 1e-6 f and 1e6 f, six functions; and in evaluations of (f, grad f) until
the gradient norm fell by 1e-8. Baselines: nonlinear_cg, which has the floor of 2005,
and SciPy's CG, Polak-Ribiere-plus. Reduced: seven problems of at most 650 unknowns, and
no limited memory, which is the other half of the paper.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "-g.d / ||g||^2 >= 7/8 (1 - 1e-6) at every step with curvature 0.1 and 0.9; "
    "iterates of f, 1e-6 f and 1e6 f equal to 1e-6; 1e-8 reached on every problem; "
    "fewer evaluations than SciPy's CG in geometric mean and on more than half of the "
    "problems, and at most 1.2 times those of nonlinear_cg"
)
UNITS = ("rosenbrock:10", "dixon_price:10", "beale", "trigonometric:5", "logistic:10",
         "powell_singular:8")  # fmt: skip
PROBLEMS = (
    "logistic:breast_cancer",
    "logistic:digits",
    "softmax:digits",
    "rosenbrock:100",
    "dixon_price:20",
    "powell_singular:40",
    "quadratic:50",
)
TOL, CAP = 1e-8, 20_000


def measure() -> dict[str, Any]:
    """Least descent, distances between units, and evaluations."""
    from banach import zoo
    from banach.claims.smooth import _shared as run
    from banach.methods.smooth.hager_zhang import HagerZhang
    from banach.methods.smooth.nonlinear_cg import NonlinearCg

    out: dict[str, Any] = {"descent": {}, "units": {}}
    with jax.enable_x64(True):
        for name in UNITS:
            rows = [_path(name, c) for c in (1.0, 1e-6, 1e6)]
            size = np.abs(rows[0]).max()
            out["units"][name] = float(
                max(np.abs(row - rows[0]).max() for row in rows[1:]) / size
            )
        methods = {
            "hager_zhang": lambda p: HagerZhang(0.1),
            "nonlinear_cg": lambda p: NonlinearCg(0.1),
        }
        race = run.evaluations(methods, {"SciPy CG": "CG"}, PROBLEMS, TOL, CAP)
        for name, row in race.items():
            problem = zoo.load(name)
            out["descent"][name] = min(
                run.least_descent(HagerZhang(c), problem, row["steps"])
                for c in (0.1, 0.9)
            )
        out["race"] = race
    return out


def _path(name, c):
    """The first iterates of c f."""
    from banach import zoo
    from banach.claims.smooth import _shared as run
    from banach.kinds.smooth.problem import Smooth
    from banach.methods.smooth.hager_zhang import HagerZhang

    base = zoo.load(name)
    problem = Smooth(lambda x, c: c * base.value(x), base.x0, (np.array(c),))
    return run.history(HagerZhang(0.1), problem, 20)["x"]


def verdict(numbers: dict[str, Any]) -> bool:
    """Every requirement."""
    from banach.claims.smooth._shared import ratio

    downhill = all(v >= 7 / 8 * (1 - 1e-6) for v in numbers["descent"].values())
    units = all(v <= 1e-6 for v in numbers["units"].values())
    race = numbers["race"]
    arrived = all(r["reached"] for r in race.values())
    counts = [r["evaluations"] for r in race.values()]
    wins = 2 * sum(c["hager_zhang"] < c["SciPy CG"] for c in counts) > len(counts)
    cheap = ratio(race, "hager_zhang", "SciPy CG") < 1
    near = ratio(race, "hager_zhang", "nonlinear_cg") <= 1.2
    return downhill and units and arrived and wins and cheap and near


def measured(numbers: dict[str, Any]) -> str:
    """Least descent, distances, and the counts."""
    from banach.claims.smooth._shared import ratio, told

    race = numbers["race"]
    return (
        f"least -g.d / ||g||^2 {min(numbers['descent'].values()):.3f}; iterates in "
        f"other units to {max(numbers['units'].values()):.0e}; "
        f"{ratio(race, 'hager_zhang', 'SciPy CG'):.2f} of the evaluations of SciPy's "
        f"CG, {ratio(race, 'hager_zhang', 'nonlinear_cg'):.2f} of nonlinear_cg: "
        f"{told(race)}"
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Evaluations."""
    from banach.claims.figures import bars

    rows = {name: r["evaluations"] for name, r in numbers["race"].items()}
    bars(path, rows, "evaluations to 1e-8")

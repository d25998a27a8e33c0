"""A few pairs suffice: L-BFGS needs fewer evaluations than conjugate gradients.

Liu and Nocedal (1989): with m = 3 to 7 pairs L-BFGS takes fewer evaluations than the
conjugate gradient method (their CONMIN), and more storage helps a little. Measured as
evaluations of (f, grad f) until the gradient norm fell by 1e-8, for m = 3, 5, 17.
Baselines: SciPy's CG (Polak-Ribiere-plus), and SciPy's L-BFGS-B with m = 5, the same
method by other hands. Reduced: seven problems of at most 650 unknowns.
"""

from typing import Any

import jax

REQUIRED = (
    "1e-8 reached on every problem; in geometric mean m = 5 takes at most 0.7 times "
    "the evaluations of SciPy's CG and at most 1.1 times those of SciPy's L-BFGS-B; "
    "m = 17 takes no more than m = 3"
)
PROBLEMS = (
    "logistic:breast_cancer",
    "logistic:digits",
    "softmax:digits",
    "rosenbrock:100",
    "dixon_price:20",
    "powell_singular:40",
    "quadratic:50",
)
TOL = 1e-8
CAP = 20_000


def measure() -> dict[str, Any]:
    """Evaluations on each problem."""
    from banach import zoo
    from banach.claims.smooth import _shared as run
    from banach.methods.smooth.lbfgs import Lbfgs

    out = {}
    with jax.enable_x64(True):
        for name in PROBLEMS:
            problem = zoo.load(name)
            ours = {m: run.count(Lbfgs(m), problem, TOL, CAP) for m in (3, 5, 17)}
            cg = run.peer("CG", problem, TOL)
            box = run.peer("L-BFGS-B", problem, TOL, maxcor=5)
            out[name] = {
                "reached": all(v["reached"] for v in ours.values()),
                "gave_up": [
                    k
                    for k, v in (("SciPy CG", cg), ("SciPy L-BFGS-B", box))
                    if not v["reached"]
                ],
                "evaluations": {
                    **{f"m = {m}": v["grad"] for m, v in ours.items()},
                    "SciPy CG": cg["grad"],
                    "SciPy L-BFGS-B": box["grad"],
                },
            }
    return out


def _ratios(numbers):
    """Geometric means: m = 5 over CG, over L-BFGS-B, and m = 17 over m = 3."""
    from banach.claims.smooth._shared import mean

    pairs = (("m = 5", "SciPy CG"), ("m = 5", "SciPy L-BFGS-B"), ("m = 17", "m = 3"))
    rows = [r["evaluations"] for r in numbers.values()]
    return [mean([r[a] / r[b] for r in rows]) for a, b in pairs]


def verdict(numbers: dict[str, Any]) -> bool:
    """Arrival and the three ratios."""
    cg, box, more = _ratios(numbers)
    reached = all(r["reached"] for r in numbers.values())
    return reached and cg <= 0.7 and box <= 1.1 and more <= 1


def measured(numbers: dict[str, Any]) -> str:
    """The three ratios and the counts."""
    cg, box, more = _ratios(numbers)
    counts = "; ".join(
        f"{name} "
        + ", ".join(f"{k} {v}" for k, v in r["evaluations"].items())
        + "".join(f" ({k} gave up)" for k in r["gave_up"])
        for name, r in numbers.items()
    )
    return (
        f"m = 5 over SciPy CG {cg:.2f}, over SciPy L-BFGS-B {box:.2f}, m = 17 over "
        f"m = 3 {more:.2f}; evaluations: {counts}"
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Evaluations of all methods."""
    from banach.claims.figures import bars

    rows = {name: r["evaluations"] for name, r in numbers.items()}
    bars(path, rows, "evaluations to 1e-8")

"""What the claims of this family race on."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from banach import zoo
from banach.claims import instances, runs
from banach.claims.course import Seen, fresh
from banach.claims.smooth import _states
from banach.methods.smooth.trust_region_newton import TrustRegionNewton

TARGET = 1e-8
LARGE = (
    "rosenbrock:100",
    "logistic:breast_cancer",
    "logistic:digits",
    "softmax:digits",
    "dixon_price:20",
    "powell_singular:40",
    "quadratic:50",
)
DENSE = (
    "rosenbrock:40",
    "dixon_price:20",
    "powell_singular:40",
    "beale",
    "quadratic:30",
    "logistic:breast_cancer",
)
SMALL = ("rosenbrock:10", "dixon_price:10", "beale", "trigonometric:5", "logistic:10")


def functions(*names: str) -> dict[str, Any]:
    """Problems by name, and the first of them from a start near its own, drawn."""
    found = {name: zoo.load(name) for name in names}
    first = found[names[0]]
    near = 0.5 * np.random.default_rng(fresh()).standard_normal(first.x0.shape)
    return found | {"fresh": eqx.tree_at(lambda p: p.x0, first, first.x0 + near)}


def minimiser(problem: Any) -> np.ndarray:
    """Where thirty steps of a trust region lead."""
    steps = runs.trace(problem, TrustRegionNewton(np.inf), 30, x=runs.where)
    return steps["x"][-1]


def against(make: Callable[[Any], Any], bound: Callable[..., Any]) -> Seen:
    """f(x_t) - f* over bound(L, R, t), the largest of 1,000 steps, on five tables."""
    worst, curves = {}, {}
    t = np.arange(1001)
    for name, problem in instances.logistic().items():
        watch = {"f": runs.objective, "x": runs.where}
        best = runs.trace(problem, TrustRegionNewton(np.inf), 30, **watch)
        rows = runs.trace(problem, make(problem), 1000, **watch)
        radius = np.linalg.norm(best["x"][-1] - rows["x"][0])
        gap = rows["f"] - best["f"].min()
        limit = bound(float(problem.facts().L), radius, t)
        worst[name] = np.max(gap / limit)
        curves[name] = {"f(x) - f*": gap, "bound": limit}
    return Seen(worst, curves, ("steps", "f - f*"))


def gradients(
    names: tuple[str, ...],
    methods: Mapping[str, Callable[[Any], Any]],
    others: Mapping[str, Callable[[Any], Any]],
    peers: Mapping[str, tuple[str, dict[str, Any]]],
    cap: int = 20_000,
    target: float = TARGET,
) -> dict[str, dict[str, float]]:
    """Gradients until ||g|| fell by `target`: problem -> label -> count.

    Infinite where a method did not arrive. Of `others` and of the minimisers of SciPy
    in `peers` (label -> name, options) what they had used by then is taken, less than
    they need. All of them evaluate f where they evaluate its gradient.
    """
    problems, small = functions(*names), runs.gradient_norm
    table = runs.prices(problems, methods, small, target, cap, "grad")
    for name, problem in problems.items():
        for label, make in others.items():
            end = runs.until(problem, make(problem), small, target, cap)
            table[name][label] = float(end.calls["grad"])
        for label, (scipy, options) in peers.items():
            stream = runs.scipy(scipy, problem, **options)
            table[name][label] = used(stream, problem, target)
    return table


def used(stream: Any, problem: Any, target: float = TARGET) -> float:
    """Gradients of a peer until ||g|| fell by `target`, or until it gave up."""
    size = jax.jit(runs.gradient_norm)
    enough = target * float(size(problem, problem.start()))
    count = np.nan
    for point, calls in stream:
        count = float(calls["grad"])
        if float(size(problem, point)) <= enough:
            break
    return count


def over(
    names: tuple[str, ...], mine: Any, *others: Any, target: float = TARGET
) -> dict[str, float]:
    """Gradients until ||g|| fell by `target` over the best other's on each problem.

    Others are methods, or names of SciPy's minimisers; of them counts what they had
    used by then, which is less than they need.
    """
    peers = {name: (name, {}) for name in others if isinstance(name, str)}
    methods = [m for m in others if not isinstance(m, str)]
    rivals = {str(i): lambda p, m=m: m for i, m in enumerate(methods)}
    table = gradients(names, {"": lambda p: mine}, rivals, peers, target=target)
    return {k: row.pop("") / min(row.values()) for k, row in table.items()}


def descent(*methods: Any) -> dict[str, float]:
    """-g.d / ||g||^2, the least of 500 steps of all of these."""
    problems = functions(*LARGE).items()
    return {k: _states.least_descent(list(methods), p, 500) for k, p in problems}

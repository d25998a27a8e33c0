"""Hypergradients that are only as exact as they need be cost a part of exact ones.

Pedregosa (2016): with the tolerance of both inner solves decreasing, and summable,
hyperparameters converge to stationarity, faster per unit of work than with exact
implicit differentiation, and faster than random search. Measured on l2-regularised
logistic regression, half of the rows to fit and half to judge: one log-penalty for
breast_cancer and for digits (odd against even), and one log-penalty a feature for
breast_cancer. The work is inner gradients and Hessian products; the validation loss is
judged at exactly solved inner problems, off the method's books. Baselines: the same
method with both tolerances at 1e-10 throughout, and log-uniform random search over the
same box as the grid, which spends on each trial what a cold inner solve to 1e-3 costs.
The paper's data (20news, real-sim, MNIST) are not at hand.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "validation loss within 0.1 % of the best (of 200 grid points, or with a penalty a "
    "feature of both runs) with at most a third of the inner calls of exact implicit "
    "differentiation on all three problems; random search of equal calls has a higher "
    "validation loss on average of 20 draws; the hypergradient falls to 1e-4 of its "
    "first norm"
)
# Exact steps cost three to four times as much: the runs are about equal in calls. Of
# 80 steps each, tried first, the inexact run ended early on the third problem.
STEPS, EXACT_STEPS = 190, 80
BOX, WITHIN, DRAWS = (-12.0, 4.0), 1e-3, 20


def measure() -> dict[str, Any]:
    """Validation losses by inner call."""
    from banach.methods.bilevel.hypergradient_descent import HypergradientDescent

    rows = {}
    with jax.enable_x64(True):
        for name, problem in _problems().items():
            inexact = _course(problem, HypergradientDescent(1.0), STEPS)
            exact = _course(problem, HypergradientDescent(1.0, 1e-10, 1.0), EXACT_STEPS)
            best = min(*inexact["losses"], *exact["losses"])
            dims = problem.start().x[0].size
            if dims == 1:  # no grid in more dimensions
                grid = np.linspace(*BOX, 200)[:, None]
                best = float(np.min(_judge(problem, grid)[0]))
            goal = best * (1 + WITHIN)
            spent = [_reached(c, goal) for c in (inexact, exact)]
            rows[name] = {
                "inexact": inexact,
                "exact": exact,
                "best": best,
                "spent": spent,
                "random": _random(problem, dims, spent[0]),
                "final": inexact["norms"][-1] / inexact["norms"][0],
            }
    return rows


def verdict(numbers: dict[str, Any]) -> bool:
    """A third of the work, better than chance, stationary."""
    good = True
    for row in numbers.values():
        ours, exact = row["spent"]
        good = good and ours is not None
        good = good and (exact is None or 3 * ours <= exact)
        good = good and row["random"] is not None
        good = good and row["random"] > row["best"] * (1 + WITHIN)
        good = good and row["final"] <= 1e-4
    return bool(good)


def measured(numbers: dict[str, Any]) -> str:
    """Calls and losses by problem."""
    return "; ".join(_line(name, row) for name, row in numbers.items())


def _line(name: str, row: dict[str, Any]) -> str:
    ours, exact = (_said(v) for v in row["spent"])
    chance = "not run" if row["random"] is None else format(row["random"], ".4f")
    ends = [
        f"{row[k]['losses'][-1]:.4f} after {row[k]['calls'][-1]}"
        for k in ("inexact", "exact")
    ]
    return (
        f"{name}: {ours} inner calls against {exact} of exact, best loss "
        f"{row['best']:.4f}, random search {chance}, hypergradient {row['final']:.0e}, "
        f"loss at the end {ends[0]} calls (exact {ends[1]})"
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Loss above the best by inner call."""
    from banach.claims.figures import curves

    panels = {}
    for name, row in numbers.items():
        least = min(row["best"], *row["inexact"]["losses"], *row["exact"]["losses"])
        panels[name] = {
            kind: (
                np.array(row[kind]["calls"]),
                np.maximum(np.array(row[kind]["losses"]) / least - 1, 1e-9),
            )
            for kind in ("inexact", "exact")
        }
    curves(path, panels, "inner gradients and products", "validation loss / best - 1")


def _said(calls: int | None) -> str:
    return "never" if calls is None else str(calls)


def _reached(course: dict[str, Any], goal: float) -> int | None:
    """Inner calls at the first accepted point that is good enough."""
    good = np.array(course["losses"]) <= goal
    return int(np.array(course["calls"])[np.argmax(good)]) if good.any() else None


def _problems() -> dict[str, Any]:
    """Logistic regressions; x the logarithm of the penalty, or of one a feature."""
    import jax.numpy as jnp

    from banach.kinds.bilevel.problem import Bilevel
    from banach.zoo import datasets

    def loss(y, row):
        return jax.nn.softplus(-row[1] * (row[0] @ y))

    def upper(x, y, row):
        return loss(y, row)

    def lower(x, y, row):
        return loss(y, row) + jnp.sum(jnp.exp(x) * y**2) / 2

    made = {}
    cancer, digits = datasets.breast_cancer(), datasets.digits()
    sets = {
        "breast_cancer": (datasets.standardised(cancer.A), 2.0 * cancer.y - 1, 1),
        "digits": (digits.A / 16, 2.0 * (digits.y % 2) - 1, 1),
        "breast_cancer, by feature": (
            datasets.standardised(cancer.A), 2.0 * cancer.y - 1, 30,
        ),
    }  # fmt: skip
    for name, (A, b, dims) in sets.items():
        order = np.random.default_rng(0).permutation(len(b))
        fit, held = order[::2], order[1::2]
        made[name] = Bilevel(
            upper,
            lower,
            np.zeros(dims),
            np.zeros(A.shape[1]),
            upper_rows=(A[held], b[held]),
            lower_rows=(A[fit], b[fit]),
            lower_strongly_convex=True,
        )
    return made


def _course(problem: Any, method: Any, steps: int) -> dict[str, Any]:
    """Inner calls, exact validation losses and hypergradient norms by step."""
    import jax.numpy as jnp

    from banach.engine.loop import leaves_in

    key = jax.random.key(0)

    @jax.jit
    def run(problem, method):
        def look(state):
            return state.x, state.grads + state.products

        def one(state, _):
            state = method.step(problem, state, key)
            return state, look(state)

        start = jax.tree.map(jnp.asarray, problem.start())
        first = method.init(problem, start, key)
        _, rest = jax.lax.scan(one, first, None, steps)
        return jax.tree.map(
            lambda a, b: jnp.concatenate([a[None], b]), look(first), rest
        )

    xs, calls = run(problem, leaves_in(np.float64, method))
    losses, norms = _judge(problem, np.asarray(xs))
    return {
        "calls": np.asarray(calls).tolist(),
        "losses": losses.tolist(),
        "norms": norms.tolist(),
    }


def _judge(problem: Any, xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and hypergradient norm at exactly solved inner problems.

    Dense damped Newton steps whose last is checked; nothing of the method's is used.
    """
    losses, norms, rests = (np.asarray(v) for v in _judged(problem, xs))
    if not np.all(rests <= 1e-8):
        raise ArithmeticError(f"an inner solve stopped at {np.max(rests):.1e}")
    return losses, norms


@jax.jit
def _judged(problem: Any, xs: Any) -> Any:
    import jax.numpy as jnp

    def lower(x, y):
        return problem.lower_value((x, y))

    def upper(x, y):
        return problem.upper_value((x, y))

    slope, bend = jax.grad(lower, 1), jax.hessian(lower, 1)

    def one(x):
        def newton(_, y):
            d = jnp.linalg.solve(bend(x, y), slope(x, y))
            sizes = 0.5 ** jnp.arange(8)
            tried = jax.vmap(lambda t: lower(x, y - t * d))(sizes)
            return y - sizes[jnp.argmin(tried)] * d

        y = jax.lax.fori_loop(0, 40, newton, jnp.asarray(problem.start().x[1]))
        v = jnp.linalg.solve(bend(x, y), jax.grad(upper, 1)(x, y))
        across = jax.grad(lambda x: jnp.vdot(slope(x, y), v))(x)
        p = jax.grad(upper)(x, y) - across
        return upper(x, y), jnp.linalg.norm(p), jnp.linalg.norm(slope(x, y))

    return jax.lax.map(one, xs)


def _random(problem: Any, dims: int, calls: int | None) -> float | None:
    """Mean over draws of the best validation loss of as many trials as fit."""
    import jax.numpy as jnp

    from banach.parts.bilevel_solves import solve_lower

    if calls is None:
        return None
    rng = np.random.default_rng(1)
    y0 = jnp.asarray(problem.start().x[1])

    @jax.jit
    def cost(x):
        low = solve_lower(problem, x, y0, 1e-3)
        return low.grads + low.products

    best = []
    for _ in range(DRAWS):
        xs, left = [], calls
        while left > 0 and len(xs) < 50:
            xs.append(rng.uniform(*BOX, dims))
            left -= int(cost(jnp.asarray(xs[-1])))
        xs += [xs[-1]] * (50 - len(xs))
        best.append(float(np.min(_judge(problem, np.array(xs))[0])))
    return float(np.mean(best))

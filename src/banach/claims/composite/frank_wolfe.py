"""Open-loop steps with a monotonicity check need no line search and no constants.

Carderera, Besancon and Pokutta (2021): for generalised self-concordant f, gaps of
Frank-Wolfe with gamma = 2 / (t + 2), stepping only where f is defined and does not
rise, shrink like 1/t, although f is neither smooth on the set nor defined on all of
it. Measured on a portfolio with logarithmic utility over the simplex (200 days, 100
generated assets of which each loses everything on a tenth of the days, so that
vertices lie outside the domain) and on logistic regression over an l1 ball
(breast_cancer, standardised). Reference: Cover's multiplicative algorithm for the
portfolio, restarted FISTA for the logistic problem; both lower bounds are certified
by their own Frank-Wolfe gap.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REQUIRED = (
    "best Frank-Wolfe gap so far falls with log-log slope <= -0.9 over 5,000 steps; f "
    "never rises and is finite at every step; each gap is at least f minus the "
    "reference's value, which is within 1e-5 f of optimal; Frank-Wolfe without the "
    "check leaves the domain of the portfolio"
)
STEPS = 5000
RADIUS = 10.0


def measure() -> dict[str, Any]:
    """Values and gaps of every step on the two problems."""
    from banach.kinds.composite.problem import Composite
    from banach.kinds.glm.losses import LogisticLoss
    from banach.kinds.glm.problem import GLM
    from banach.terms.sets import L1Ball, Simplex
    from banach.zoo import datasets

    rng = np.random.default_rng(0)
    R = np.exp(0.03 * rng.standard_normal((200, 100)) + 0.01 * rng.random(100))
    R = R * (rng.random(R.shape) > 0.1)
    A, y = datasets.breast_cancer()
    rows = {}
    with jax.enable_x64(True):
        start = np.full(100, 0.01)
        portfolio = Composite(_utility, Simplex(), start, (R,), convex=True)
        logistic = GLM(datasets.standardised(A), y, LogisticLoss(), L1Ball(RADIUS))
        for name, problem, best in (
            ("portfolio", portfolio, _cover(R)),
            ("logistic", logistic, _restarted(logistic)),
        ):
            values, gaps = _run(problem)
            known, width = (float(v) for v in _judge(problem, jnp.asarray(best)))
            best_gap = np.minimum.accumulate(gaps)
            t = np.arange(1, STEPS + 1)
            tail = slice(10, None)
            slope = np.polyfit(np.log(t[tail]), np.log(best_gap[tail]), 1)[0]
            rows[name] = {
                "slope": float(slope),
                "rise": float(np.diff(values).max()),
                "finite": bool(np.isfinite(values).all()),
                "short": float(np.min(gaps - (values - known))),
                "width": width / abs(known),
                "error": float(values[-1] - known),
                "gap": float(best_gap[-1]),
                "refused": int(np.sum(np.diff(values) == 0)),
                "leaves": _plain_leaves(problem),
                "gaps": gaps[:: STEPS // 500].tolist(),
            }
    return rows


def verdict(numbers: dict[str, Any]) -> bool:
    """Every requirement; the domain is left by plain steps on the portfolio only."""
    return numbers["portfolio"]["leaves"] > 0 and all(
        r["slope"] <= -0.9
        and r["rise"] <= 0
        and r["finite"]
        and r["short"] >= -1e-9
        and r["width"] <= 1e-5
        for r in numbers.values()
    )


def measured(numbers: dict[str, Any]) -> str:
    """Slope, last gap, and the steps that were refused."""
    return "; ".join(
        f"{name}: slope {r['slope']:.2f}, gap {r['gap']:.1e}, f - f* {r['error']:.1e}, "
        f"{r['refused']} steps refused, {r['leaves']} of 50 plain steps off the domain"
        for name, r in numbers.items()
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Gaps against steps."""
    from banach.claims.figures import canvas

    with canvas(path, figsize=(5, 3.6)) as ax:
        for name, row in numbers.items():
            t = 1 + np.arange(len(row["gaps"])) * (STEPS // 500)
            (line,) = ax.loglog(t, row["gaps"], label=name)
            ax.loglog(t, row["gaps"][1] * t[1] / t, "--", lw=1, color=line.get_color())
        ax.set(xlabel="step", ylabel="Frank-Wolfe gap (dashed: 1/t)")
        ax.legend()


def _utility(x, R):
    return -jnp.sum(jnp.log(R @ x))


@jax.jit
def _judge(problem, x):
    """f and its Frank-Wolfe gap, so that f* >= f - gap."""
    f, g = problem.value_and_grad(x)
    return f, jnp.vdot(g, x - problem.lmo(g))


def _run(problem: Any) -> tuple[np.ndarray, np.ndarray]:
    from banach.methods.composite.frank_wolfe import FrankWolfe

    method, key = FrankWolfe(), jax.random.key(0)

    @jax.jit
    def go(problem, start):
        def one(state, _):
            state = method.step(problem, state, key)
            gap = jnp.vdot(state.g, state.x - problem.lmo(state.g))
            return state, (state.f, gap)

        first = method.init(problem, start, key)
        return jax.lax.scan(one, first, None, length=STEPS)[1]

    start = jax.tree.map(jnp.asarray, problem.start())
    return tuple(np.asarray(v) for v in go(problem, start))


def _plain_leaves(problem: Any) -> int:
    """How many of 50 unchecked steps end where f is not finite."""
    x, found = jnp.asarray(problem.start().x), 0
    for t in range(50):
        v = problem.lmo(problem.grad(x))
        x = x + 2 / (t + 2) * (v - x)
        found += not bool(jnp.isfinite(problem.value(x)))
    return found


def _cover(R: np.ndarray) -> np.ndarray:
    """Cover (1984): x_j <- x_j mean_i (R_ij / (R x)_i)."""
    x = np.full(R.shape[1], 1 / R.shape[1])
    for _ in range(20_000):
        x = x * (R / (R @ x)[:, None]).mean(0)
    return x / x.sum()


def _restarted(problem: Any) -> np.ndarray:
    from banach.claims.composite import _shared

    return _shared.reference(problem, 20_000)[1]

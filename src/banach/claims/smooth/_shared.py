"""What the claims of this family share: counted runs, SciPy as a peer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.engine.loop import leaves_in


def history(method: Any, problem: Any, steps: int) -> dict[str, np.ndarray]:
    """x, f(x) and ||grad f(x)|| at steps 0 .. steps, off the method's books."""
    start = problem.start()
    method = leaves_in(np.float64, method)

    @jax.jit
    def program(method, problem):
        def look(state):
            x = method.point(state).x
            return problem.value(x), tree.norm(problem.grad(x)), x

        def one(state, _):
            state = method.step(problem, state, jax.random.key(0))
            return state, look(state)

        first = method.init(problem, start, jax.random.key(0))
        _, rows = jax.lax.scan(one, first, None, steps)
        return jax.tree.map(_prepend, look(first), rows)

    f, g, x = program(method, problem)
    return {"f": np.asarray(f), "g": np.asarray(g), "x": np.asarray(x)}


def _prepend(first, rest):
    return jnp.concatenate([first[None], rest])


def count(method: Any, problem: Any, tol: float, cap: int) -> dict[str, Any]:
    """Steps and oracle calls until ||g|| <= tol ||g_0||, a stuck method, or the cap."""
    start = problem.start()
    method = leaves_in(np.float64, method)

    @jax.jit
    def program(method, problem):
        def size(state):
            return tree.norm(problem.grad(method.point(state).x))

        def go(c):
            state, steps, now = c
            return (now > tol * first) & (steps < cap) & ~method.stuck(state)

        def one(c):
            state = method.step(problem, c[0], jax.random.key(0))
            return state, c[1] + 1, size(state)

        first = tree.norm(problem.grad(start.x))
        state = method.init(problem, start, jax.random.key(0))
        state, steps, now = jax.lax.while_loop(go, one, (state, 0, size(state)))
        cost = method.card.cost
        calls = {k: steps * v for k, v in cost.items()} if cost else method.calls(state)
        return steps, calls, now / first, method.point(state).x

    steps, calls, ratio, x = program(method, problem)
    return {
        "steps": int(steps),
        "reached": bool(ratio <= tol),
        "x": np.asarray(x),
        **{k: int(v) for k, v in calls.items()},
    }


def peer(name: str, problem: Any, tol: float, **options: Any) -> dict[str, Any]:
    """Gradients that a SciPy minimiser takes until ||g|| <= tol ||g_0||.

    Counted at the end of its iterations, like our own; its own tests are off.
    """
    from banach.bridge.scipy import Scipy

    start = problem.start()
    size = jax.jit(lambda x, p: tree.norm(p.grad(x)))
    enough = tol * float(size(start.x, problem))
    calls = {"grad": 0}
    stream = Scipy(name, options).stream(problem, start, jax.random.key(0))
    for point, calls in stream:
        if float(size(point.x, problem)) <= enough:
            stream.close()
            return {"grad": calls["grad"], "reached": True}
    return {"grad": calls["grad"], "reached": False}


def mean(ratios: Any) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(np.asarray(ratios, float)))))


def least_descent(method: Any, problem: Any, steps: int) -> float:
    """The least -g.d / ||g||^2 over the directions of a run of conjugate gradients."""

    @jax.jit
    def program(method, problem):
        def one(state, _):
            g, d = state.g, state.known.d
            ratio = -tree.vdot(g, d) / tree.vdot(g, g)
            return method.step(problem, state, jax.random.key(0)), ratio

        first = method.init(problem, problem.start(), jax.random.key(0))
        return jax.lax.scan(one, first, None, steps)[1].min()

    return float(program(leaves_in(np.float64, method), problem))


EXACT = {"decrease": 0.5 - 1e-7, "curvature": 1e-7}
"""Wolfe constants by which a search along a quadratic is exact to seven digits."""


def bowl(seed: int, n: int, condition: float) -> Any:
    """A random strictly convex quadratic; its Hessian is the first of its args."""
    from banach.kinds.smooth.problem import Smooth

    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    H = (Q * np.logspace(-np.log10(condition), 0, n)) @ Q.T
    b, x0 = rng.standard_normal((2, n))
    problem = Smooth(lambda x, H, b: x @ H @ x / 2 - b @ x, x0, ((H + H.T) / 2, b), L=1)
    return problem


def states(method: Any, problem: Any, steps: int) -> list[Any]:
    """States 0 .. steps of a method."""
    method, key = leaves_in(np.float64, method), jax.random.key(0)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    out = [method.init(problem, problem.start(), key)]
    for _ in range(steps):
        out.append(step(method, problem, out[-1]))
    return out


def conjugacy(rows: list[Any], H: np.ndarray) -> float:
    """The largest |s_i.H s_j| / (||s_i||_H ||s_j||_H) of the steps between states."""
    xs = np.stack([np.asarray(r.x) for r in rows])
    s = np.diff(xs, axis=0)
    table = s @ H @ s.T
    size = np.sqrt(np.diag(table))
    cosine = np.abs(table) / np.outer(size, size)
    return float((cosine - np.eye(len(s))).max())


def evaluations(
    methods: dict[str, Any],
    peers: dict[str, str],
    names: Any,
    tol: float,
    cap: int,
    of: str = "both",
) -> dict[str, Any]:
    """Evaluations of (f, grad f) until ||g|| fell by tol, by problem.

    `methods` maps a name to what builds a method for a problem, `peers` a name to a
    minimiser of SciPy. The first method's steps are told too. With `of` "grad" only
    gradients are counted.
    """
    from banach import zoo

    out = {}
    for name in names:
        problem = zoo.load(name)
        ours = {
            k: count(make(problem), problem, tol, cap) for k, make in methods.items()
        }
        other = {k: peer(v, problem, tol) for k, v in peers.items()}
        first = next(iter(ours.values()))
        also = "grad" if of == "grad" else "value"
        calls = {k: max(v["grad"], v.get(also, 0)) for k, v in ours.items()}
        out[name] = {
            "reached": first["reached"],
            "steps": first["steps"],
            "gave_up": [k for k, v in {**ours, **other}.items() if not v["reached"]],
            "evaluations": calls | {k: v["grad"] for k, v in other.items()},
        }
    return out


def ratio(rows: dict[str, Any], of: str, to: str) -> float:
    """Geometric mean of the evaluations of one over those of another.

    Where the other gave up, what it had used is a lower bound of what it needs.
    """
    return mean([r["evaluations"][of] / r["evaluations"][to] for r in rows.values()])


def worst(rows: dict[str, Any]) -> str:
    """The largest of each number over the rows."""
    largest = {k: max(r[k] for r in rows.values()) for k in next(iter(rows.values()))}
    return ", ".join(f"{k} {v:.0e}" for k, v in largest.items())


def told(rows: dict[str, Any]) -> str:
    """Evaluations by problem, in words."""
    return "; ".join(
        f"{name} "
        + ", ".join(
            f"{k} {v}" + " (gave up)" * (k in r["gave_up"])
            for k, v in r["evaluations"].items()
        )
        for name, r in rows.items()
    )

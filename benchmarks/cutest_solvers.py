"""Solvers of benchmarks.cutest: banach's methods, SciPy and Optimistix.

Each is timed warm (compiled, the problem kept) and judged by banach's check of the
problem at TOL. A peer runs at the loosest tolerance of its own whose answer passes;
SciPy's gtol is in units of the greatest entry of the gradient at the start. The check
is inside banach's seconds and outside the peers'.
"""

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

import banach as bn
from benchmarks import measure

TOL, SECONDS, STEPS = 1e-6, 20.0, 10_000
WARM, WARM_SECONDS = 5, 4.0
LADDER = [10.0**-k for k in range(2, 13)]
DENSE = 500  # Unknowns up to which a peer is handed Hessians.

OURS = {
    "smooth": "default trust_region_newton lbfgs bfgs newton_cg lazy_newton".split(),
    "bounded": "default proximal_gradient".split(),
    "least_squares": (
        "default levenberg_marquardt gauss_newton dogleg trust_region_newton lbfgs"
    ).split(),
}


class TimeUp(Exception):
    pass


def unit(calls: dict[str, float], n: int) -> float:
    """Calls in units of one gradient.

    A value and a gradient are taken together; a product with a Hessian or a Jacobian
    counts as two, a Hessian or a Jacobian as n.
    """
    looks = max(calls.get(k, 0) for k in ("value", "grad", "residual"))
    products = sum(calls.get(k, 0) for k in ("hvp", "jvp", "vjp"))
    return looks + 2 * products + n * sum(calls.get(k, 0) for k in ("hess", "jacobian"))


def names(kind: str, n: int, rows: int | None = None) -> list[str]:
    """What runs on a problem of this kind and size, the default first."""
    if kind == "smooth":
        second = "SciPy trust-exact" if n <= 100 else "SciPy Newton-CG"
        peers = ["SciPy BFGS", "SciPy L-BFGS-B", second, "Optimistix BFGS"]
    elif kind == "bounded":
        peers = ["SciPy L-BFGS-B", "SciPy TNC"]
    else:
        lm = ["SciPy lm"] if rows is None or rows >= n else []
        peers = ["SciPy trf", *lm, "Optimistix LevenbergMarquardt"]
    dense = {"bfgs", "lazy_newton", "dogleg", "gauss_newton", "SciPy BFGS"}
    dense |= {"trust_region_newton", "Optimistix BFGS"}
    every = [*OURS[kind], *peers]
    return every if n <= 2000 else [s for s in every if s not in dense]


def run(name: str, kind: str, problem: Any) -> dict[str, Any]:
    """One solver on one problem, as a row of the results."""
    if name in OURS[kind]:
        return _ours(None if name == "default" else name, problem)
    return _peer(name, problem)


# banach -------------------------------------------------------------------------------


def _ours(method: str | None, problem: Any) -> dict[str, Any]:
    def solve():
        return bn.solve(problem, method, tol=TOL, max_steps=STEPS, time_limit=SECONDS)

    try:
        began = time.perf_counter()
        r = solve()
        first = time.perf_counter() - began
    except bn.Misuse as error:
        return {"status": "refused", "reason": str(error)[:200]}
    # The next calls compile what is called often.
    began = time.perf_counter()
    for _ in range(2):
        if r.certified and first + time.perf_counter() - began < 2 * WARM_SECONDS:
            r = solve()
    kept: list[Any] = [r]
    seconds = _warm(lambda: kept.append(solve())) if r.certified else None
    r = kept[-1]
    inside = statistics.median(float(k.seconds["run"]) for k in kept[1:] or kept)
    ratio = float(r.certificate.ratio)
    tried = r.manifest.get("tried")
    return {
        "status": str(r.status), "ratio": ratio, "first": first, "seconds": seconds,
        "steps": int(r.steps), "calls": {k: int(v) for k, v in r.calls.items()},
        "unit": unit(dict(r.calls), problem.size()), "label": str(r.label),
        "tried": [str(t)[:120] for t in tried] if tried else None,
        "f": _objective(problem, r.x), "run": inside,
        "reason": str(r.reason)[:200] if not r.certified else "",
    }  # fmt: skip


def _warm(solve: Callable[[], Any]) -> float:
    """Median seconds of WARM calls, fewer where they are long."""
    seconds: list[float] = []
    while len(seconds) < WARM and (not seconds or sum(seconds) < WARM_SECONDS):
        seconds.append(measure.clock(solve))
    return statistics.median(seconds)


def _objective(problem: Any, x: Any) -> float:
    with jax.enable_x64(True):
        return float(problem.objective(x))


# Peers --------------------------------------------------------------------------------


def _peer(name: str, problem: Any) -> dict[str, Any]:
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flat, unravel = ravel_pytree(jax.tree.map(np.asarray, problem.x0))
        x0 = np.array(flat, float)
        library, _, algorithm = name.partition(" ")
        make = {"SciPy": _scipy, "Optimistix": _optimistix}[library]
        if algorithm in ("trf", "lm"):
            make = _scipy_least_squares
        began = time.perf_counter()
        solve = make(algorithm, problem, x0, unravel)
        first, best, ratio, said = None, None, np.inf, "no answer"
        for own in LADDER:
            try:
                x, calls, said = solve(own)
            except TimeUp:
                said = "time limit"
                break
            except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
                said = f"{type(error).__name__}: {error}"[:200]
                continue
            first = time.perf_counter() - began if first is None else first
            if not np.all(np.isfinite(x)):
                said = "nonfinite"
                continue
            answer = _as(problem, unravel(x))
            # As a user's session is; peers are given 64 bits above.
            with jax.enable_x64(False):
                verdict = bn.verify(problem, answer, tol=TOL)
            found = float(verdict.certificate.ratio)
            ratio = found if not found >= ratio else ratio
            if verdict.certified:
                best = own
                break
            if time.perf_counter() - began > SECONDS:
                break
        if best is None:
            return {"status": "not certified", "ratio": ratio, "reason": said,
                    "first": first}  # fmt: skip
        return {
            "status": "certified", "ratio": ratio, "first": first, "own": best,
            "seconds": _warm(lambda: solve(best)), "calls": calls,
            "steps": calls.get("steps"), "unit": unit(calls, len(x0)), "reason": "",
            "f": _objective(problem, answer),
        }  # fmt: skip


def _as(problem: Any, x: Any) -> Any:
    return jax.tree.map(lambda v, like: np.asarray(v, like.dtype), x, problem.x0)


class _Oracle:
    """A compiled function of SciPy's, counted and on the clock."""

    def __init__(self, fun: Callable):
        self.fun, self.count = jax.jit(fun), 0

    def begin(self) -> None:
        self.count, self.began = 0, time.perf_counter()

    def __call__(self, *args):
        self.count += 1
        if time.perf_counter() - self.began > SECONDS:
            raise TimeUp
        return jax.tree.map(np.asarray, self.fun(*args))


def _scipy(algorithm, problem, x0, unravel):
    from scipy.optimize import minimize

    f = _f(problem, unravel)
    both = _Oracle(jax.value_and_grad(f))
    hess = _Oracle(jax.hessian(f))
    hvp = _Oracle(lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1])
    lower, upper = problem.bounds() if hasattr(problem, "bounds") else (None, None)
    bounds = None if lower is None else list(zip(lower, upper, strict=True))
    both.begin()
    scale = float(np.max(np.abs(both(x0)[1]))) or 1.0

    def value_and_grad(x):
        v, g = both(x)
        return float(v), np.asarray(g, float)

    def solve(own):
        for oracle in (both, hess, hvp):
            oracle.begin()
        more, options = {}, {"gtol": own * scale, "maxiter": STEPS}
        if algorithm == "L-BFGS-B":
            options |= {"ftol": 0.0, "maxfun": 10 * STEPS}
        elif algorithm == "TNC":
            del options["maxiter"]
            options |= {"maxfun": 10 * STEPS, "ftol": 0.0, "xtol": 0.0}
        elif algorithm == "trust-exact":
            more = {"hess": hess}
        elif algorithm == "Newton-CG":
            more = {"hessp": hvp}
            options = {"xtol": own, "maxiter": STEPS}
        if algorithm in ("L-BFGS-B", "TNC"):
            more |= {"bounds": bounds}
        out = minimize(
            value_and_grad, x0, jac=True, method=algorithm, options=options, **more
        )
        calls = {"value": both.count, "grad": both.count, "hess": hess.count,
                 "hvp": hvp.count, "steps": int(out.nit)}  # fmt: skip
        return out.x, calls, str(out.message)

    return solve


def _scipy_least_squares(algorithm, problem, x0, unravel):
    from scipy.optimize import least_squares

    r = _r(problem, unravel)
    residual, jacobian = _Oracle(r), _Oracle(jax.jacobian(r))

    def solve(own):
        residual.begin()
        jacobian.begin()
        out = least_squares(
            lambda x: np.asarray(residual(x), float), x0, jac=jacobian,
            method=algorithm, ftol=own**1.5 if own > 1e-9 else 1e-15,
            xtol=own, gtol=max(own, 1e-15), max_nfev=STEPS,
        )  # fmt: skip
        calls = {"residual": residual.count, "jacobian": jacobian.count}
        return out.x, calls, str(out.message)

    return solve


def _optimistix(algorithm, problem, x0, unravel):
    """The whole solve in one program, which the tolerance is an argument of."""
    import jax.numpy as jnp
    import optimistix

    kind = getattr(optimistix, algorithm)
    squares = algorithm == "LevenbergMarquardt"
    fun = (_r if squares else _f)(problem, unravel)
    door = optimistix.least_squares if squares else optimistix.minimise

    @jax.jit
    def program(x, tol):
        out = door(
            lambda x, args: fun(x), kind(rtol=tol, atol=tol), x, max_steps=STEPS,
            throw=False,
        )  # fmt: skip
        good = out.result == optimistix.RESULTS.successful
        return out.value, out.stats["num_steps"], good

    start = jnp.asarray(x0)

    def solve(own):
        x, steps, good = jax.tree.map(np.asarray, program(start, own))
        steps = int(steps)
        looks = ("residual", "jacobian") if squares else ("value", "grad")
        calls = dict.fromkeys(looks, steps) | {"steps": steps}
        return x, calls, "" if good else "its own failure or step limit"

    return solve


def _f(problem, unravel):
    return lambda z: problem.value(unravel(z))


def _r(problem, unravel):
    return lambda z: ravel_pytree(problem.residual(unravel(z)))[0]

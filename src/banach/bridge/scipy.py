"""Every method of scipy.optimize.minimize, streamed from its callback."""

import warnings
from collections.abc import Generator
from typing import Any

import numpy as np
from jaxtyping import Array

from banach.bridge import _callback_stream, _inputs, _oracles, _scaling, _terms
from banach.core.card import method
from banach.core.facts import Facts
from banach.core.hyperparameters import OPEN, Open
from banach.core.method import HostMethod, Refusal, applicable
from banach.core.point import Point
from banach.core.problem import Misuse, Problem

# What each algorithm is given, whether it takes bounds, and the options that turn
# its own stopping off, so that only the outside check ends the run.
_FAR = 10**9
ALGORITHMS: dict[str, dict[str, Any]] = {
    "Nelder-Mead": {
        "uses": ("value",),
        "bounds": True,
        "options": {"xatol": 0.0, "fatol": 0.0, "maxiter": _FAR, "maxfev": _FAR},
    },
    "Powell": {
        "uses": ("value",),
        "bounds": True,
        "options": {"xtol": 1e-15, "ftol": 0.0, "maxiter": _FAR, "maxfev": _FAR},
    },
    "CG": {"uses": ("grad",), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "BFGS": {"uses": ("grad",), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "Newton-CG": {"uses": ("grad", "hvp"), "options": {"xtol": 0.0, "maxiter": _FAR}},
    "L-BFGS-B": {
        "uses": ("grad",),
        "bounds": True,
        "options": {"ftol": 0.0, "gtol": 0.0, "maxiter": _FAR, "maxfun": _FAR},
    },
    "TNC": {
        "uses": ("grad",),
        "bounds": True,
        "options": {"ftol": 0.0, "gtol": 0.0, "xtol": 0.0, "maxfun": _FAR},
    },
    "COBYLA": {
        "uses": ("value",),
        "bounds": True,
        "options": {"tol": 1e-15, "maxiter": 10**6},
    },
    "COBYQA": {
        "uses": ("value",),
        "bounds": True,
        "options": {"final_tr_radius": 1e-15, "maxiter": 10**6, "maxfev": 10**6},
    },
    "SLSQP": {
        "uses": ("grad",),
        "bounds": True,
        "constraints": ("constraints", "jacobian"),
        "options": {"ftol": 1e-300, "maxiter": 10**6},
    },
    "trust-constr": {
        "uses": ("grad", "hvp"),
        "bounds": True,
        "constraints": ("constraints", "jacobian", "constraint_hess"),
        "options": {"gtol": 0.0, "xtol": 0.0, "barrier_tol": 0.0, "maxiter": _FAR},
    },
    "dogleg": {"uses": ("grad", "hess"), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "trust-ncg": {"uses": ("grad", "hvp"), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "trust-exact": {
        "uses": ("grad", "hess"),
        "options": {"gtol": 0.0, "maxiter": _FAR},
    },
    "trust-krylov": {
        "uses": ("grad", "hvp"),
        "options": {"gtol": 0.0, "maxiter": _FAR},
    },
}

DENSE_UP_TO = 2000


@method(
    problem="Smooth",
    needs={"value", "grad"},
    paper="virtanen2020scipy",
    cost=None,
    host=True,
)
class Scipy(HostMethod):
    """A method of scipy.optimize.minimize: `Scipy("L-BFGS-B", {"maxcor": 20})`.

    Its iterates come from its callback, on a thread that is paused while the check
    looks; oracles are compiled before the clock starts and counted. SciPy's own
    stopping is turned off (tolerances zero, limits far away), so that the check
    decides; an option that you give replaces that. Where SciPy stops by itself
    (a line search that fails) the run ends as stalled.

    Boxes become SciPy's bounds, for algorithms that have them. An l1 or elastic-net
    term is handed over as a smooth function over a box by x = p - q, p >= 0, q >= 0.
    Other terms are refused. The constraints of a `Constrained` go to SLSQP and
    trust-constr as one NonlinearConstraint with its Jacobian (trust-constr: and
    Hessian), in powers of ten that bring lengths, f and rows near 1 at the start where
    they are a thousand times off; its multipliers are not read, the check fits its own.
    `seconds` include
    some microseconds of thread switching and array conversion for each iterate.

    Args:
        algorithm: the name of a method of scipy.optimize.minimize.
        options: its options, by name.

    Source: Virtanen and others, SciPy 1.0, Nature Methods 17 (2020).

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Scipy("L-BFGS-B", {"maxcor": 20})).status
        'certified'
    """

    algorithm: Any
    options: dict[str, Any]

    def __init__(
        self, algorithm: str | None = None, options: dict[str, Any] | None = None
    ):
        self.options = _inputs.options(options, "scipy")
        if algorithm is None or isinstance(algorithm, Open):
            self.algorithm = OPEN  # what `suggest` finds for the problem
            return
        self.algorithm = _inputs.algorithm(algorithm, "scipy", "method", ALGORITHMS)

    @classmethod
    def applies(cls, problem: Problem, facts: Facts) -> Refusal | None:
        """None where some algorithm can respect the term of the problem."""
        if not problem.essential():
            card = cls.card
            return applicable(card.needs, card.assumes, problem, facts, card.name)
        form = _terms.form(problem, "scipy")
        return form if isinstance(form, Refusal) else None

    @classmethod
    def suggest(cls, problem, facts):
        """L-BFGS-B, which takes gradients and bounds; with constraints SLSQP."""
        constrained = "constraints" in problem.oracles()
        return cls.variant("SLSQP" if constrained else "L-BFGS-B", problem, facts)

    @classmethod
    def variant(cls, name: str, problem: Problem, facts: Facts) -> "Scipy | Refusal":
        """One algorithm, or why it does not fit this problem."""
        made = cls(name)
        no = cls.applies(problem, facts)
        return made._refuses(problem) if no is None else no

    @classmethod
    def variants(cls, problem: Problem, facts: Facts) -> tuple[str, ...]:
        """What a race runs: with a term L-BFGS-B, else the usual two or three."""
        if "constraints" in problem.oracles():
            return ("SLSQP", "trust-constr")
        if problem.essential():
            return () if cls.applies(problem, facts) is not None else ("L-BFGS-B",)
        if problem.size() <= DENSE_UP_TO and "hess" in problem.oracles():
            return ("BFGS", "L-BFGS-B", "trust-exact")
        return ("L-BFGS-B", "CG")

    def label(self):
        """The peer and its algorithm."""
        return f"scipy:{self.algorithm}"

    def stream(
        self, problem: Problem, start: Point, key: Array
    ) -> Generator[tuple[Point, dict[str, int]], None, dict[str, str] | None]:
        """Yield (Point, calls so far) after each of SciPy's iterations."""
        no = self._refuses(problem)
        if isinstance(no, Refusal):
            raise Misuse(no.cure)
        import scipy.optimize  # noqa: F401  # a fifth of a second, none of the run's

        form = _terms.form(problem, "scipy")
        how = ALGORITHMS[self.algorithm]
        uses = how["uses"] + (() if form.sides is None else how["constraints"])
        z0 = form.to(start)
        box: list[_callback_stream.Worker] = []
        oracles = _oracles.Oracles(form.problem, lambda: box[0].alive())
        oracles.compile(uses, z0)

        def job(worker: _callback_stream.Worker) -> dict[str, str]:
            box.append(worker)
            return self._minimise(oracles, uses, z0, form, worker)

        return self._points(job, form, oracles)

    def _points(self, job, form, oracles):
        source = _callback_stream.paused(job, _quiet)
        try:
            while True:
                try:
                    z = next(source)
                except StopIteration as end:
                    return end.value
                yield form.back(z), dict(oracles.calls)
        finally:
            source.close()

    def _refuses(self, problem: Problem) -> "Scipy | Refusal":
        how = ALGORITHMS[self.algorithm]
        form = _terms.form(problem, "scipy")
        if isinstance(form, Refusal):
            return form
        lacks = sorted(set(how["uses"]) - form.problem.oracles())
        if lacks:
            return Refusal(
                f"oracle {lacks[0]}",
                f"{self.label()} needs the oracle {lacks[0]}, which "
                f"{form.problem.kind} lacks; use scipy:L-BFGS-B",
            )
        if form.sides is not None and not how.get("constraints"):
            able = ", ".join(k for k, v in ALGORITHMS.items() if v.get("constraints"))
            return Refusal(
                "constraints",
                f"{self.label()} would ignore the constraints of {problem.kind}; use "
                f"one of {able}",
            )
        if form.bounds is not None and not how.get("bounds"):
            able = ", ".join(k for k, v in ALGORITHMS.items() if v.get("bounds"))
            return Refusal(
                "bounds",
                f"{self.label()} ignores bounds, which this {problem.kind} needs; use "
                f"one of {able}",
            )
        return self

    def _minimise(self, oracles, uses, z0, form, worker) -> dict[str, str]:
        import scipy.optimize

        back, bounds = np.array, form.bounds
        if form.problem.kind == "Constrained":
            oracles = _scaling.Scaled(oracles, z0, bounds, form.sides is not None)
            z0, back = oracles.to(z0), oracles.back
            if bounds is not None:
                bounds = tuple(oracles.to(side) for side in bounds)
        last = z0

        def callback(z, *state):
            nonlocal last
            last = np.array(z)
            worker.emit(back(last))

        given: dict[str, Any] = {"fun": oracles.value}
        if "grad" in uses:
            given = {"fun": oracles.value_and_grad, "jac": True}
        if "hess" in uses:
            given["hess"] = oracles.hess
        if "hvp" in uses:
            given["hessp"] = oracles.hvp
        if bounds is not None:
            given["bounds"] = scipy.optimize.Bounds(*bounds)
        if form.sides is not None:
            given["constraints"] = _constraint(oracles, uses, form)
        options = {**ALGORITHMS[self.algorithm]["options"], **self.options}
        try:
            found = scipy.optimize.minimize(
                x0=z0,
                method=self.algorithm,
                callback=callback,
                options=options,
                **given,
            )
        except scipy.optimize.OptimizeWarning as unknown:
            raise Misuse(f"{self.label()}: {unknown}") from None
        if not np.array_equal(found.x, last):
            worker.emit(back(found.x))
        said = " ".join(str(found.message).split())
        return {"status": f"success {found.success}, status {found.status}",
                "message": said}  # fmt: skip


def _constraint(oracles: Any, uses: Any, form: _terms.Form) -> Any:
    import scipy.optimize

    more: dict[str, Any] = {}
    if "constraint_hess" in uses:
        more["hess"] = oracles.constraint_hess
    return scipy.optimize.NonlinearConstraint(
        oracles.constraints, *form.sides, jac=oracles.jacobian, **more
    )


def _quiet() -> None:
    """SciPy's warnings say what the check will say; an unknown option is an error."""
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", message="Unknown solver options")


def exact_transport(C: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """min <C, P> over P >= 0 with P 1 = a, P' 1 = b, by HiGHS."""
    from scipy import sparse
    from scipy.optimize import linprog

    m, n = C.shape
    rows = sparse.kron(sparse.eye_array(m), np.ones((1, n)))
    columns = sparse.kron(np.ones((1, m)), sparse.eye_array(n))
    sums = sparse.vstack([rows, columns]).tocsr()
    found = linprog(C.ravel(), A_eq=sums, b_eq=np.append(a, b), method="highs")
    if found.fun is None:
        raise Misuse(f"HiGHS found no plan: {found.message}; check the marginals")
    return float(found.fun)

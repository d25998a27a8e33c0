"""CUTEst problems of the package sif2jax: smooth, constrained and least squares."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun
from jaxtyping import PyTree

from banach.core import compat
from banach.core.problem import Misuse
from banach.kinds.constrained.problem import Constrained
from banach.kinds.least_squares.problem import NonlinearLeastSquares
from banach.kinds.smooth.problem import Smooth


class _Stated:
    """One function of an instance, named after it; a class, so that each instance
    counts as its own program."""

    def __init__(self, problem: Any, part: str):
        self.problem, self.part = problem, part
        self.__name__ = problem.name

    def __call__(self, y: PyTree) -> PyTree:
        if self.part == "objective":
            return self.problem.objective(y, self.problem.args)
        equations, inequalities = self.problem.constraint(y)
        if self.part == "equations":
            return equations
        return jax.tree.map(lambda v: -v, inequalities)


def constrained(problem: Any) -> Constrained:
    """A constrained problem of sif2jax, an instance or a name ("HS6").

    f, the equations and the bounds are those of the instance; its inequalities, which
    are >= 0, become <= 0 with the other sign. The start is its y0, and so is the
    reference, as always for a test set. The result is float64. Importing sif2jax
    takes about a minute: it builds every problem.
    """
    if isinstance(problem, str):
        problem = by_name(problem)
    with compat.double():
        x0 = _arrays(problem.y0)
        equations, inequalities = _shapes(problem, x0)
        lower, upper = _bounds(problem)
        if not equations and not inequalities and lower is None and upper is None:
            raise Misuse(
                f"{problem.name} has neither constraints nor bounds; state it as "
                "bn.Smooth(lambda y: p.objective(y, p.args), p.y0)"
            )
        return Constrained(
            _Stated(problem, "objective"),
            x0,
            eq=_Stated(problem, "equations") if equations else None,
            ineq=_Stated(problem, "inequalities") if inequalities else None,
            lower=lower,
            upper=upper,
            reference=x0,
        )


def least_squares(problem: Any) -> NonlinearLeastSquares:
    """A sum of squares of sif2jax, an instance or a name, by its residuals.

    Of a system of equations, or of an objective that ends in a sum of squares, which
    is taken apart; factors in front of that sum, and the factor 1/2 that it lacks, are
    left out. The start is the instance's y0, and so is the reference, as always for a
    test set. The result is float64.
    """
    if isinstance(problem, str):
        problem = by_name(problem)
    with compat.double():
        x0 = _arrays(problem.y0)
        return NonlinearLeastSquares(_residuals(problem, x0), x0, reference=x0)


def _residuals(problem: Any, x0: PyTree) -> Any:
    if hasattr(problem, "residual"):
        return _Residuals(problem, lambda y: problem.residual(y, problem.args))
    if getattr(problem, "constraint", None) is not None:
        return _Residuals(problem, lambda y: problem.constraint(y)[0])
    closed = jax.make_jaxpr(lambda y: problem.objective(y, problem.args))(x0)
    made = {v: eqn for eqn in closed.jaxpr.eqns for v in eqn.outvars}

    def maker(v: Any) -> Any:
        return None if isinstance(v, Literal) else made.get(v)

    last = maker(closed.jaxpr.outvars[0])
    while last is not None and last.primitive.name in ("mul", "div"):
        plain = any(isinstance(v, Literal) for v in last.invars)
        inner = [e for e in map(maker, last.invars) if e is not None]
        last = inner[0] if plain and inner else None
    summed = last is not None and last.primitive.name == "reduce_sum"
    square = maker(last.invars[0]) if summed else None
    if square is None or not _squares(square):
        raise Misuse(
            f"the objective of {problem.name} does not end in a sum of squares of "
            "residuals; state it as bn.Smooth, or its residuals as bn.least_squares"
        )
    inside = closed.jaxpr.replace(outvars=[square.invars[0]], debug_info=None)
    run = jaxpr_as_fun(ClosedJaxpr(inside, closed.consts))
    return _Residuals(problem, lambda y: run(*jax.tree.leaves(y)))


class _Residuals:
    """Residuals named after their instance, each its own program."""

    def __init__(self, problem: Any, residual: Any):
        self.__name__, self.residual = problem.name, residual

    def __call__(self, y: PyTree) -> PyTree:
        return self.residual(y)


def _squares(eqn: Any) -> bool:
    name = eqn.primitive.name
    power = name in ("integer_pow", "pow") and eqn.params.get("y") == 2
    product = name == "mul" and eqn.invars[0] is eqn.invars[1]
    return name == "square" or power or product


def smooth(problem: Any) -> Smooth:
    """An unconstrained problem of sif2jax, an instance or a name ("ROSENBR").

    The start is its y0, and so is the reference, as always for a test set: what is
    certified is a gradient small beside the one at y0, which may be large. The result
    is float64.
    """
    if isinstance(problem, str):
        problem = by_name(problem)
    with compat.double():
        x0 = _arrays(problem.y0)
        equations, inequalities = _shapes(problem, x0)
        if equations or inequalities or any(b is not None for b in _bounds(problem)):
            raise Misuse(
                f"{problem.name} has constraints or bounds; state it with "
                "bn.bridge.sif2jax.constrained"
            )
        return Smooth(_Stated(problem, "objective"), x0, reference=x0)


def unconstrained(largest: int = 100) -> Iterator[Any]:
    """Instances without constraints and bounds, up to `largest` unknowns."""
    import sif2jax

    for problem in sif2jax.unconstrained_minimisation_problems:
        with compat.double():
            if _size(jax.eval_shape(lambda p=problem: p.y0)) <= largest:
                yield problem


def by_name(name: str) -> Any:
    """The instance that sif2jax calls so."""
    for problem in _library().problems:
        if problem.name == name:
            return problem
    raise Misuse(f"sif2jax has no problem {name!r}; see sif2jax.problems")


def equality_constrained(largest: int = 100) -> Iterator[Any]:
    """Instances with equations, no inequality and no bound, up to `largest` unknowns.

    Those with no more equations than unknowns, in the order of sif2jax.
    """
    for problem in _library().constrained_minimisation_problems:
        with compat.double():
            lower, upper = _bounds(problem)
            if lower is not None or upper is not None:
                continue
            unknowns = _size(jax.eval_shape(lambda p=problem: p.y0))
            if unknowns > largest:
                continue
            equations, inequalities = _shapes(problem, problem.y0)
            if equations and not inequalities and equations <= unknowns:
                yield problem


def _library() -> Any:
    """sif2jax, whose import turns JAX to 64 bits for everybody: that is undone."""
    with compat.flags_kept():
        import sif2jax
    return sif2jax


def _shapes(problem: Any, y0: PyTree) -> tuple[int, int]:
    if getattr(problem, "constraint", None) is None:
        return 0, 0
    eq, ineq = jax.eval_shape(problem.constraint, y0)
    return _size(eq), _size(ineq)


def _size(tree: PyTree) -> int:
    return sum(int(np.prod(np.shape(v))) for v in jax.tree.leaves(tree))


def _bounds(problem: Any) -> tuple[PyTree, PyTree]:
    stated = getattr(problem, "bounds", None)
    if stated is None:
        return None, None
    lower, upper = (_arrays(bound) for bound in stated)
    return _finite(lower, -np.inf), _finite(upper, np.inf)


def _finite(bound: PyTree, far: float) -> PyTree:
    # The classical files write 1e20 where there is none.
    bound = jax.tree.map(lambda v: np.where(np.abs(v) >= 1e20, far, v), bound)
    some = any(np.isfinite(v).any() for v in jax.tree.leaves(bound))
    return bound if some else None


def _arrays(value: PyTree) -> PyTree:
    return jax.tree.map(lambda v: np.asarray(v, np.float64), value)

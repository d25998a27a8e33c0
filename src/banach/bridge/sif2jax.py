"""CUTEst problems of the package sif2jax as `Constrained` problems."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import compat
from banach.core.problem import Misuse
from banach.problems.constrained import Constrained


def constrained(problem: Any) -> Constrained:
    """A constrained problem of sif2jax, an instance or a name ("HS6").

    f, the equations and the bounds are those of the instance; its inequalities, which
    are >= 0, become <= 0 with the other sign. The start is its y0, and so is the
    reference, as always for a test set. The Constrained is float64 by NumPy leaves.
    Importing sif2jax takes about a minute: it builds every problem.
    """
    if isinstance(problem, str):
        problem = by_name(problem)
    with compat.double():
        x0 = _arrays(problem.y0)
        # The closures hold Python numbers and functions; arrays in them become
        # leaves when they are traced.
        equations, inequalities = _shapes(problem, x0)
        eq, ineq = _functions(problem, equations, inequalities)
        lower, upper = _bounds(problem, x0)
        if eq is None and ineq is None and lower is None and upper is None:
            raise Misuse(
                f"{problem.name} has neither constraints nor bounds; state it as "
                "bn.Smooth(lambda y: p.objective(y, p.args), p.y0)"
            )
        args = problem.args
        return Constrained(
            lambda y: problem.objective(y, args),
            x0,
            eq=eq,
            ineq=ineq,
            lower=lower,
            upper=upper,
            reference=x0,
        )


def by_name(name: str) -> Any:
    """The instance that sif2jax calls so."""
    import sif2jax

    for problem in sif2jax.problems:
        if problem.name == name:
            return problem
    raise Misuse(f"sif2jax has no problem {name!r}; see sif2jax.problems")


def equality_constrained(largest: int = 100) -> Iterator[Any]:
    """Instances with equations, no inequality and no bound, up to `largest` unknowns.

    Those with no more equations than unknowns, in the order of sif2jax.
    """
    import sif2jax

    for problem in sif2jax.constrained_minimisation_problems:
        with compat.double():
            lower, upper = _bounds(problem, problem.y0)
            if lower is not None or upper is not None:
                continue
            unknowns = _size(jax.eval_shape(lambda p=problem: p.y0))
            if unknowns > largest:
                continue
            equations, inequalities = _shapes(problem, problem.y0)
            if equations and not inequalities and equations <= unknowns:
                yield problem


def _functions(problem: Any, equations: int, inequalities: int) -> tuple[Any, Any]:
    def eq(y):
        return problem.constraint(y)[0]

    def ineq(y):
        return jax.tree.map(lambda v: -v, problem.constraint(y)[1])

    return eq if equations else None, ineq if inequalities else None


def _shapes(problem: Any, y0: PyTree) -> tuple[int, int]:
    if not hasattr(type(problem), "constraint"):
        return 0, 0
    eq, ineq = jax.eval_shape(problem.constraint, y0)
    return _size(eq), _size(ineq)


def _size(tree: PyTree) -> int:
    return sum(int(np.prod(np.shape(v))) for v in jax.tree.leaves(tree))


def _bounds(problem: Any, y0: PyTree) -> tuple[PyTree, PyTree]:
    stated = getattr(problem, "bounds", None)
    if stated is None:
        return None, None
    out = []
    for bound, far in zip(stated, (-np.inf, np.inf), strict=True):
        bound = _arrays(bound)
        # The classical files write 1e20 where there is none.
        bound = jax.tree.map(lambda v: np.where(np.abs(v) >= 1e20, far, v), bound)
        finite = any(np.isfinite(v).any() for v in jax.tree.leaves(bound))
        out.append(bound if finite else None)
    return out[0], out[1]


def _arrays(value: PyTree) -> PyTree:
    return jax.tree.map(lambda v: np.asarray(v, np.float64), value)

"""A problem's term in the words of a host library: bounds, or l1 and l2 weights."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, PyTree

from banach.bridge import _oracles
from banach.bridge._l1_split import split
from banach.core.method import Refusal
from banach.core.point import Point
from banach.core.problem import Problem
from banach.kinds.composite.problem import Composite
from banach.kinds.constrained.problem import Constrained
from banach.kinds.glm.problem import GLM
from banach.kinds.least_squares.problem import NonlinearLeastSquares
from banach.terms.norms import L1, ElasticNet, SquaredL2, Zero
from banach.terms.sets import Box, LInfBall, Nonnegative
from banach.terms.term import Term

Vector = Float[np.ndarray, " n"]


class Form(NamedTuple):
    """A smooth problem, perhaps with bounds, and the way to its vectors and back."""

    problem: Problem
    bounds: tuple[Vector, Vector] | None
    to: Callable[[Point], Vector]
    back: Callable[[Vector], Point]
    sides: tuple[Vector, Vector] | None = None
    """Least and largest values of the rows of `constraints`, where there are any."""


def form(problem: Problem, peer: str) -> Form | Refusal:
    """The problem as smooth over a box; a Refusal for anything else."""
    lacks = sorted({"grad", "value"} - problem.oracles())
    if lacks:
        return Refusal(
            f"oracle {', '.join(lacks)}",
            f"{peer} minimises, and {problem.kind} has no objective; use a method of "
            f"ours: banach methods --problem {problem.kind.lower()}",
        )
    space = problem.space()

    def flat(point: Point) -> Vector:
        return _oracles.ravel(point.x)

    def back(z: Vector) -> Point:
        return Point(_oracles.unravel(space, z))

    if not problem.essential():
        return Form(problem, None, flat, back)
    if isinstance(problem, Constrained):
        return _constrained(problem, flat, back)
    if not isinstance(problem, Composite | GLM | NonlinearLeastSquares):
        return Refusal(
            f"a form of {problem.kind}",
            f"{peer} knows boxes and l1 terms, not the groups and cones of "
            f"{problem.kind}; use a method of ours: banach methods --problem "
            f"{problem.kind.lower()}",
        )
    term = problem.term
    sides = _sides(term)
    if sides is not None:
        lower, upper = (_oracles.ravel(over(problem, s, w)) for s, w in sides)

        def inside(point: Point) -> Vector:
            return np.clip(flat(point), lower, upper)

        return Form(problem, (lower, upper), inside, back)
    pair = weights(term)
    if pair is None:
        name = type(term).__name__
        return Refusal(
            f"a form of {name}",
            f"{peer} knows boxes and l1 terms, not {name}; use a method that needs one "
            f"of {sorted(problem.essential())}, e.g. proximal_gradient",
        )
    l1, l2 = (over(problem, w, 0.0) for w in pair)
    form_, to, _ = split(problem, l1, l2)
    lower, upper = form_.bounds()
    n, at = problem.size(), np.asarray(form_.at, int)

    def join(z: Vector) -> Point:
        x = np.array(z[:n])
        x[at] -= z[n:]
        return back(x)

    bounds = (lower, upper) if at.size else None
    return Form(form_, bounds, lambda point: _oracles.ravel(to(point).x), join)


def _constrained(problem: Constrained, flat: Any, back: Any) -> Form:
    bounds = None
    if problem.bounded():
        bounds = tuple(_oracles.ravel(v) for v in (problem.lower, problem.upper))
    low = np.zeros(problem.rows())
    low[problem.equations() :] = -np.inf
    sides = (low, np.zeros(problem.rows())) if problem.rows() else None
    return Form(problem, bounds, flat, back, sides)


def over(problem: Problem, field: PyTree, free: float) -> PyTree:
    """A term's field over the whole variable: `free` in the row of an intercept."""
    space = problem.space()
    if isinstance(problem, GLM) and problem.intercept:
        rows = space.shape[0] - 1
        shape = (rows, *space.shape[1:])
        top = np.broadcast_to(np.asarray(field, float), shape)
        return np.concatenate([top, np.full((1, *shape[1:]), free)])
    leaves, structure = jax.tree.flatten(space)
    parts = jax.tree.leaves(field)
    parts = parts * len(leaves) if len(parts) == 1 else parts
    full = [
        np.broadcast_to(np.asarray(p, float), s.shape)
        for p, s in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, full)


def _sides(term: Term) -> Any:
    """((lower, its value where free), (upper, ...)) of a box, else None."""
    if isinstance(term, Box):
        lower, upper = term.lower, term.upper
    elif isinstance(term, Nonnegative):
        lower, upper = 0.0, np.inf
    elif isinstance(term, LInfBall):
        lower, upper = -np.asarray(term.radius), term.radius
    else:
        return None
    return (lower, -np.inf), (upper, np.inf)


def weights(term: Term) -> Any:
    """(l1, l2) of a separable norm, else None."""
    if isinstance(term, L1):
        return term.lam, 0.0
    if isinstance(term, ElasticNet):
        return term.l1, term.l2
    if isinstance(term, SquaredL2):
        return 0.0, term.lam
    return (0.0, 0.0) if isinstance(term, Zero) else None

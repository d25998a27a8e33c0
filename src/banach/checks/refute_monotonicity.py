"""Refuting what was declared about an operator by sampled pairs."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refute_convexity import PAIRS, sampled_pairs
from banach.core import tree
from banach.core.check import Part
from banach.core.facts import DECLARED
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam

FACTS = ("monotone", "mu", "cocoercive", "L")


def sampled(problem: Problem) -> tuple[str, ...]:
    """The facts that pairs can refute: those declared, or inferred from such."""
    facts = problem.facts()
    return tuple(name for name in FACTS if facts.provenance(name) == DECLARED)


def refute(problem: Problem, point: Point, key: Array) -> dict[str, Array]:
    """For each fact a negative number where a sampled pair refutes it, else 0.

    For pairs (a, b) around z at several distances, and for z and the start, with
    d = a - b and f = F(a) - F(b), these are nonnegative:

        monotone    <f, d>                 mu    <f, d> - mu ||d||^2
        cocoercive  <f, d> - beta ||f||^2  L     L ||d|| - ||f||

    The smallest left side, rounding added, is returned where it is negative. Zero
    proves nothing: the declaration stays among the assumptions. Samples where F is
    not finite are ignored; those outside a set are projected to it.
    """
    narrow = tree.dtype(point.x)
    names, constants = sampled(problem), problem.facts()
    problem, point = evaluation.lift(problem, point)
    term = problem.term
    known = term is not None and "project" in term.offers()
    project = term.project if known else None
    a, b, back = sampled_pairs(problem, point, key, project)
    dtype, size = a.dtype, a.shape[1]

    def judged(v):
        F = evaluation.judge(problem.operator, back(v))
        return tree.ravel(F.value)[0], tree.ravel(F.error)[0]

    # One after the other: a batched program takes far longer to compile.
    values, errors = jax.lax.map(judged, jnp.concatenate([a, b]))
    (Fa, Fb), (ea, eb) = jnp.split(values, 2), jnp.split(errors, 2)
    d, f, error = a - b, Fa - Fb, jnp.linalg.norm(ea + eb, axis=-1)
    nd, nf = jnp.linalg.norm(d, axis=-1), jnp.linalg.norm(f, axis=-1) + error
    low = jnp.maximum(nf - 2 * error, 0)
    inner = jnp.sum(f * d, axis=-1)
    # Data and constants were rounded to the dtype of the problem when stated.
    loose = 1e-9 + 8 * size * float(jnp.finfo(narrow).eps)
    slack = 2 * error * nd + (2 * gam(size + 8, dtype) + loose) * nf * nd

    def constant(name):
        return jnp.asarray(constants.get(name), dtype)

    sides = {
        "monotone": lambda: inner + slack,
        "mu": lambda: inner + slack - (1 - loose) * constant("mu") * nd**2,
        "cocoercive": lambda: (
            inner + slack - (1 - loose) * constant("cocoercive") * low**2
        ),
        "L": lambda: (1 + loose) * constant("L") * nd - low,
    }
    found = {}
    for name in names:
        side = sides[name]()
        side = jnp.where(jnp.isfinite(side) & (nd > 0), side, 0)
        found[name] = jnp.minimum(jnp.min(side), 0)
    return found


def pair_parts(problem: Problem, point: Point, key: Array, passes) -> tuple[Part, ...]:
    """A part for each declared fact, negative where a sampled pair refutes it."""
    zero = jnp.zeros((), evaluation.judged_dtype(problem))
    names = sampled(problem)
    if not names:
        return ()
    found = evaluation.screened(
        passes,
        lambda: dict.fromkeys(names, zero),
        lambda: refute(problem, point, key),
    )
    return tuple(
        Part(f"{name} at sampled pairs", found[name], zero, zero + 1) for name in names
    )


def pair_calls(problem: Problem) -> dict[str, int]:
    """Oracle calls of `pair_parts`."""
    return {"operator": 2 * PAIRS} if sampled(problem) else {}

"""Refuting a declared convexity by midpoints."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.checks import evaluation
from banach.core import tree
from banach.core.check import Part
from banach.core.facts import DECLARED
from banach.core.point import Point
from banach.core.problem import Problem

RADII = (1e-3, 1e-2, 1e-1, 1.0, 3.0, 10.0)
PAIRS = len(RADII) + 1
NAME = "convexity at sampled midpoints"


def refute_convexity(problem: Problem, point: Point, key: Array) -> Array:
    """A negative number where sampled midpoints refute convexity, else 0.

    For pairs (a, b) around x at several distances, and for the pair of x and the
    start, convexity of f with constant mu says

        (f(a) + f(b)) / 2 - f((a + b) / 2) - mu/8 ||a - b||^2 >= 0.

    The smallest left side, rounding added, is returned where it is negative. Zero
    proves nothing: the declaration stays among the assumptions. Samples outside the
    domain (NaN, infinity) are ignored; those outside a set are projected to it.
    """
    problem, point = evaluation.lift(problem, point)
    project = problem.project if "project" in problem.oracles() else None
    a, b, back = sampled_pairs(problem, point, key, project)
    dtype, m = a.dtype, (a + b) / 2
    values = evaluation.judge(
        lambda v: jax.vmap(lambda p: problem.value(back(p)))(v),
        jnp.concatenate([a, b, m]),
    )
    fa, fb, fm = jnp.split(values.value, 3)
    ea, eb, em = jnp.split(values.error, 3)
    slope = jax.vmap(lambda p: tree.max_abs(problem.grad(back(p))))(m)
    # The midpoint itself is rounded: half an ulp in each coordinate.
    moved = slope * jnp.sum(jnp.abs(m), -1) * jnp.finfo(dtype).eps
    strong = 0.0
    if problem.facts().has("strongly_convex") and problem.facts().mu is not None:
        mu = jnp.asarray(problem.facts().mu, dtype)
        strong = mu / 8 * jnp.sum((a - b) ** 2, -1) * (1 - 1e-9)
    deficit = (fa + fb) / 2 - fm - strong
    slack = 2 * ((ea + eb) / 2 + em + moved)
    slack = slack + 4 * jnp.finfo(dtype).eps * (abs(fa) + abs(fb) + abs(fm) + strong)
    over = jnp.where(jnp.isfinite(deficit + slack), deficit + slack, 0)
    return jnp.minimum(jnp.min(over), 0)


def sampled_pairs(
    problem: Problem, point: Point, key: Array, project: Any
) -> tuple[Float[Array, "pairs n"], Float[Array, "pairs n"], Callable]:
    """Ends a and b of the pairs, as rows, and what unravels a row.

    Around x at several distances, then x and the start; projected where there is a
    projection.
    """
    flat, back = tree.ravel(point.x)
    start, _ = tree.ravel(problem.start().x)
    dtype = flat.dtype
    unit = jnp.maximum(jnp.linalg.norm(flat - start), 1e-3 * (1 + jnp.max(abs(flat))))
    noise = jax.random.normal(key, (2, len(RADII), flat.size), dtype)
    noise = noise / jnp.linalg.norm(noise, axis=-1, keepdims=True)
    ends = flat + unit * jnp.asarray(RADII, dtype)[:, None] * noise
    a = jnp.concatenate([ends[0], flat[None]])
    b = jnp.concatenate([ends[1], start[None].astype(dtype)])
    if project is not None:
        inside = jax.vmap(lambda v: tree.ravel(project(back(v)))[0])
        a, b = inside(a), inside(b)
    return a, b, back


def midpoint_part(
    problem: Problem, point: Point, key: Array, passes: PyTree
) -> tuple[Part, ...]:
    """The part that refutes a declared convexity; empty where it is constructed."""
    if problem.facts().provenance("convex") != DECLARED:
        return ()
    zero = jnp.zeros((), evaluation.judged_dtype(problem))
    found = evaluation.screened(
        passes, lambda: zero, lambda: refute_convexity(problem, point, key)
    )
    return (Part(NAME, found, zero, zero + 1),)


def midpoint_calls(problem: Problem) -> dict[str, int]:
    """Oracle calls of `midpoint_part`."""
    if problem.facts().provenance("convex") != DECLARED:
        return {}
    calls = {"value": 3 * PAIRS, "grad": PAIRS}
    if "project" in problem.oracles():
        calls["project"] = 2 * PAIRS
    return calls

"""What bilevel methods share: lower solves, adjoint solves, curvature at the start.

A `problem` here offers lower_grad, lower_hvp, upper_grad and cross at z = (x, y).
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.parts.cg import cg

Scalar = Float[Array, ""]
DENSE_BELOW = 800


class LowerSolve(eqx.Module):
    """y with ||grad_y g(x, y)|| = `norm`, `first` at the begin; calls of lower_grad
    and of lower_hvp.
    """

    y: PyTree
    g: PyTree
    norm: Scalar
    first: Scalar
    grads: Int[Array, ""]
    products: Int[Array, ""]


class _Newton(eqx.Module):
    y: PyTree
    g: PyTree
    norm: Scalar
    length: Scalar
    grads: Int[Array, ""]
    products: Int[Array, ""]
    stopped: Bool[Array, ""]


def solve_lower(
    problem: Any, x: PyTree, y: PyTree, tol: Any, max_steps: Any = 50
) -> LowerSolve:
    """Minimise g(x, .) until ||grad_y g|| <= tol by damped inexact Newton.

    A trial step t d, (G_yy) d = -g to a tenth, is taken where it makes the gradient
    shorter, ||g+|| <= (1 - t/10) ||g||, and halved where it does not: one gradient a
    trial, no values. `max_steps` bounds the trials.
    """
    dtype = tree.dtype(y)

    def direction(y, g):
        out = cg(
            lambda v: problem.lower_hvp((x, y), v), tree.neg(g), tol=0.1, max_steps=100
        )
        return out.x, out.calls

    def active(pair):
        s, _ = pair
        return (s.norm > tol) & ~s.stopped & (s.grads <= max_steps)

    def body(pair):
        s, d = pair
        y = tree.axpy(s.length, d, s.y)
        g = problem.lower_grad((x, y))
        norm = tree.norm(g)
        good = norm <= (1 - s.length / 10) * s.norm
        y, g = tree.where(good, y, s.y), tree.where(good, g, s.g)
        norm = jnp.where(good, norm, s.norm)
        again = good & (norm > tol)
        d, used = jax.lax.cond(
            again,
            lambda: direction(y, g),
            lambda: (d, jnp.zeros((), jnp.int32)),
        )
        length = jnp.where(good, 1, s.length / 2).astype(dtype)
        state = _Newton(
            y, g, norm, length, s.grads + 1, s.products + used, length < 1e-8
        )
        return state, d

    g = problem.lower_grad((x, y))
    one = jnp.ones((), jnp.int32)
    norm = tree.norm(g)
    zero = (tree.zeros_like(g), 0 * one)
    d, used = jax.lax.cond(norm > tol, lambda: direction(y, g), lambda: zero)
    first = _Newton(
        y, g, norm, jnp.ones((), dtype), one, used, ~jnp.isfinite(norm)
    )  # fmt: skip
    last, _ = jax.lax.while_loop(active, body, (first, d))
    return LowerSolve(last.y, last.g, last.norm, norm, last.grads, last.products)


def adjoint(
    problem: Any, z: PyTree, fy: PyTree, v: PyTree, tol: Any, max_steps: Any = 500
) -> Any:
    """v with ||G_yy v - F_y|| <= tol by conjugate gradients from v: a `CGResult`."""
    size = tree.norm(fy)
    relative = tol / jnp.where(size > 0, size, 1)
    return cg(
        lambda w: problem.lower_hvp(z, w), fy, v, tol=relative, max_steps=max_steps
    )


def exact_adjoint(problem: Any, z: PyTree, fy: PyTree) -> PyTree:
    """G_yy^-1 F_y, differentiable: dense a block up to 800 unknowns, else by CG."""
    m = problem.counts()[0]
    rows = jax.vmap(lambda v: tree.ravel(v)[0])
    lower = problem.in_blocks(z[1])
    flat, back = rows(lower), tree.ravel(_one(lower))[1]
    rhs = rows(problem.in_blocks(fy))

    def gradient(w):
        y = problem.unstack(jax.vmap(back)(w))
        return rows(problem.in_blocks(problem.lower_grad((z[0], y))))

    n = flat.shape[1]
    if n <= DENSE_BELOW:
        # The blocks do not touch: one direction serves all of them at once.
        def column(e):
            return jax.jvp(gradient, (flat,), (jnp.broadcast_to(e, (m, n)),))[1]

        H = jnp.moveaxis(jax.vmap(column)(jnp.eye(n, dtype=flat.dtype)), 0, -1)
        v = jnp.linalg.solve(H, rhs[..., None])[..., 0]
    else:
        matvec = lambda w: jax.jvp(gradient, (flat,), (w,))[1]  # noqa: E731
        v = jax.scipy.sparse.linalg.cg(matvec, rhs, tol=1e-13, maxiter=2000)[0]
    return problem.unstack(jax.vmap(back)(v))


@jax.jit
def lower_curvature(problem: Any) -> Scalar:
    """The largest curvature of g in y at the start, by 30 power iterations.

    A lower bound of it there, and says nothing of other points.
    """
    z = problem.start().x
    z = jax.tree.map(jnp.asarray, z)
    keys = jax.random.split(jax.random.key(0), len(jax.tree.leaves(z[1])))
    leaves, structure = jax.tree.flatten(z[1])
    v = [
        jax.random.normal(k, w.shape, w.dtype)
        for k, w in zip(keys, leaves, strict=True)
    ]
    v = jax.tree.unflatten(structure, v)

    def again(_, pair):
        v, _ = pair
        size = tree.norm(v)
        v = tree.scale(1 / jnp.where(size > 0, size, 1), v)
        w = problem.lower_hvp(z, v)
        return w, tree.norm(w)

    zero = jnp.zeros((), tree.dtype(z[1]))
    top = jax.lax.fori_loop(0, 30, again, (v, zero))[1]
    return jnp.where(top > 0, top, 1)


@jax.jit
def upper_curvature(problem: Any) -> Scalar:
    """The curvature of Phi along its own gradient p at the start, at least
    ||p|| / sqrt(n): a step 1 / that moves no entry of x by more than 1 on average.

    From two hypergradients 1e-3 apart; it says nothing of other points.
    """
    x, y = jax.tree.map(jnp.asarray, problem.start().x)
    small = jnp.asarray(1e-8, tree.dtype(y)) + jnp.finfo(tree.dtype(y)).eps ** 0.75

    def gradient(x):
        low = solve_lower(problem, x, y, small)
        fx, fy = problem.upper_grad((x, low.y))
        out = adjoint(problem, (x, low.y), fy, tree.zeros_like(y), small)
        return tree.sub(fx, problem.cross((x, low.y), out.x))

    p = gradient(x)
    size = tree.norm(p)
    h = 1e-3 / jnp.where(size > 0, size, 1)
    bent = tree.norm(tree.sub(gradient(tree.axpy(-h, p, x)), p)) / 1e-3
    steep = jnp.maximum(bent, size / tree.size(x) ** 0.5)
    return jnp.where(steep > 0, steep, 1)


def _one(y: PyTree) -> PyTree:
    return jax.tree.map(lambda v: v[0], y)

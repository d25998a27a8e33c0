"""A prior that was learned: the function whose prox is the gradient of a convex net."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.problem import Misuse
from banach.core.validated_fields import hyper, keep
from banach.terms.term import Scalar, Term, arrays, concrete, rebuild, single

Vector = Float[Array, " d"]
_STEPS, _HALVINGS = 100, 40


def _hidden(x: Any) -> Any:
    """Nonnegative arrays; none where there is one layer."""
    none = isinstance(x, tuple | list) and not len(x)
    return () if none else keep(x, "LearnedProx hidden", "nonnegative")


class LearnedProx(Term):
    """R with prox(v, 1) = f(v), f = grad psi of an input-convex softplus network.

    h_1 = s(W_1 u + b_1),  h_l = s(V_l h_{l-1} + W_l u + b_l),  u = y / unit
    psi(y) = unit^2 (o.h_L + c.u) + strong/2 ||y||^2,  s(z) = log(1 + e^(beta z)) / beta

    With V, o >= 0 psi is convex, and a gradient of a convex function is the prox of
    some R, whatever the weights are: R + 1/2 ||.||^2 = psi* is convex, R alone need
    not be. It is evaluated by inverting f, a convex problem,

        R(x) = <x, y> - psi(y) - 1/2 ||x||^2 where f(y) = x,
        prox(v, t) = f(y) where t y + (1 - t) f(y) = v, for t in (0, 1],

    both by damped Newton steps; NaN for t > 1, which may have many minimisers, and
    where Newton fails. At t = 1 the prox is one pass of the network. On one vector of d
    entries. `bn.learned_prox(samples, noise)` trains one: R is then near -noise^2 log
    of the samples' density, up to a constant.

    Args:
        inputs: W_1 .. W_L, (units, d) each.
        shifts: b_1 .. b_L, (units,).
        hidden: V_2 .. V_L, (units, units), nonnegative.
        out: o, (units,), nonnegative.
        slope: c, (d,).
        strong: > 0.
        beta: > 0, how sharp the softplus is.
        unit: > 0, of y.

    Source: Fang, Buchanan and Sulam, "What's in a Prior? Learned Proximal Networks for
    Inverse Problems", ICLR (2024), theorem 3.1 and section 3; t < 1 is ours.

    Example:
        >>> R = bn.LearnedProx(
        ...     (np.eye(2),), (np.zeros(2),), (), np.ones(2), np.zeros(2), 0.1
        ... )
        >>> x = R.prox(np.array([1.0, -2.0]), 1.0)
        >>> bool(R.value(x) + 0.5 * jnp.sum((x - np.array([1.0, -2.0])) ** 2) < 10)
        True
    """

    oracles = frozenset({"prox"})
    convex: ClassVar[bool] = False

    inputs: Any = hyper("LearnedProx inputs")
    shifts: Any = hyper("LearnedProx shifts")
    hidden: Any = eqx.field(converter=_hidden)
    out: Any = hyper("LearnedProx out", "nonnegative")
    slope: Any = hyper("LearnedProx slope")
    strong: Any = hyper("LearnedProx strong", "positive", scalar=True)
    beta: Any = hyper("LearnedProx beta", "positive", scalar=True, default=10.0)
    unit: Any = hyper("LearnedProx unit", "positive", scalar=True, default=1.0)

    def psi(self, y: Vector) -> Scalar:
        """The convex potential."""

        def bend(z: Array) -> Array:
            return jax.nn.softplus(self.beta * z) / self.beta

        u = y / self.unit
        h = bend(_apply(self.inputs[0], u) + self.shifts[0])
        for W, b, V in zip(self.inputs[1:], self.shifts[1:], self.hidden, strict=True):
            h = bend(_apply(V, h) + _apply(W, u) + b)
        net = tree.vdot(self.out, h) + tree.vdot(self.slope, u)
        return self.unit**2 * net + self.strong / 2 * tree.vdot(y, y)

    def denoise(self, v: Vector) -> Vector:
        """f(v), the prox at t = 1."""
        return jax.grad(self.psi)(v)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The minimiser for t in (0, 1]; NaN beyond."""
        term, at = self._like(v)
        return rebuild(v, _prox(term, at, jnp.asarray(t, at.dtype)))

    def value(self, x: PyTree) -> Scalar:
        """R(x), which may be negative: the constant of a density is not known."""
        return _value(*self._like(x))

    def center(self, like: PyTree) -> PyTree:
        """The origin."""
        return tree.zeros_like(arrays(like))

    def rho(self) -> Any:
        """1: R + 1/2 ||.||^2 is convex."""
        return np.ones(())

    def __check_init__(self):
        if not concrete(self.inputs, self.shifts, self.hidden, self.out, self.slope):
            return
        shapes = [np.shape(W) for W in self.inputs]
        d, units = np.shape(self.slope)[-1:], np.shape(self.out)
        want = [(*units, *d)] * len(shapes)
        fits = shapes == want and [*map(np.shape, self.shifts)] == [units] * len(shapes)
        square = [units * 2] * (len(shapes) - 1)
        if not (fits and shapes and [*map(np.shape, self.hidden)] == square):
            raise Misuse(
                f"LearnedProx inputs have the shapes {shapes}, out {units} and slope "
                f"{d}; give (units, d) arrays, shifts (units,), hidden (units, units) "
                "for all layers but the first"
            )

    def _like(self, x: PyTree) -> tuple["LearnedProx", Vector]:
        """The term in the dtype of x, and x as a vector."""
        at = single(self, x, 1)
        return jax.tree.map(lambda v: jnp.asarray(v, at.dtype), self), at


# Jitted, so that a call outside of a run does not compile its loops anew.
@jax.jit
def _prox(term: LearnedProx, v: Vector, t: Scalar) -> Vector:
    y = _solved(lambda y: t * y + (1 - t) * term.denoise(y) - v, v)
    return jnp.where(t <= 1, term.denoise(y), jnp.nan)


@jax.jit
def _value(term: LearnedProx, x: Vector) -> Scalar:
    y = _solved(lambda y: term.denoise(y) - x, x)
    # At the maximiser of <x, y> - psi(y), which an error of y moves squared.
    y = jax.lax.stop_gradient(y)
    return tree.vdot(x, y) - term.psi(y) - tree.vdot(x, x) / 2


def _apply(W: Array, x: Array) -> Array:
    return jnp.matmul(W, x, precision=tree.PRECISION)


def _solved(off: Callable[[Vector], Vector], start: Vector) -> Vector:
    """A root of a gradient with positive definite Jacobian, by damped Newton steps.

    NaN where it is not found. The root's derivative is that of one more Newton step.
    """
    eps = jnp.finfo(start.dtype).eps
    start = jax.lax.stop_gradient(start)
    small = 16 * eps * (1 + tree.norm(start))

    def halve(s: tuple[Any, ...]) -> tuple[Any, ...]:
        y, r, step, size, k = s
        return y, r, step, size / 2, k + 1

    def worse(s: tuple[Any, ...]) -> Array:
        y, r, step, size, k = s
        ahead = tree.norm(off(y + size * step))
        return ~(ahead <= (1 - size / 4) * tree.norm(r)) & (k < _HALVINGS)

    def newton(s: tuple[Any, ...]) -> tuple[Any, ...]:
        y, r, _, k = s
        step = -jnp.linalg.solve(jax.jacfwd(off)(y), r)
        *_, size, tried = jax.lax.while_loop(
            worse, halve, (y, r, step, jnp.ones_like(small), 0)
        )
        y = jnp.where(tried < _HALVINGS, y + size * step, y)
        return y, off(y), tried < _HALVINGS, k + 1

    def going(s: tuple[Any, ...]) -> Array:
        _, r, moved, k = s
        return (tree.norm(r) > small) & moved & (k < _STEPS)

    first = (start, off(start), jnp.asarray(True), 0)
    y, r, _, _ = jax.lax.while_loop(going, newton, first)
    y = jax.lax.stop_gradient(y)
    near = tree.norm(r) <= jnp.sqrt(eps) * (1 + tree.norm(start))
    J = jax.lax.stop_gradient(jax.jacfwd(off)(y))
    return jnp.where(near, y - jnp.linalg.solve(J, off(y)), jnp.nan)

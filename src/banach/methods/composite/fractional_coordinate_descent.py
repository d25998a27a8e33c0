"""Coordinate descent on a ratio, each coordinate globally (FCD and PCD)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core.card import method
from banach.core.hyperparameters import Real, flag, real
from banach.core.method import Method


class FractionalCoordinateDescentState(eqx.Module):
    """Iterate, sweeps taken, coordinates moved; `stuck`: the last sweep moved none."""

    x: Float[Array, " n"]
    t: Int[Array, ""]
    coordinates: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Fractional",
    needs={"residual", "coordinate"},
    paper="yuan2023coordinate",
)
class FractionalCoordinateDescent(Method):
    """Sweeps over coordinates of F = (f + h) / g, each moved to a global minimum.

    FCD: min over s of [f(x) + f_i s + (L_i + th) s^2 / 2 + h(x + s e_i)] / g(x + s e_i)
    PCD: min over s of  f(x) + f_i s + (L_i + th) s^2 / 2 + h(x + s e_i) - F(x) g(..)

    with f_i the partial derivative and L_i its constant; then x_i+ = x_i + s. `ratio`
    takes FCD, else PCD; the minimum, over pieces with closed forms, is the problem's.
    Coordinates come in order (the paper also draws them), and th is `theta` L_i (ours,
    free of units). F falls by th s^2 / (2 g) at least, and limit points are
    coordinate-wise stationary; a global minimum is not promised.

    The formulas are known from a summary, the closed forms were derived. Fails slowly
    where columns are nearly parallel: two coordinates would have to move at once.
    """

    theta: Real = real(1e-6, low="nonnegative")
    ratio: bool = flag(True, static=True)

    @property
    def typical(self):
        return {"residual": 1, "coordinate": 10}

    @classmethod
    def suggest(cls, problem, facts):
        return cls()

    def init(self, problem, start, key):
        none = jnp.zeros((), jnp.int32)
        x = jnp.asarray(start.x)
        return FractionalCoordinateDescentState(x, none, none, jnp.asarray(False))

    def step(self, problem, state, key):
        theta = jnp.asarray(self.theta, state.x.dtype)

        def move(i, pair):
            return problem.coordinate(*pair, i, theta, self.ratio)

        n = state.x.size
        pair = state.x, problem.residual(state.x)
        x, _ = jax.lax.fori_loop(0, n, move, pair)
        still = jnp.all(x == state.x)
        return FractionalCoordinateDescentState(
            x, state.t + 1, state.coordinates + n, still
        )

    def calls(self, state):
        return {"residual": state.t, "coordinate": state.coordinates}

"""Learning-rate schedules: linear decay, and refined from observed gradient norms.

For the last iterate of x+ = x - eta_t g_t on a convex f, weights w_1 .. w_T > 0 and
eta_t = w_t (w_{t+1} + ... + w_T) / (w_1 + ... + w_T),

    E f(x_T) - f* <= D^2 / (2 sum w) + sum w_t^2 ||g_t||^2 / (2 sum w),

D = ||x_1 - x*|| (Defazio, Cutkosky, Mehta and Mishchenko 2023, theorem 1 as stated in
their introduction; the proof was not read). The right side is least for
w_t proportional to ||g_t||^-2; norms that are all alike give linear decay.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import compat, validation
from banach.core.annotations import Real
from banach.core.door import door
from banach.core.problem import Misuse

WIDTH = 0.2
"""Share of the run over which the median of the norms is taken, as in the paper."""


def smoothed(norms: Any, width: float = WIDTH) -> Any:
    """Running median over an odd window of about `width` T, reflected at the ends."""
    width = float(validation.number(width, "width", low="nonnegative"))
    xp, T = _xp(norms), norms.shape[0]
    reach = min(round(width * T) // 2, T - 1)
    at = np.abs(np.arange(-reach, T + reach))
    at = np.where(at > T - 1, 2 * (T - 1) - at, at)
    windows = at[np.arange(T)[:, None] + np.arange(2 * reach + 1)]
    return xp.median(norms[windows], axis=1)


def weights_of(norms: Any, order: int = 2, width: float = WIDTH) -> Any:
    """w_t = G_t^-2 of the smoothed norms (order 2), or G_t^-1 of l1 norms (order 1)."""
    if validation.integer(order, "order") not in (1, 2):
        raise Misuse(
            f"order is 2 for steps along the gradient (2-norms) or 1 for Adam and its "
            f"relatives (l1 norms), got {order!r}"
        )
    xp = _xp(norms)
    G = smoothed(norms, width)
    # Only ratios matter; a norm of 0 gets the weight of the smallest that divides.
    G = G / xp.max(G)
    G = xp.maximum(G, xp.asarray(np.sqrt(np.finfo(G.dtype).eps), G.dtype))
    return 1 / G**order


@door
def refine_schedule(
    norms: Float[Array, " T"] | np.ndarray, *, order: int = 2, width: float = WIDTH
) -> Float[Array, " T"]:
    """Multipliers in [0, 1] for a run like the one whose gradient norms are given.

    eta_t = w_t (w_{t+1} + ... + w_T), divided by its maximum; the last is 0. `norms`
    are those of T >= 2 consecutive steps under any schedule: ||g_t||_2 with order 2,
    ||g_t||_1 with order 1 for coordinatewise methods such as Adam. NumPy in, NumPy
    out. Norms that grow early give a warm-up, norms that fall a late rapid decay.

    Raises Misuse for fewer than two norms, or any that is negative or not finite.

    Args:
        norms: (T,), of consecutive gradients, at least 0.
        order: 2 or 1, that of the norms.
        width: of the median filter that smooths them, as a share of T.

    Source: Defazio, Cutkosky, Mehta and Mishchenko, When, why and how much? Adaptive
    learning rate scheduling by refinement (2023).

    Example:
        >>> np.asarray(bn.refine_schedule(np.ones(5))).round(3)
        array([1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    norms = validation.array(norms, "gradient norms", low="nonnegative", ndim=1)
    if norms.shape[0] < 2:
        raise Misuse(
            f"norms must hold one number a step of at least two steps, got shape "
            f"{norms.shape}"
        )
    if not compat.is_tracer(norms) and not np.any(np.asarray(norms)):
        raise Misuse("gradient norms are all 0: there is nothing to refine")
    xp, w = _xp(norms), weights_of(norms, order, width)
    tail = xp.cumsum(w[::-1])[::-1] - w
    # The running sum leaves rounding where nothing is left to add.
    tail = xp.where(xp.arange(w.shape[0]) == w.shape[0] - 1, 0, tail)
    eta = w * tail
    return (eta / xp.max(eta)).astype(norms.dtype)


@door
def linear_decay(peak: Real, steps: int) -> Callable[[Any], Any]:
    """The worst-case optimal schedule peak (1 - t / T), t = 0, 1, ...; for optax.

    Against optax: linear_schedule(peak, 0.0, steps).

    Args:
        peak: the first step, > 0.
        steps: T, at least 1.

    Source: Defazio, Cutkosky, Mehta and Mishchenko, When, why and how much? Adaptive
    learning rate scheduling by refinement (2023).

    Example:
        >>> rate = bn.linear_decay(0.1, 4)
        >>> [round(float(rate(t)), 3) for t in range(5)]
        [0.1, 0.075, 0.05, 0.025, 0.0]
    """
    validation.number(peak, "peak")  # kept as given: a Python number takes any dtype
    steps = validation.integer(steps, "steps", low=1)
    return lambda count: peak * (1 - jnp.minimum(count, steps) / steps)


@door
def refined_schedule(
    norms: Float[Array, " T"] | np.ndarray,
    peak: Real,
    *,
    order: int = 2,
    width: float = WIDTH,
) -> Callable[[Any], Any]:
    """peak times the refined multipliers as an optax schedule; 0 after T steps.

    `optax.sgd(refined_schedule(norms, 0.1))`; order=1 and l1 norms for optax.adam.

    Args:
        norms: (T,), of consecutive gradients, at least 0.
        peak: the largest step, > 0.
        order: 2 or 1, that of the norms.
        width: of the median filter that smooths them, as a share of T.

    Raises:
        Misuse: fewer than two norms, or any that is negative or not finite.

    Source: Defazio, Cutkosky, Mehta and Mishchenko, When, why and how much? Adaptive
    learning rate scheduling by refinement (2023).

    Example:
        >>> rate = bn.refined_schedule(np.ones(5), 0.1)
        >>> [round(float(rate(t)), 3) for t in range(6)]
        [0.1, 0.075, 0.05, 0.025, 0.0, 0.0]
    """
    validation.number(peak, "peak")
    eta = refine_schedule(norms, order=order, width=width)
    last = eta.shape[0] - 1
    return lambda count: peak * jnp.asarray(eta)[jnp.minimum(count, last)]


@door
def last_iterate_bound(
    norms: Float[Array, " T"] | np.ndarray,
    distance: Real,
    weights: Float[Array, " T"] | np.ndarray,
) -> Any:
    """D^2 / (2 sum w) + sum w_t^2 ||g_t||^2 / (2 sum w), in units of f.

    It bounds E f(x_T) - f* for convex f where the steps were `steps_of(weights)`.

    Args:
        norms: (T,), of the gradients.
        distance: D, a bound of ||x_1 - x*||.
        weights: (T,), w.

    Source: Defazio, Cutkosky, Mehta and Mishchenko, When, why and how much? Adaptive
    learning rate scheduling by refinement (2023).

    Example:
        >>> bn.last_iterate_bound(np.ones(4), 1.0, np.ones(4) / 2)
        np.float64(0.5)
    """
    norms = validation.array(norms, "gradient norms", low="nonnegative", ndim=1)
    weights = validation.array(weights, "weights", low="positive", ndim=1)
    distance = validation.number(distance, "distance", low="nonnegative")
    if norms.shape != weights.shape:
        raise Misuse(
            f"last_iterate_bound needs one weight for each norm, got shapes "
            f"{norms.shape} and {weights.shape}"
        )
    total = 2 * weights.sum()
    return distance**2 / total + (weights**2 * norms**2).sum() / total


def steps_of(weights: Float[Array, " T"]) -> Float[Array, " T"]:
    """eta_t = w_t (w_{t+1} + ... + w_T) / (w_1 + ... + w_T), not normalised."""
    xp = _xp(weights)
    total = xp.cumsum(weights[::-1])[::-1]
    return weights * (total - weights) / total[0]


def _xp(value: Any) -> Any:
    return jnp if isinstance(value, jax.Array) else np

"""The base of every loss of a generalised linear model."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.core.door import Made
from banach.core.rounding import gam, least
from banach.kinds.glm import inputs as glm_inputs

# Roundings charged to one exp, log or quotient together with what surrounds it.
ROUNDINGS = 32


class Loss(eqx.Module, metaclass=Made):
    """A convex loss of z = <a, x> + b and a label, entry by entry.

    `curvature_bound` is sup l'' (None: unbounded). `self_concordance` is the least c
    with |l'''| <= c l'' (quasi-self-concordance, Bach 2010), None where there is none.
    """

    curvature_bound: ClassVar[float | None]
    self_concordance: ClassVar[float | None] = None
    text: ClassVar[str]
    discrete: ClassVar[bool] = False  # labels are codes, not measurements
    # z and y carry a unit of their own, and so do the numbers in it: values are
    # rounded relative to themselves, however small.
    homogeneous: ClassVar[bool] = False
    # The model whose likelihood this is, in words; None: it is that of none.
    likelihood: ClassVar[str | None] = None
    # Whether that has a variance which the data have to tell.
    dispersed: ClassVar[bool] = False
    # Why coefficients have no standard errors, and what to do; "" where they have.
    no_errors: ClassVar[str] = ""

    def labels(self, y: Any, dtype: Any) -> Any:
        """Concrete labels checked and stored in the model's own coding."""
        return glm_inputs.numbers(y, dtype)

    def check_intercept(self, y: Any, w: Any) -> None:
        """Misuse where a free intercept would have no minimiser."""
        return None

    def mean(self, z: np.ndarray) -> np.ndarray:
        """What is expected where the linear part is z (NumPy)."""
        return z

    def chances(self, z: np.ndarray) -> np.ndarray | None:
        """The probability of each class, a column each; None: no such model."""
        return None

    def codes(self) -> tuple:
        """The codes of the classes in order; () where labels are measurements."""
        return (-1, 1) if self.discrete else ()

    @abc.abstractmethod
    def value(self, z: Array, y: Array) -> Array:
        """l(z, y)."""

    @abc.abstractmethod
    def derivative(self, z: Array, y: Array) -> Array:
        """dl/dz."""

    @abc.abstractmethod
    def curvature(self, z: Array, y: Array) -> Array:
        """d2l/dz2 (for Huber and the squared hinge: an element of its hull)."""

    def exact_zero(self, z: Array, y: Array) -> Array:
        """Whether l(z, y) is 0, and has not only vanished."""
        return self.derivative(z, y) == 0

    def curve(self, z: Array, y: Array, v: Array) -> Array:
        """The second derivative applied to v."""
        return self.curvature(z, y) * v

    def steepest(self, z: Array, e: Array) -> Array:
        """The largest l'' within e of z."""
        return jnp.full_like(z, self.curvature_bound)

    def repair(self, th: Array, y: Array) -> Array:
        """The nearest th in the domain of l*(-th)."""
        return th

    def dual_error(self, th: Array, y: Array) -> Array:
        """Distance, entry by entry, from th to the exact dual point that it names."""
        return jnp.zeros_like(th)

    def balance(self, th: Array, w: Array) -> Array:
        """A feasible th near the given one with sum w th = 0, up to rounding.

        The heavier sign is scaled down: the domain of each th_i holds 0.
        """
        up = jnp.vdot(w, jnp.maximum(th, 0))
        down = jnp.vdot(w, jnp.maximum(-th, 0))
        least = jnp.minimum(up, down)

        def factor(side):
            return jnp.where(side > 0, least / jnp.where(side > 0, side, 1), 1)

        return th * jnp.where(th > 0, factor(up), factor(down))

    @abc.abstractmethod
    def fenchel_young(
        self, z: Array, th: Array, y: Array, e: Array
    ) -> tuple[Array, Array]:
        """The bracket of each sample and its slack, where z is off by at most e.

        The slack also covers a change of th by the smallest normal number.
        """

    def _moved(self, z: Array, slope: Array, e: Array) -> Array:
        # The bracket has derivative l'(z) + th and curvature l'' in z. Either may
        # have vanished beside a large e.
        tiny = least(z.dtype)
        steep = self.steepest(z, e) + tiny
        return (jnp.abs(slope) + tiny) * e + steep * jnp.square(e) / 2


def unit(z: Array) -> float:
    """The rounding unit of the dtype of z."""
    return gam(1, z.dtype)


def spill(z: Array) -> Array:
    """What flushed subnormals may cost one bracket, in its value and in its th."""
    # They stand beside logarithms of at most 1500, and beside z.
    return least(z.dtype) * (1e4 + 4 * jnp.abs(z))

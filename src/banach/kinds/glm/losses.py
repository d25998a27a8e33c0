"""Losses of generalised linear models and their Fenchel-Young brackets.

A loss l(z, y) is convex in z and at least 0. Its dual variable is th = -l'(z), and

    l(z) + l*(-th) + th z >= 0,  zero exactly where th = -l'(z),

is written here as squares and relative entropies, never as a difference of large
numbers (CERTIFICATES 3.2). Every domain of l*(-th) is convex and holds th = 0, so a
factor in [0, 1] keeps a dual point feasible.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core.rounding import least
from banach.core.validated_fields import count, hyper
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm.entropy import relative_entropy
from banach.kinds.glm.loss import ROUNDINGS, Loss, spill, unit
from banach.kinds.glm.softplus import softplus


class SquaredLoss(Loss):
    """l = (z - y)^2 / 2.

    Source: Legendre (1805); the definition.

    Example:
        >>> bn.SquaredLoss().value(jnp.array([0.0, 2.0]), jnp.ones(2))
        Array([0.5, 0.5], dtype=float32)
    """

    curvature_bound: ClassVar[float] = 1.0
    self_concordance: ClassVar[float] = 0.0
    text: ClassVar[str] = "1/2 (z_i - y_i)^2"
    likelihood: ClassVar[str] = "errors of mean 0 and one variance"
    dispersed: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True

    def value(self, z, y):
        """r^2 / 2 with r = z - y."""
        return jnp.square(z - y) / 2

    def derivative(self, z, y):
        """The residual z - y."""
        return z - y

    def curvature(self, z, y):
        """One."""
        return jnp.ones_like(z)

    def balance(self, th, w):
        """th minus its weighted mean: every th is feasible."""
        return th - jnp.vdot(w, th) / jnp.sum(w)

    def fenchel_young(self, z, th, y, e):
        """(r + th)^2 / 2."""
        r = z - y
        slope = r + th
        e = e + unit(z) * (jnp.abs(r) + jnp.abs(slope)) + 4 * least(z.dtype)
        value = jnp.square(slope) / 2
        own = 4 * unit(z) * value + 4 * least(z.dtype)
        return value, 1.01 * self._moved(z, slope, e) + own


class HuberLoss(Loss):
    """l = r^2 / 2 for |r| <= delta, else delta |r| - delta^2 / 2; r = z - y.

    Args:
        delta: from which residual on it is linear, > 0, in the unit of y.

    Source: Huber, Annals of Mathematical Statistics 35 (1964).

    Example:
        >>> bn.HuberLoss(1.0).value(jnp.array([0.5, 3.0]), jnp.zeros(2))
        Array([0.125, 2.5  ], dtype=float32)
    """

    curvature_bound: ClassVar[float] = 1.0
    text: ClassVar[str] = "huber(z_i - y_i)"
    homogeneous: ClassVar[bool] = True

    delta: Any = hyper("Huber delta", "positive", scalar=True, default=1.0)

    def value(self, z, y):
        """c (|r| - c / 2) with c = min(|r|, delta)."""
        r = jnp.abs(z - y)
        cut = jnp.minimum(r, self._delta(z))
        return cut * (r - cut / 2)

    def derivative(self, z, y):
        """r clipped to [-delta, delta]."""
        d = self._delta(z)
        return jnp.clip(z - y, -d, d)

    def curvature(self, z, y):
        """One where |r| <= delta, else zero."""
        return (jnp.abs(z - y) <= self._delta(z)).astype(z.dtype)

    def repair(self, th, y):
        """Clip to [-delta, delta]."""
        d = self._delta(th)
        return jnp.clip(th, -d, d)

    def fenchel_young(self, z, th, y, e):
        """(r + th)^2/2 inside, (delta + s th)^2/2 + (|r| - delta)(delta + s th) out."""
        d, r = self._delta(z), z - y
        u, over, s = -th, jnp.maximum(jnp.abs(r) - d, 0), jnp.sign(r)
        far = over > 0
        near = jnp.where(far, d - s * u, r - u)
        value = jnp.square(near) / 2 + over * jnp.where(far, near, 0)
        slope = jnp.clip(r, -d, d) - u
        e = e + unit(z) * (jnp.abs(r) + jnp.abs(slope)) + 4 * least(z.dtype)
        own = 8 * unit(z) * value + 4 * least(z.dtype) * (1 + over + d)
        return value, 1.01 * self._moved(z, slope, e) + own

    def _delta(self, z):
        return jnp.asarray(self.delta, z.dtype)


class SquaredHingeLoss(Loss):
    """l = max(0, 1 - y z)^2 / 2, labels -1 and +1.

    Source: Chang, Hsieh and Lin, J. Machine Learning Research 9 (2008).

    Example:
        >>> bn.SquaredHingeLoss().value(jnp.array([0.0, 2.0]), jnp.ones(2))
        Array([0.5, 0. ], dtype=float32)
    """

    curvature_bound: ClassVar[float] = 1.0
    discrete: ClassVar[bool] = True
    text: ClassVar[str] = "1/2 max(0, 1 - y_i z_i)^2"
    no_errors: ClassVar[str] = (
        "the squared hinge is the likelihood of no model, and its coefficients "
        "estimate nothing that has a standard error; state LogisticRegression(A, y, "
        "l2=0)"
    )

    def labels(self, y, dtype):
        """-1 and +1, from these or from 0 and 1."""
        return glm_inputs.signs(y, dtype, "SquaredHingeLoss")

    def check_intercept(self, y, w):
        """Samples on every side."""
        glm_inputs.both_signs(y, w, "SquaredHingeLoss")

    def value(self, z, y):
        """h^2 / 2."""
        return jnp.square(jnp.maximum(1 - y * z, 0)) / 2

    def derivative(self, z, y):
        """-y h."""
        return -y * jnp.maximum(1 - y * z, 0)

    def curvature(self, z, y):
        """One where y z <= 1, else zero."""
        return (y * z <= 1).astype(z.dtype)

    def repair(self, th, y):
        """y max(y th, 0)."""
        return y * jnp.maximum(y * th, 0)

    def fenchel_young(self, z, th, y, e):
        """(h - a)^2 / 2 for y z <= 1, else a^2 / 2 + a (y z - 1); a = y th."""
        a, h = y * th, 1 - y * z
        out = jnp.maximum(-h, 0)
        near = jnp.where(out > 0, a, h - a)
        value = jnp.square(near) / 2 + out * a
        slope = jnp.maximum(h, 0) - a
        e = e + unit(z) * (jnp.abs(h) + jnp.abs(slope)) + 4 * least(z.dtype)
        own = 8 * unit(z) * value + 4 * least(z.dtype) * (1 + out)
        return value, 1.01 * self._moved(z, slope, e) + own


class LogisticLoss(Loss):
    """l = log(1 + exp(-y z)), labels -1 and +1.

    Source: McCullagh and Nelder, Generalized Linear Models (1989), chapter 4.

    Example:
        >>> bn.LogisticLoss().value(jnp.array([0.0, 2.0]), jnp.ones(2)).round(4)
        Array([0.6931, 0.1269], dtype=float32)
    """

    curvature_bound: ClassVar[float] = 0.25
    self_concordance: ClassVar[float] = 1.0
    discrete: ClassVar[bool] = True
    text: ClassVar[str] = "log(1 + exp(-y_i z_i))"
    likelihood: ClassVar[str] = "P(y_i = +1) = 1 / (1 + exp(-z_i))"

    def labels(self, y, dtype):
        """-1 and +1, from these or from 0 and 1."""
        return glm_inputs.signs(y, dtype, "LogisticLoss")

    def check_intercept(self, y, w):
        """Samples on every side."""
        glm_inputs.both_signs(y, w, "LogisticLoss")

    def chances(self, z):
        """1 / (1 + exp(z)) and 1 / (1 + exp(-z))."""
        small = np.exp(-np.abs(z))
        less, more = small / (1 + small), 1 / (1 + small)
        up = z > 0
        return np.stack([np.where(up, less, more), np.where(up, more, less)], axis=1)

    def value(self, z, y):
        """softplus(-y z)."""
        return softplus(-y * z)

    def derivative(self, z, y):
        """-y sigmoid(-y z)."""
        return -y * jax.nn.sigmoid(-y * z)

    def curvature(self, z, y):
        """sigmoid(z) sigmoid(-z)."""
        return jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)

    def exact_zero(self, z, y):
        """Never: the exponential vanishes, the loss does not."""
        return jnp.zeros_like(z, bool)

    def repair(self, th, y):
        """y th clipped to [0, 1]."""
        return y * jnp.clip(y * th, 0, 1)

    def fenchel_young(self, z, th, y, e):
        """KL(a || sigmoid(-y z)) with a = y th in [0, 1]."""
        a, m = y * th, y * z
        p, p1, a1 = jax.nn.sigmoid(-m), jax.nn.sigmoid(m), 1 - a
        # The difference of the smaller pair: the larger one holds no digits of it.
        d = jnp.where(p < 0.5, p - a, a1 - p1)
        value = relative_entropy(a, p, d) + relative_entropy(a1, p1, -d)
        rough = ROUNDINGS * unit(z)
        own = rough * (value + 2 * jnp.abs(d)) + rough**2
        return value, 1.01 * (self._moved(z, d, e) + own) + spill(z)


class PoissonLoss(Loss):
    """l = mu - y + y log(y / mu) with mu = exp(z): half the deviance, labels >= 0.

    Source: McCullagh and Nelder, Generalized Linear Models (1989), chapter 6.

    Example:
        >>> bn.PoissonLoss().value(jnp.zeros(2), jnp.array([1.0, 2.0])).round(4)
        Array([0.    , 0.3863], dtype=float32)
    """

    curvature_bound: ClassVar[None] = None
    self_concordance: ClassVar[float] = 1.0
    text: ClassVar[str] = "exp(z_i) - y_i z_i + y_i log(y_i) - y_i"
    likelihood: ClassVar[str] = "y_i counts of mean and variance exp(z_i)"

    def labels(self, y, dtype):
        """Nonnegative numbers."""
        return glm_inputs.counts(y, dtype)

    def check_intercept(self, y, w):
        """Samples on every side."""
        glm_inputs.some_count(y, w)

    def mean(self, z):
        """exp(z)."""
        with np.errstate(over="ignore"):
            return np.exp(z)

    def value(self, z, y):
        """y (exp(t) - 1 - t) with t = z - log(y); exp(z) where y = 0."""
        some = jnp.where(y > 0, y, 1)
        t = z - jnp.log(some)
        return jnp.where(y > 0, some * (jnp.expm1(t) - t), jnp.exp(z))

    def derivative(self, z, y):
        """exp(z) - y."""
        return jnp.exp(z) - y

    def curvature(self, z, y):
        """exp(z)."""
        return jnp.exp(z)

    def steepest(self, z, e):
        """exp(z + e)."""
        return jnp.exp(z + e)

    def exact_zero(self, z, y):
        """Where z is log(y) to rounding."""
        return (y > 0) & (z == jnp.log(jnp.where(y > 0, y, 1)))

    def repair(self, th, y):
        """At most y."""
        return jnp.minimum(th, y)

    def fenchel_young(self, z, th, y, e):
        """Generalised KL(q || exp(z)) with q = y - th >= 0."""
        q, mu = y - th, jnp.exp(z)
        over = jnp.isinf(mu) | jnp.isinf(q)
        d = jnp.where(over, 0, mu - q)
        value = relative_entropy(jnp.where(over, 1, q), jnp.where(over, 1, mu), d)
        rough = ROUNDINGS * unit(z)
        own = rough * (value + 2 * jnp.abs(d)) + mu * rough**2
        slack = 1.01 * (self._moved(z, d, e) + own) + spill(z)
        return jnp.where(over, jnp.inf, value), jnp.where(over, 0, slack)


class SoftmaxLoss(Loss):
    """l = logsumexp(z) - z_y; z has one column a class, labels 0 .. K-1.

    The dual of a sample is th = onehot(y) - q with q a probability vector. In floats
    q does not sum to 1: the exact dual point meant is that of q / sum(q), and
    `dual_error` bounds the difference.

    Args:
        classes: the number of classes, at least 2.

    Source: McCullagh and Nelder, Generalized Linear Models (1989), chapter 5.

    Example:
        >>> bn.SoftmaxLoss(3).value(jnp.zeros((1, 3)), jnp.array([0])).round(4)
        Array([1.0986], dtype=float32)
    """

    curvature_bound: ClassVar[float] = 0.5
    # D3 lse[u, u, v] = E (U - EU)^2 (V - EV), and max V - min V <= sqrt(2) ||V||.
    self_concordance: ClassVar[float] = 2.0**0.5
    discrete: ClassVar[bool] = True
    text: ClassVar[str] = "logsumexp(z_i) - z_i[y_i]"
    no_errors: ClassVar[str] = (
        "without a penalty the coefficients of all classes may be shifted together, "
        "which changes no probability: they have no standard errors. Of two classes "
        "state LogisticRegression(A, y, l2=0); of more, one for each class against a "
        "class of reference"
    )

    classes: int = count("Softmax classes")

    def labels(self, y, dtype):
        """Integers 0 .. K-1."""
        return glm_inputs.whole_labels(y, self.classes)

    def check_intercept(self, y, w):
        """Samples on every side."""
        glm_inputs.every_class(y, w, self.classes)

    def chances(self, z):
        """softmax(z)."""
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)

    def codes(self):
        """0 .. K-1."""
        return tuple(range(self.classes))

    def value(self, z, y):
        """Shape (n,)."""
        top = jax.nn.logsumexp(z, axis=-1)
        return top - jnp.take_along_axis(z, y[:, None], axis=-1)[:, 0]

    def derivative(self, z, y):
        """softmax(z) - onehot(y)."""
        return jax.nn.softmax(z, axis=-1) - self.onehot(z, y)

    def curvature(self, z, y):
        """The diagonal of the Hessian of each sample, p (1 - p)."""
        p = jax.nn.softmax(z, axis=-1)
        return p * (1 - p)

    def curve(self, z, y, v):
        """p (v - <p, v>)."""
        p = jax.nn.softmax(z, axis=-1)
        return p * (v - jnp.sum(p * v, axis=-1, keepdims=True))

    def onehot(self, z: Array, y: Array) -> Float[Array, "n k"]:
        """Indicator rows of the labels."""
        return jax.nn.one_hot(y, self.classes, dtype=z.dtype)

    def exact_zero(self, z, y):
        """Never: the exponentials vanish, the loss does not."""
        return jnp.zeros(z.shape[:1], bool)

    def repair(self, th, y):
        """onehot(y) - q with q clipped at 0 and divided by its sum."""
        one = self.onehot(th, y)
        q = jnp.maximum(one - th, 0)
        total = jnp.sum(q, axis=-1, keepdims=True)
        some = total > 0
        q = jnp.where(some, q / jnp.where(some, total, 1), one)
        return one - q

    def dual_error(self, th, y):
        """(4 K + 10) u (onehot + |th|), covering a scaling of th as well."""
        return (4 * self.classes + 10) * unit(th) * (self.onehot(th, y) + jnp.abs(th))

    def fenchel_young(self, z, th, y, e):
        """KL(q || softmax(z)), one number a sample."""
        k = self.classes
        q = self.onehot(z, y) - th
        q = q / jnp.sum(q, axis=-1, keepdims=True)
        below = z - jnp.max(z, axis=-1, keepdims=True)
        p = jnp.exp(below)
        p = p / jnp.sum(p, axis=-1, keepdims=True)
        d = p - q
        parts = relative_entropy(q, p, d)
        rough = (ROUNDINGS + 3 * k + jnp.abs(below)) * unit(z)
        own = rough * (jnp.abs(parts) + 2 * jnp.abs(d)) + p * jnp.square(rough)
        own = own + rough * jnp.square(d)
        moved = jnp.sum((jnp.abs(d) + least(z.dtype)) * e + own, axis=-1)
        moved = moved + jnp.sum(jnp.square(e), axis=-1) / 4
        return jnp.sum(parts, axis=-1), 1.01 * moved + jnp.sum(spill(below), axis=-1)

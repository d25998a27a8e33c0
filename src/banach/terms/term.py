"""What a regulariser or a constraint set can be asked for.

A `Term` is a closed function g on a pytree, convex unless it says otherwise. Some
terms act leaf by leaf on any pytree, some on the whole tree at once, some on one array;
each says which.
Hyperparameters are kept as given (a Python number becomes a NumPy scalar) and are
rounded to the dtype of the point when used: the function that a float32 point
meets is the one with float32 hyperparameters.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.door import Made
from banach.core.problem import Misuse
from banach.core.rounding import gam, least

Scalar = Float[Array, ""]


class Term(eqx.Module, metaclass=Made):
    """A closed function g with a cheap proximal step, projection or LMO.

    It is convex, unless `convex` is False: then g + rho/2 ||.||^2 is, `prox` gives a
    global minimiser, and there is no conjugate. No kind may say that a sum with such a
    term is convex, nor that its subgradients are monotone.
    """

    oracles: ClassVar[frozenset[str]] = frozenset()
    # Acts coordinate by coordinate: `prox` takes a t for each, and scaled columns of a
    # linear model leave it a term of the same kind.
    separable: ClassVar[bool] = False
    convex: ClassVar[bool] = True

    def is_convex(self) -> bool:
        """Whether g is convex (static)."""
        return self.convex

    def offers(self) -> frozenset[str]:
        """Oracles of this instance, among prox, project, lmo and conjugate."""
        return self.oracles

    @abc.abstractmethod
    def value(self, x: PyTree) -> Scalar:
        """g(x); for a set 0, because membership is measured by `violation`."""

    @abc.abstractmethod
    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The minimiser of g(x) + ||x - v||^2 / (2 t), for a scalar t > 0.

        A `separable` term also takes a t of the shape of v: one a coordinate.
        """

    @abc.abstractmethod
    def center(self, like: PyTree) -> PyTree:
        """A feasible reference point with the structure and dtypes of `like`."""

    def violation(self, x: PyTree) -> Scalar:
        """Euclidean distance of x to the domain of g."""
        return jnp.zeros((), tree.dtype(arrays(x)))

    def project(self, v: PyTree) -> PyTree:
        """The nearest point of the set."""
        self.refuse("project", "call prox, or use an indicator set such as L1Ball")

    def lmo(self, g: PyTree) -> PyTree:
        """A minimiser of <g, x> over the set."""
        self.refuse("lmo", "use a compact set, such as L1Ball or a finite Box")

    def support(self, v: PyTree) -> Scalar:
        """The largest <v, x> over the set."""
        v = arrays(v)
        return tree.vdot(v, self.lmo(tree.neg(v)))

    def mu(self) -> Any:
        """Strong convexity constant of g, a scalar."""
        return np.zeros(())

    def rho(self) -> Any:
        """The least number with g + rho/2 ||.||^2 convex: 0 where g is."""
        return np.zeros(())

    def diameter(self, like: PyTree | None = None) -> Any:
        """Upper bound of the Euclidean diameter of the domain.

        `like` gives the shape of the variable, where the set does not know it.
        """
        return np.asarray(np.inf)

    @property
    def unpenalised(self) -> Any:
        """Mask of coordinates with weight 0, broadcastable to the variable.

        On those g* is the indicator of 0, which no scaling can reach; their
        bracket counts as 0 in `fenchel_young` and the caller charges them.
        """
        return np.asarray(False)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Bracket g(x) + g*(v) - <v, x> >= 0 without cancellation, and its slack.

        value + slack bounds the exact bracket at every v' in dom g* with
        |v' - v| <= e entrywise; e is a scalar or has the structure of v. A set
        assumes nothing of x: outside it the value may be negative. Nothing is said
        where a hyperparameter is `subnormal`: the caller looks.
        """
        self.refuse("conjugate", "a duality gap needs a term with a finite conjugate")

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """A factor s in (0, 1] with s v' in dom g* whenever |v' - v| <= e.

        Coordinates of weight 0 are left out.
        """
        if "conjugate" not in self.offers():
            self.refuse("conjugate", "scaling cannot repair a dual point of this term")
        return jnp.ones((), tree.dtype(arrays(v)))

    def refuse(self, oracle: str, cure: str) -> NoReturn:
        """Raise the error for an oracle that this term lacks."""
        name, has = type(self).__name__, ", ".join(sorted(self.offers()))
        raise Misuse(f"{name} lacks the oracle {oracle} (it offers {has}): {cure}")


class Set(Term):
    """The indicator function of a closed convex set: prox is the projection."""

    def value(self, x: PyTree) -> Scalar:
        """Zero: membership is measured by `violation`."""
        return jnp.zeros((), tree.dtype(arrays(x)))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The projection, whatever t."""
        return self.project(v)

    def violation(self, x: PyTree) -> Scalar:
        """Euclidean distance of x to the set."""
        x = arrays(x)
        return tree.norm(tree.sub(x, self.project(x)))

    def center(self, like: PyTree) -> PyTree:
        """The point of the set nearest to 0."""
        return self.project(tree.zeros_like(arrays(like)))


class Norm(Term):
    """A finite regulariser that is least at the origin."""

    def center(self, like: PyTree) -> PyTree:
        """The origin."""
        return tree.zeros_like(arrays(like))


def concrete(*fields: PyTree) -> bool:
    """Whether every leaf has a value now, so that it can be tested."""
    leaves = jax.tree.leaves(fields)
    return not any(isinstance(v, jax.core.Tracer) for v in leaves)


def arrays(x: PyTree) -> PyTree:
    """The leaves of x as JAX arrays."""
    return jax.tree.map(jnp.asarray, x)


def single(term: Term, x: PyTree, ndim: int | None = None) -> Array:
    """The one array that x must be, with `ndim` axes if given."""
    leaves = jax.tree.leaves(x)
    if len(leaves) != 1 or (ndim is not None and np.ndim(leaves[0]) != ndim):
        what = "one array" if ndim is None else f"one {ndim}-D array"
        name = type(term).__name__
        raise Misuse(f"{name} acts on {what}, got shapes {_shapes(x)}: ravel first")
    return jnp.asarray(leaves[0])


def rebuild(like: PyTree, x: Array) -> PyTree:
    """One array in the structure of `like`, the inverse of `single`."""
    return jax.tree.unflatten(jax.tree.structure(like), [x])


def spread(x: PyTree, *fields: PyTree) -> list[PyTree]:
    """Each field as a pytree like x, cast to the dtype of each leaf.

    A field is one array or number for all leaves, or has the structure of x.
    """
    return [_spread(x, field) for field in fields]


def leafwise(fn: Callable, x: PyTree, *fields: PyTree) -> PyTree:
    """Map fn over the leaves of x and of the fields, as `spread` matches them."""
    x = arrays(x)
    return jax.tree.map(fn, x, *spread(x, *fields))


def summed(fn: Callable, x: PyTree, *fields: PyTree) -> tuple[Scalar, ...]:
    """Add up a function that returns a tuple of entrywise terms, leaf by leaf."""
    x = arrays(x)
    columns = zip(
        *[jax.tree.leaves(f) for f in (x, *spread(x, *fields))],
        strict=True,
    )
    parts = [tuple(jnp.sum(term) for term in fn(*leaf)) for leaf in columns]
    return tuple(sum(p[1:], p[0]) for p in zip(*parts, strict=True))


def charge(value: Scalar, moved: Scalar, k: int) -> Scalar:
    """Slack of a sum of nonnegative terms with k roundings on its longest path.

    `moved` bounds all other errors; 4 k tiny covers flushed subnormals, up to four
    for each entry.
    """
    g, tiny = gam(k, value.dtype), least(value.dtype)
    return 1.01 * (moved * (1 + g) + g * jnp.abs(value)) + 4 * k * tiny


def safe_factor(ratio: Scalar, k: int) -> Scalar:
    """The factor min(1, 1 / ratio), shrunk for k roundings in ratio."""
    ratio = ratio * (1 + 2.1 * gam(k + 2, ratio.dtype))
    return jnp.where(
        ratio <= 1, jnp.ones_like(ratio), 1 / jnp.where(ratio <= 1, 1, ratio)
    )


def soft(v: Array, k: Array) -> Array:
    """Soft threshold; the identity, derivative included, where k is 0."""
    # NaN fails both comparisons and must not come out as a clean zero.
    rest = jnp.where(jnp.isnan(v), v, jnp.zeros_like(v))
    return jnp.where(v >= k, v - k, jnp.where(v <= -k, v + k, rest))


def positive(x: Array) -> Array:
    """x where it is positive, else 1: a denominator that is never used elsewhere."""
    return jnp.where(x > 0, x, jnp.ones_like(x))


def onto_simplex(a: Array, radius: Array) -> tuple[Array, Array]:
    """Projection of a on {x >= 0, sum x = radius}, and its threshold theta.

    x = max(a - theta, 0). Sort, find the support (Held, Wolfe and Crowder 1974),
    then one mean over it, whose derivative is that of the projection.
    """
    flat = a.ravel()
    top = jax.lax.stop_gradient(jnp.max(flat))  # a common offset must not cancel
    shifted = flat - top
    fixed = jax.lax.stop_gradient(shifted)
    down = jnp.flip(jnp.sort(fixed))
    rank = jnp.arange(1, flat.size + 1, dtype=flat.dtype)
    excess = jnp.cumsum(down) - jax.lax.stop_gradient(radius)
    count = jnp.sum(down * rank > excess)
    mask = fixed >= down[jnp.maximum(count - 1, 0)]
    # NaN fails every comparison and must not come out as a clean zero.
    rest = jnp.where(jnp.isnan(shifted), shifted, jnp.zeros_like(shifted))
    kept = jnp.where(mask, shifted, rest)
    theta = (jnp.sum(kept) - radius) / jnp.sum(mask).astype(flat.dtype)
    x = jnp.where(mask & (shifted >= theta), shifted - theta, rest)
    return x.reshape(a.shape), theta + top


class Partition(eqx.Module):
    """Sums and norms over groups of coordinates; labels None means one group."""

    labels: Array | None
    count: int = eqx.field(static=True)

    def sum(self, x: Array) -> Array:
        """Sum over each group, shape (count,)."""
        if self.labels is None:
            return jnp.sum(x)[None]
        zeros = jnp.zeros(self.count, x.dtype)
        return zeros.at[self._drop()].add(x.ravel(), mode="drop")

    def max(self, x: Array) -> Array:
        """Largest entry of each group of nonnegative entries, shape (count,)."""
        if self.labels is None:
            return jnp.max(x, initial=0)[None]
        zeros = jnp.zeros(self.count, x.dtype)
        return zeros.at[self._drop()].max(x.ravel(), mode="drop")

    def gather(self, g: Array, fill: float) -> Array:
        """The value of its group at each coordinate, `fill` where it has none."""
        if self.labels is None:
            return g[0]
        flat = g.at[self._drop()].get(mode="fill", fill_value=fill)
        return flat.reshape(self.labels.shape)

    def norm(self, x: Array) -> Array:
        """Euclidean norm of each group; its derivative at 0 is 0."""
        big = jax.lax.stop_gradient(self.max(jnp.abs(x)))
        big = jnp.where((big > 0) & jnp.isfinite(big), big, 1)
        # 1 / big must not vanish.
        big = jnp.minimum(big, float(jnp.finfo(big.dtype).max) / 8)
        square = self.sum(jnp.square(x / self.gather(big, 1)))
        return big * jnp.where(square > 0, jnp.sqrt(positive(square)), square)

    def _drop(self) -> Array:
        # A negative index would wrap around: send it past the end instead.
        flat = self.labels.ravel()
        return jnp.where(flat < 0, self.count, flat)


def angle(v: Array, x: Array, e: Array, part: Partition) -> tuple[Array, ...]:
    """Norms of v and x by group, ||v|| ||x|| - <v, x> as a square, and its slack.

    ||v|| ||x|| - <v, x> = ||v|| ||x|| || v/||v|| - x/||x|| ||^2 / 2. The slack also
    covers a change e of v and the rounding of a product ||v|| ||x|| beside it.
    """
    nv, nx = part.norm(v), part.norm(x)
    v1, x1 = v / part.gather(positive(nv), 1), x / part.gather(positive(nx), 1)
    apart = part.norm(v1 - x1)
    both, g = nv * nx, gam(v.size + 12, v.dtype)
    move = 3 * g
    slack = both * (apart * move + move**2 / 2 + g) + part.sum(e * jnp.abs(x))
    # Norms of entries below the smallest normal number count as 0.
    slack = slack + 4 * least(v.dtype) * part.sum(1 + jnp.abs(v) + jnp.abs(x))
    return nv, nx, both * jnp.square(apart) / 2, slack


def _spread(x: PyTree, field: PyTree) -> PyTree:
    leaves, structure = jax.tree.flatten(x)
    parts, given = jax.tree.flatten(field)
    if len(parts) == 1:
        parts = parts * len(leaves)
    elif given != structure:
        raise Misuse(
            f"weights have the structure {given}, the variable {structure}: "
            "give one number, or the structure of the variable"
        )
    for leaf, part in zip(leaves, parts, strict=True):
        if not _fits(np.shape(part), leaf.shape):
            raise Misuse(
                f"weights of shape {np.shape(part)} do not fit a variable of shape "
                f"{leaf.shape}: give one number, or one for each coordinate"
            )
    cast = [jnp.asarray(p, v.dtype) for p, v in zip(parts, leaves, strict=True)]
    full = [jnp.broadcast_to(p, v.shape) for p, v in zip(cast, leaves, strict=True)]
    return jax.tree.unflatten(structure, full)


def _fits(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    tail = shape[len(shape) - len(small) :]
    return len(small) <= len(shape) and all(
        a in (1, b) for a, b in zip(small, tail, strict=True)
    )


def _shapes(x: PyTree) -> str:
    return ", ".join(str(np.shape(v)) for v in jax.tree.leaves(x)) or "none"


def shrink(n: Array, k: Array) -> Array:
    """The factor (1 - k / n)_+ of block soft thresholding, for norms n >= 0."""
    # Where k is 0 the prox is the identity, derivative at v = 0 included.
    return jnp.where(n > k, 1 - k / positive(n), jnp.where(k > 0, 0, jnp.ones_like(n)))

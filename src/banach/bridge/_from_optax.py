"""Any optax gradient transformation as a Method; optax itself is not imported.

An optax factory returns a pair of functions, `init(params)` and `update(gradient,
state, params)`. That protocol is all that this file knows.
"""

import inspect
import numbers
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree, UInt32

from banach.core import compat, tree, validation
from banach.core.card import method
from banach.core.method import Method, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.parts import batches

MOTIONLESS = 100
# Unknowns up to which x before and after a step are compared entry by entry. Beyond,
# the old x would have to be copied at every step, since the new one takes its place.
COMPARED = 2**12
_SAMPLED = 32  # entries
_EXTRA = ("value", "grad", "value_fn")


class FromOptaxState(eqx.Module):
    """Parameters, optax's own state, oracle calls, and steps without motion.

    `mark` is what a large x is known again by: the bits of some entries, and a print
    of all of them (0 where that was not needed). A small x has none.
    """

    x: PyTree
    inner: PyTree
    calls: Int[Array, ""]
    motionless: Int[Array, ""]
    mark: UInt32[Array, " marks"]
    order: batches.Shuffle | None


@method(problem="Smooth", needs={"value", "grad"}, paper="deepmind2020jax", cost=None)
class FromOptax(Method):
    """Steps of an optax transformation: `FromOptax(optax.adam, learning_rate=1e-2)`.

    x+ = x + u,  (u, s+) = update(grad f(x), s, x)

    `factory(**hyper)` must return a transformation. Floating hyperparameters and
    arrays are leaves, in the dtype of x: another learning rate never recompiles.
    Everything else (integers, flags, schedules, line searches) is static. A
    transformation that takes extra arguments gets value, grad and value_fn, as
    optax documents them.

    `oracle(value_fn)(x, state=s)` returns f and its gradient where the
    transformation keeps them (optax.value_and_grad_from_state), and `searched(s)`
    the number of evaluations inside the last update; both are for line searches.

    Fails in every way that the transformation can: a learning rate is not checked,
    only the answer is. A run of 100 steps without motion ends as stalled (101 where x
    is large: what the first of them left alone is not known).

    `batch` takes the gradient of so many terms of a sum (bn.FiniteSum, bn.Training) at
    a step, without replacement and in a fresh order every pass, and in train mode:
    dropout is on. Without it the gradient is that of the whole sum, in eval mode.

    Args:
        factory: factory(**hyper), to a transformation.
        oracle: oracle(value_fn), to a function of x and state, for value and gradient.
        searched: of the state, evaluations inside the last update.
        batch: terms a step, from 1 to those of the sum; None: all of them.
        hyper: the arguments of the factory.

    Source: optax's documentation of gradient transformations.

    Example:
        >>> import optax
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.FromOptax(optax.sgd, learning_rate=0.4)).status
        'certified'
    """

    # x + u is not finite where x is not.
    absorbing: ClassVar[bool] = True

    @property
    def typical(self) -> dict[str, float] | None:  # type: ignore[override]
        """A batch, where it takes batches."""
        return None if self.batch is None else {"stochastic_grad": self.batch}

    hyper: dict[str, Any]
    factory: Callable = eqx.field(static=True)
    fixed: tuple = eqx.field(static=True)
    oracle: Callable | None = eqx.field(static=True)
    searched: Callable | None = eqx.field(static=True)
    batch: int | None = eqx.field(static=True)

    def __init__(
        self,
        factory: Callable | None = None,
        *,
        oracle: Callable | None = None,
        searched: Callable | None = None,
        batch: int | None = None,
        **hyper: Any,
    ):
        if not callable(factory):
            raise Misuse(
                f"FromOptax needs an optax factory, got {validation.shown(factory)}; "
                "pass the function and its arguments apart, e.g. "
                "bn.FromOptax(optax.adam, learning_rate=1e-2), or of a chain a "
                "function that makes it, bn.FromOptax(lambda: optax.chain(...))"
            )
        for name, part in (("oracle", oracle), ("searched", searched)):
            if part is not None and not callable(part):
                raise Misuse(
                    f"FromOptax {name} must be a function, got {validation.shown(part)}"
                )
        _fits(factory, hyper)
        if (decay := decays(factory, hyper)) is not None:
            warnings.warn(decay, stacklevel=2)
        self.hyper, self.fixed = split(hyper)
        self.factory, self.oracle, self.searched = factory, oracle, searched
        self.batch = None
        if batch is not None:
            self.batch = validation.integer(batch, "FromOptax batch", low=1)
            if oracle is not None or searched is not None:
                raise Misuse(
                    "a line search needs the value of the whole sum; drop batch=, or "
                    "use a transformation without a search"
                )

    @classmethod
    def suggest(cls, problem, facts):
        """The default for this problem, or a Refusal."""
        return Refusal(
            "a factory",
            "from_optax needs the transformation: pass bn.FromOptax(optax.adam, "
            "learning_rate=1e-2), or the name optax:adam",
        )

    def init(self, problem, start, key):
        """The state before the first step."""
        zero = jnp.zeros((), jnp.int32)
        inner = self._transform().init(start.x)
        order = None
        if self.batch is not None:
            if "stochastic_grad" not in problem.oracles():
                raise Misuse(
                    f"batch= is of the terms of a sum, and {problem.kind} has none: "
                    "state bn.FiniteSum or bn.Training, or drop batch="
                )
            batches.fits(self.batch, problem.n)
            order = batches.shuffled(problem.n, key)
        mark = _first_mark(start.x)
        return FromOptaxState(start.x, inner, zero, zero, mark, order)

    def step(self, problem, state, key):
        """One step of the peer."""
        transform, order = self._transform(), state.order
        taken = _extra(transform.update)
        if order is not None:
            draw, noise = jax.random.split(key)
            order = batches.ready_for(order, self.batch, draw)
            index = batches.window(order, 0, self.batch)
            g = problem.stochastic_grad(state.x, index, None, noise)
            order = batches.spent(order, self.batch)
            f, calls, taken = None, state.calls + 1, ()
        elif self.oracle is None:
            f, g = problem.value_and_grad(state.x)
            calls = state.calls + 1
        else:
            f, g = self.oracle(problem.value)(state.x, state=state.inner)
            # Only the first gradient is computed; later ones are in the state.
            calls = state.calls + (state.calls == 0)
        given = {"value": f, "grad": g, "value_fn": problem.value}
        extra = {k: given[k] for k in taken}
        try:
            u, inner = transform.update(g, state.inner, state.x, **extra)
        except TypeError as lacking:
            if order is None or not any(f"'{k}'" in str(lacking) for k in _EXTRA):
                raise
            raise Misuse(
                f"{self.label()} asks for the value of the whole sum at each step "
                f"({lacking}); drop batch="
            ) from None
        x = jax.tree.map(lambda p, d: (p + d).astype(p.dtype), state.x, u)
        if self.searched is not None:
            calls = calls + jnp.asarray(self.searched(inner), jnp.int32)
        if state.mark.size:
            still, mark = _still(x, state.mark)
        else:
            still, mark = tree.max_abs(tree.sub(x, state.x)) == 0, state.mark
        motionless = jnp.where(still, state.motionless + 1, 0)
        return FromOptaxState(x, inner, calls, motionless, mark, order)

    def point(self, state):
        """The current point."""
        return Point(state.x)

    def stuck(self, state):
        """Whether nothing moved for a hundred steps."""
        return state.motionless >= MOTIONLESS

    def calls(self, state):
        """Evaluations so far; of batches, gradients of terms."""
        if self.batch is not None:
            return {"stochastic_grad": state.calls * self.batch}
        return {"value": state.calls, "grad": state.calls}

    def draws(self):
        """Whether it takes batches."""
        return self.batch is not None

    def label(self):
        """The peer and its algorithm."""
        return f"from_optax:{getattr(self.factory, '__name__', 'transformation')}"

    def _transform(self) -> Any:
        made = self.factory(**self.hyper, **dict(self.fixed))
        if getattr(made, "_fields", None) != ("init", "update"):
            raise Misuse(
                f"{self.label()} made {type(made).__name__}, not a gradient "
                "transformation; the factory must return what optax.adam(...) returns"
            )
        return made


def _first_mark(x: PyTree) -> Array:
    """The mark before the first step; none where x is compared itself."""
    if tree.size(x) <= COMPARED:
        return jnp.zeros(0, jnp.uint32)
    return jnp.concatenate([_sampled(x), jnp.zeros(2, jnp.uint32)])


def _still(x: PyTree, mark: Array) -> tuple[Array, Array]:
    """Whether x is the point of the mark, and its own mark.

    Nearly every step moves one of the sampled entries. Only where it moves none is
    all of x read.
    """
    some = _sampled(x)
    alike = jnp.all(some == mark[:-2])
    every = jax.lax.cond(alike, _print, lambda x: jnp.zeros(2, jnp.uint32), x)
    still = alike & jnp.all(every == mark[-2:])
    return still, jnp.concatenate([some, every])


def _sampled(x: PyTree) -> Array:
    """The bits of a few entries of the largest leaf, evenly spread."""
    leaf = jnp.ravel(max(jax.tree.leaves(x), key=lambda v: v.size))
    apart = max(leaf.size // _SAMPLED, 1)
    return _words(leaf[: apart * _SAMPLED : apart])


def _print(x: PyTree) -> Array:
    """64 bits by which arrays are known again: two weighted sums of their words.

    Weights are odd, so that a change of one word always shows; two arrays that differ
    in more have the same print with a chance of about 2^-64.
    """
    sums = jnp.ones(2, jnp.uint32)  # not the 0 of what was not read
    for n, leaf in enumerate(jax.tree.leaves(x)):
        words = _words(leaf)
        i = 2 * (jax.lax.iota(jnp.uint32, words.size) + jnp.uint32(n)) + 1
        mixed = i * jnp.uint32(2654435769)
        mixed = (mixed ^ (mixed >> 15) ^ jnp.uint32(2 * n)) | 1
        sums = sums + jnp.stack(
            [jnp.sum(w * words, dtype=jnp.uint32) for w in (i, mixed)]
        )
    return sums


def _words(leaf: Array) -> Array:
    """The bits of an array in words of 32."""
    part = f"u{min(leaf.dtype.itemsize, 4)}"
    return jnp.ravel(jax.lax.bitcast_convert_type(leaf, part)).astype(jnp.uint32)


# Of optax's optimisers the one that shrinks the weights without an argument saying so
# (its step is divided by sqrt(1 + learning_rate^2)).
_SHRINKS = frozenset({"fromage"})


def decays(factory: Callable, hyper: dict[str, Any]) -> str | None:
    """Words, where a transformation pulls x towards 0 whatever the gradient is.

    Such a rule comes to rest where gradient and pull cancel, not at a minimiser. The
    pull is an argument named weight_decay..., given or by its default.
    """
    name = getattr(factory, "__name__", "the transformation")
    if name in _SHRINKS:
        return (
            f"{name} shrinks the weights at every step, so that it ends elsewhere than "
            "at a minimiser; no argument turns that off: use another optimiser"
        )
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return None  # built in C: it says nothing of its arguments
    for key, parameter in parameters.items():
        value = hyper.get(key, parameter.default)
        if not key.startswith("weight_decay") or key == "weight_decay_mask":
            continue
        scheduled = callable(value) and value is not parameter.empty
        number = isinstance(value, numbers.Number | np.generic)
        if scheduled or (number and value != 0):
            return (
                f"{name} decays the weights ({key}={value}): x is pulled towards 0 at "
                "every step, so that it ends elsewhere than at a minimiser; pass "
                f"{key}=0.0"
            )
    return None


def split(hyper: dict[str, Any]) -> tuple[dict[str, Any], tuple]:
    """Hyperparameters as (leaves, static pairs): floats and arrays are leaves."""
    leaves, fixed = {}, []
    for name, value in hyper.items():
        value = _read(name, value)
        floating = isinstance(value, float | np.floating | jax.Array | np.ndarray)
        if floating:
            leaves[name] = value
            continue
        try:
            hash(value)
        except TypeError:
            raise Misuse(
                f"hyperparameter {name} is a {type(value).__name__}, which is neither "
                "a number nor hashable; close over it: lambda learning_rate: "
                f"factory(learning_rate, {name}=...)"
            ) from None
        fixed.append((name, value))
    return leaves, tuple(sorted(fixed, key=lambda pair: pair[0]))


def _fits(factory: Callable, hyper: dict[str, Any]) -> None:
    """Misuse where the factory does not take these arguments."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return  # built in C: it says so itself
    try:
        signature.bind(**hyper)
    except TypeError as e:
        name = getattr(factory, "__name__", "the factory")
        raise Misuse(f"{name}: {e}; it takes {signature}") from None
    rate = signature.parameters.get("learning_rate")
    if rate is not None and rate.default is rate.empty:
        if hyper.get("learning_rate") is None:
            raise Misuse("learning_rate must be a number or a schedule, got None")


def _read(name: str, value: Any) -> Any:
    """A number or array that can be computed with; what is neither passes."""
    unfit = not (value is None or callable(value) or isinstance(value, numbers.Number))
    unfit = unfit and not isinstance(value, jax.Array | np.ndarray)
    if name == "learning_rate" and (unfit or isinstance(value, bool | np.bool_)):
        raise Misuse(
            f"learning_rate must be a positive number or a schedule, got "
            f"{validation.shown(value)}"
        )
    if isinstance(value, bool | np.bool_) or compat.is_tracer(value):
        return value
    numeric = isinstance(value, numbers.Number | np.ndarray | jax.Array)
    if not numeric:
        return value
    low = "positive" if name == "learning_rate" else None
    read = validation.array(value, name, low=low, infinite=low is None)
    # A Python number takes the dtype of the run, and an integer stays static.
    return value if isinstance(value, int | float | np.generic) else read


def _extra(update: Callable) -> tuple[str, ...]:
    """Which of value, grad, value_fn an update function accepts."""
    parameters = inspect.signature(update).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return _EXTRA
    return tuple(name for name in _EXTRA if name in parameters)

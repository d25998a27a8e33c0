"""Optimisers of networks: one rule, an optax transformation and a Method of it.

A rule says what it keeps (`kept`) and the direction it makes of a gradient
(`direction`); everything that optimisers share is here: learning rates and schedules,
decoupled weight decay, dtypes, refusals, and runs on the terms of a sum.

Numbers are kept in float32 at least, whatever the parameters are; updates come back in
the dtype of the parameters. NaN in a gradient goes through into what is kept, as in
optax: wrap a rule in `optax.apply_if_finite` where single steps may be skipped.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from banach.core import hyperparameters, tree
from banach.core.method import Refusal
from banach.core.problem import Misuse
from banach.parts import batches

_OF_RUNS = frozenset({"batch"})
"""Fields that belong to a run on a sum, not to the transformation."""


class RuleState(eqx.Module):
    """Updates made so far, and what the rule keeps."""

    t: Int[Array, ""]
    kept: PyTree


class TrainState(eqx.Module):
    """Iterate, the rule's state, and the order in which terms are drawn."""

    x: PyTree
    rule: RuleState
    order: batches.Shuffle

    @property
    def t(self) -> Int[Array, ""]:
        """Steps taken."""
        return self.rule.t


class Rule(batches.InBatches):
    """A method that moves x by an optax transformation of batch gradients.

    A subclass declares `learning_rate`, its own hyperparameters, `batch`, and where the
    paper has it `weight_decay` (decoupled: x loses the share learning_rate weight_decay
    a step), and writes `kept` and `direction`. `evaluated` is for rules that answer
    with another point than the one at which they take gradients; it sees their state
    alone.
    """

    absorbing: ClassVar[bool] = True
    matrices: ClassVar[bool] = False
    """Whether every leaf has to be a matrix."""
    extra: ClassVar[tuple[str, ...]] = ()
    """Names of the extra arguments that `direction` needs."""

    @classmethod
    def suggest(cls, problem, facts, **given):
        """The defaults of the paper; a batch of 32, or an eighth of a short sum."""
        if cls.matrices and any(
            jnp.ndim(v) != 2 for v in jax.tree.leaves(problem.start().x)
        ):
            return Refusal(
                "matrices",
                f"{cls.card.name} moves matrices alone: train the other parameters by "
                "a rule of their own (bn.train and optax.multi_transform), or use "
                "non_euclidean_trust_region, which moves all",
            )
        given.setdefault("batch", min(32, max(1, problem.n // 8)))
        return super().suggest(problem, facts, **given)

    # What a subclass writes ---------------------------------------------------------

    def kept(self, params: PyTree) -> PyTree:
        """What is kept before the first step, in the dtypes of `floats(params)`."""
        raise NotImplementedError

    def direction(
        self, g: PyTree, kept: PyTree, params: PyTree, t: Array, **extra: Any
    ) -> tuple[PyTree, PyTree]:
        """(d, what is kept after it); params move by -learning_rate d.

        t is 1 at the first step, a float; g and params are in the dtypes of `kept`.
        """
        raise NotImplementedError

    @staticmethod
    def evaluated(state: RuleState, params: PyTree) -> PyTree:
        """The weights to evaluate: params themselves, unless the rule averages."""
        return params

    # The transformation ---------------------------------------------------------------

    def transformation(
        self, schedule: Callable[[Any], Any] | None = None
    ) -> optax.GradientTransformationExtraArgs:
        """This rule for optax; `schedule` of the count of steps, for learning_rate."""

        def init(params: PyTree) -> RuleState:
            _fit(type(self), params)
            kept = _apart(self.kept(floats(params)), params)
            return RuleState(jnp.zeros((), jnp.int32), kept)

        def update(
            updates: PyTree, state: RuleState, params: PyTree = None, **extra: Any
        ) -> tuple[PyTree, RuleState]:
            absent = [name for name in self.extra if extra.get(name) is None]
            if params is None or absent:
                what = "params" if params is None else f"{absent[0]}="
                more = "".join(f", {name}=..." for name in absent)
                raise Misuse(
                    f"{type(self).__name__} needs {what} at every update: "
                    f"tx.update(grads, state, params{more})"
                )
            own = self.learning_rate  # type: ignore[attr-defined]
            rate = own if schedule is None else schedule(state.t)
            return self.moved(rate, updates, state, params, extra)

        return optax.GradientTransformationExtraArgs(init, update)

    def moved(
        self, rate: Any, updates: PyTree, state: RuleState, params: PyTree, extra: Any
    ) -> tuple[PyTree, RuleState]:
        """(what is added to params, the state after it)."""
        g, x = floats(updates), floats(params)
        t = state.t + 1
        own = {name: extra[name] for name in self.extra}
        d, kept = self.direction(g, state.kept, x, _float(t, x), **own)
        decay = getattr(self, "weight_decay", None)
        if decay is not None:
            d = jax.tree.map(lambda d, p: d + _as(decay, p) * p, d, x)
        u = jax.tree.map(lambda d, p: (-_as(rate, d) * d).astype(p.dtype), d, params)
        return u, RuleState(t, _like(kept, state.kept))

    # The method -----------------------------------------------------------------------

    def init(self, problem, start, key):
        """The order of the terms, and the rule's own state."""
        batches.fits(self.batch, problem.n)
        order = batches.shuffled(problem.n, key)
        return TrainState(start.x, self.transformation().init(start.x), order)

    def step(self, problem, state, key):
        """One update on the next batch."""
        g, order = self.gradient(problem, state.x, state.order, key)
        u, rule = self.transformation().update(g, state.rule, state.x)
        x = tree.add(state.x, u)
        return TrainState(x, rule, batches.spent(order, self.batch))

    def point(self, state):
        """The weights to evaluate."""
        return super().point(
            eqx.tree_at(lambda s: s.x, state, self.evaluated(state.rule, state.x))
        )


def factory(rule: type[Rule]) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """The optax factory of a rule: its fields as arguments, schedules allowed."""
    fields = [f for f in dataclasses.fields(rule) if f.name not in _OF_RUNS]

    def make(*values: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
        try:
            given = signature.bind(*values, **named).arguments
        except TypeError as error:
            raise Misuse(f"{make.__name__}: {error}; it takes {signature}") from None
        schedule = given.get("learning_rate")
        if not callable(schedule):
            schedule = None
        else:
            given = {k: v for k, v in given.items() if k != "learning_rate"}
        return rule(**{**defaults, **given}).transformation(schedule)

    defaults = {f.name: f.default for f in fields}

    signature = inspect.Signature(
        [
            inspect.Parameter(
                f.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=f.default
            )
            for f in fields
        ],
        return_annotation=optax.GradientTransformationExtraArgs,
    )
    make.__signature__ = signature  # type: ignore[attr-defined]
    make.__name__ = make.__qualname__ = rule.card.name
    make.__doc__ = rule.__doc__
    make.evaluated = rule.evaluated  # type: ignore[attr-defined]
    return make


def rate(default: float = 1e-2) -> Any:
    """The declaration of a learning rate.

    No constant of a problem gives it: the default is that of runs on sums, not tuned.
    """
    return hyperparameters.real(default)


def batch() -> Any:
    """The declaration of `batch`: 32 terms a step, an eighth of a sum that is short."""
    return hyperparameters.count(static=True)


def decay_rate(default: float) -> Any:
    """The declaration of an average's memory, in [0, 1)."""
    return hyperparameters.real(default, low="nonnegative", below=1.0)


# Trees ------------------------------------------------------------------------------


def floats(values: PyTree) -> PyTree:
    """In float32 where they are narrower: what is computed and kept in."""

    def wide(v: Any) -> Array:
        v = jnp.asarray(v)
        return v.astype(jnp.promote_types(v.dtype, jnp.float32))

    return jax.tree.map(wide, values)


def zeros(params: PyTree) -> PyTree:
    """Of their shapes and dtypes."""
    return jax.tree.map(jnp.zeros_like, params)


def average(memory: Any, old: PyTree, new: PyTree) -> PyTree:
    """memory old + (1 - memory) new."""

    def mean(a: Array, b: Array) -> Array:
        m = _as(memory, a)
        return m * a + (1 - m) * b

    return jax.tree.map(mean, old, new)


def squares(values: PyTree) -> PyTree:
    """Entry by entry."""
    return jax.tree.map(jnp.square, values)


def over_root(m: PyTree, v: PyTree, eps: Any) -> PyTree:
    """m / (sqrt(v) + eps), 0 where m is: nothing moves without a gradient."""

    def ratio(m: Array, v: Array) -> Array:
        below = jnp.sqrt(v) + _as(eps, v)
        return m / jnp.where(below > 0, below, 1)

    return jax.tree.map(ratio, m, v)


def _as(value: Any, like: Array) -> Array:
    return jnp.asarray(value, like.dtype)


def _float(t: Array, x: PyTree) -> Array:
    leaves = jax.tree.leaves(x)
    return t.astype(leaves[0].dtype if leaves else jnp.float32)


def _like(values: PyTree, model: PyTree) -> PyTree:
    return jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), values, model)


def _apart(kept: PyTree, params: PyTree) -> PyTree:
    """Each array a buffer of its own: whoever donates one donates no other."""
    seen = {id(leaf) for leaf in jax.tree.leaves(params)}

    def own(leaf: Any) -> Any:
        leaf = jnp.array(leaf) if id(leaf) in seen else leaf
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(own, kept)


def _fit(rule: type[Rule], params: PyTree) -> None:
    """Misuse where a leaf cannot be trained by this rule."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path) or "params"
        dtype = jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise Misuse(
                f"{rule.__name__}: {name} has dtype {dtype}, and real floating "
                "parameters are trained; keep the others out by optax.masked or "
                "eqx.partition"
            )
        if rule.matrices and jnp.ndim(leaf) != 2:
            raise Misuse(
                f"{rule.__name__} moves matrices, and {name} has shape "
                f"{jnp.shape(leaf)}: give the others a rule of their own by "
                "optax.multi_transform"
            )

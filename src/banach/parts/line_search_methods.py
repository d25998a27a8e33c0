"""Methods made of a direction and a search: where to go, and how far.

A `Direction` learns from steps and gradients; a `Search` takes one step along it, and
says what that cost. `Searched` puts the two together. A named method of this form
says in `Composed.composition` which two it is.
"""

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import compat, tree, validation
from banach.core.annotations import Real
from banach.core.card import Card
from banach.core.hyperparameters import part
from banach.core.method import Method, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.validated_fields import count, number
from banach.parts import line_search
from banach.parts.line_search import LineSearchResult

Scalar = Float[Array, ""]


class Direction(eqx.Module):
    """Where to go from a point, and what a step teaches.

    One of your own gives these three on pytrees, without oracles; its fields are
    hyperparameters, and its state keeps structure, shapes and dtypes.

    Source: Nocedal and Wright, Numerical Optimization (2006), section 3.1.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> (
        ...     isinstance(bn.BfgsDirection(), bn.Direction),
        ...     bn.solve(
        ...         bowl, bn.Searched(bn.BfgsDirection(), bn.UnitWolfe())
        ...     ).status,
        ... )
        (True, 'certified')
    """

    @abc.abstractmethod
    def init(self, g: PyTree) -> PyTree:
        """What is known where nothing is but the gradient g."""

    @abc.abstractmethod
    def direction(self, g: PyTree, state: PyTree) -> PyTree:
        """The direction from a point with gradient g; downhill is g.d < 0."""

    @abc.abstractmethod
    def update(self, s: PyTree, y: PyTree, g: PyTree, state: PyTree) -> PyTree:
        """After a step s that changed the gradient by y, to g."""

    def renewed(self, g: PyTree, state: PyTree) -> PyTree:
        """After a search that failed: by default what is known at a start."""
        return self.init(g)


class Steepest(Direction):
    """d = -g: nothing is learnt.

    Source: Cauchy (1847); Nocedal and Wright, Numerical Optimization (2006), section
    3.3.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Searched(bn.Steepest(), bn.Wolfe())).status
        'certified'
    """

    def init(self, g: PyTree) -> PyTree:
        """Nothing."""
        return ()

    def direction(self, g: PyTree, state: PyTree) -> PyTree:
        """-g."""
        return tree.neg(g)

    def update(self, s: PyTree, y: PyTree, g: PyTree, state: PyTree) -> PyTree:
        """Nothing."""
        return state


class Search(eqx.Module):
    """How far to go along a direction.

    Source: Nocedal and Wright, Numerical Optimization (2006), section 3.1.

    Example:
        >>> [
        ...     isinstance(search, bn.Search)
        ...     for search in (bn.Wolfe(), bn.Fixed(0.1))
        ... ]
        [True, True]
    """

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[str]:
        """Oracles that it calls: the gradient, and the value where it compares."""

    @abc.abstractmethod
    def init(self, x: PyTree, f: Any, g: PyTree) -> PyTree:
        """What it remembers before the first step."""

    @abc.abstractmethod
    def take(
        self, problem: Any, x: PyTree, f: Any, g: PyTree, d: PyTree, memory: PyTree
    ) -> tuple[LineSearchResult, PyTree]:
        """A step along d from x; f is None where the search needs no value."""


def _below(value: Any, limit: Any, name: str, what: str) -> None:
    """Misuse where a number is above a limit, or not below 1; traced ones pass."""
    if compat.any_tracer((value, limit)):
        return
    if not value < 1 or value > limit:
        raise Misuse(f"{name} must be below 1 and at most {what}, got {value:g}")


def _ordered(name: str, decrease: Any, curvature: Any) -> None:
    """0 < decrease <= curvature < 1, without which no step need exist."""
    _below(curvature, 1, f"{name} curvature", "1")
    _below(decrease, curvature, f"{name} decrease", "its curvature")


class UnitWolfe(Search):
    """Approximate Wolfe steps whose first trial is 1.

    For directions with a length of their own, as those of quasi-Newton methods.
    `decrease` < 1/2 and `curvature` as in `parts.line_search.approximate_wolfe`.

    Args:
        decrease: in (0, 1/2).
        curvature: in [decrease, 1).

    Source: Hager and Zhang, SIAM J. Optimization 16 (2005).

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Searched(bn.LbfgsDirection(5), bn.UnitWolfe())).status
        'certified'
    """

    decrease: Real = number("UnitWolfe decrease", "positive", default=1e-4)
    curvature: Real = number("UnitWolfe curvature", "positive", default=0.9)

    def __check_init__(self):
        _ordered("UnitWolfe", self.decrease, self.curvature)

    @property
    def needs(self) -> frozenset[str]:
        """Value and gradient."""
        return frozenset({"value", "grad"})

    def init(self, x: PyTree, f: Any, g: PyTree) -> PyTree:
        """Nothing."""
        return ()

    def take(self, problem, x, f, g, d, memory):
        """The search from 1."""
        out = line_search.approximate_wolfe(
            problem.value_and_grad, x, f, g, d, 1.0,
            decrease=self.decrease, curvature=self.curvature,
        )  # fmt: skip
        return out, memory


class WolfeMemory(eqx.Module):
    """The trial to fall back on, and the decrease that the last step promised."""

    trial: Scalar
    promised: Scalar


def _first(value: Any) -> Any:
    if value is None:
        return None
    return validation.number(value, "Wolfe first", low="positive")


class Wolfe(Search):
    """Approximate Wolfe steps whose first trial expects the last decrease again.

    The trial is a (g.d) / (g+.d+) (Nocedal and Wright 2006, equation 3.60), for
    directions whose length means nothing, as those of conjugate gradients. Before any
    step it is `first`; None: a hundredth of the way to the origin, or to a model
    without curvature whose minimum is 0 (Hager and Zhang 2005, step I0).

    Args:
        decrease: in (0, 1/2).
        curvature: in [decrease, 1).
        first: the first trial, > 0; None: as said above.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(
        ...     bowl, bn.Searched(bn.NonlinearCgDirection(), bn.Wolfe(first=0.1))
        ... ).status
        'certified'
    """

    decrease: Real = number("Wolfe decrease", "positive", default=0.1)
    curvature: Real = number("Wolfe curvature", "positive", default=0.9)
    first: Any = eqx.field(converter=_first, default=None)

    def __check_init__(self):
        _ordered("Wolfe", self.decrease, self.curvature)

    @property
    def needs(self) -> frozenset[str]:
        """Value and gradient."""
        return frozenset({"value", "grad"})

    def init(self, x: PyTree, f: Any, g: PyTree) -> WolfeMemory:
        """The first trial."""
        trial = _hundredth(x, f, g) if self.first is None else self.first
        trial = jnp.asarray(trial, tree.dtype(x))
        return WolfeMemory(trial, jnp.zeros_like(trial))

    def take(self, problem, x, f, g, d, memory):
        """The search from the trial."""
        slope = tree.vdot(g, d)
        again = memory.promised / jnp.where(slope == 0, 1, slope)
        trial = jnp.where((again > 0) & jnp.isfinite(again), again, memory.trial)
        out = line_search.approximate_wolfe(
            problem.value_and_grad, x, f, g, d, trial,
            decrease=self.decrease, curvature=self.curvature,
        )  # fmt: skip
        return out, WolfeMemory(trial, out.step * slope)


def _hundredth(x: PyTree, f: Scalar, g: PyTree) -> Scalar:
    slope, size = tree.vdot(g, g), tree.max_abs(g)
    trial = jnp.where(
        tree.max_abs(x) > 0,
        tree.max_abs(x) / jnp.where(size > 0, size, 1),
        jnp.abs(f) / jnp.where(slope > 0, slope, 1),
    )
    return jnp.where((trial > 0) & jnp.isfinite(trial), 0.01 * trial, 1)


class Nonmonotone(Search):
    """Halve a step of 1 until f falls below the largest of the last `memory` values.

    f(x + a d) <= max(f, ..., f_{memory - 1} before) + decrease a g.d

    up to 32 roundoffs of f, so that a decrease lost in rounding is no failure. With
    memory = 1 it is Armijo's rule.

    Source: Grippo, Lampariello and Lucidi (1986); Raydan (1997).

    Args:
        memory: how many last values, at least 1.
        decrease: in (0, 1).

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Searched(bn.Steepest(), bn.Nonmonotone(5))).status
        'certified'
    """

    memory: int = count("Nonmonotone memory", default=10)
    decrease: Real = number("Nonmonotone decrease", "positive", default=1e-4)

    def __check_init__(self):
        _below(self.decrease, 1, "Nonmonotone decrease", "1")

    @property
    def needs(self) -> frozenset[str]:
        """Value and gradient."""
        return frozenset({"value", "grad"})

    def init(self, x: PyTree, f: Any, g: PyTree) -> Float[Array, " memory"]:
        """The last values, newest last; there were none above f."""
        return jnp.full((self.memory,), f)

    def take(self, problem, x, f, g, d, memory):
        """Values until one is low enough, and a gradient there."""
        out = line_search.armijo(
            problem.value, problem.grad, x, f, g, d, 1.0,
            decrease=self.decrease, noise=32.0, ceiling=jnp.max(memory),
        )  # fmt: skip
        return out, jnp.append(memory[1:], out.f)


class Fixed(Search):
    """The same multiple of the direction in every step; no value is asked.

    Args:
        step_size: a number > 0.

    Source: the definition.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Searched(bn.Steepest(), bn.Fixed(0.5))).x.round(4)
        array([1., 1.])
    """

    step_size: Real = number("Fixed step_size", "positive")

    @property
    def needs(self) -> frozenset[str]:
        """The gradient."""
        return frozenset({"grad"})

    def init(self, x: PyTree, f: Any, g: PyTree) -> PyTree:
        """Nothing."""
        return ()

    def take(self, problem, x, f, g, d, memory):
        """The step; a failure where it moves nothing."""
        moved = tree.axpy(self.step_size, d, x)
        zero = jnp.zeros((), jnp.int32)
        good = tree.max_abs(tree.sub(moved, x)) != 0
        step = jnp.asarray(self.step_size, tree.dtype(x))
        g = problem.grad(moved)
        return LineSearchResult(moved, f, g, step, zero, zero + 1, good), memory


class SearchedState(eqx.Module):
    """Point, value and gradient; what direction and search know; calls.

    `fresh`: the direction has learnt nothing since it began, or began again.
    """

    x: PyTree
    f: Scalar | None
    g: PyTree
    known: PyTree
    memory: PyTree
    fresh: Bool[Array, ""]
    counts: dict[str, Int[Array, ""]]
    stuck: Bool[Array, ""]


_PARTS = (
    "searched is made of two parts that you give: "
    "bn.Searched(bn.BfgsDirection(), bn.UnitWolfe())"
)


class Searched(Method):
    """A direction and a search that goes along it.

    x+ = x + a d,  d = direction(g),  a from the search

    After a search that failed the direction begins again, and the method is stuck
    where that fails as well. What is proved of it depends on the two, so that no rate
    is claimed.

    Example: BFGS with a nonmonotone search,

        bn.solve(problem, bn.Searched(bn.BfgsDirection(), bn.Nonmonotone(5)))

    Args:
        direction: a `bn.Direction`, of banach's or of your own.
        search: `bn.UnitWolfe`, `bn.Wolfe`, `bn.Nonmonotone` or `bn.Fixed`.

    Source: Nocedal and Wright, Numerical Optimization (2006), chapter 3.

    As a whole:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 4), np.zeros(2))
        >>> bn.solve(bowl, bn.Searched(bn.BfgsDirection(), bn.Nonmonotone(5))).label
        'searched(bfgs, nonmonotone)'
    """

    direction: Direction = part(Direction)
    search: Search = part(Search)

    @classmethod
    def suggest(cls, problem, facts, **given):
        """A refusal: what it is made of is the caller's."""
        return Refusal("a direction and a search", _PARTS)

    @property
    def card(self) -> Card:
        """Of what it needs; it has no paper of its own."""
        if not (
            isinstance(self.direction, Direction) and isinstance(self.search, Search)
        ):
            raise Misuse(_PARTS)
        return Card(
            name=f"searched({words(self.direction)}, {words(self.search)})",
            family="composed",
            problem="Smooth",
            needs=self.search.needs,
            assumes=frozenset({"smooth"}),
            paper="",
        )

    def init(self, problem, start, key):
        """One evaluation."""
        x = start.x
        f = None
        if "value" in self.search.needs:
            f, g = problem.value_and_grad(x)
            f = jnp.asarray(f, tree.dtype(x))
        else:
            g = problem.grad(x)
        one = jnp.ones((), jnp.int32)
        return SearchedState(
            x=x, f=f, g=g, known=self.direction.init(g),
            memory=self.search.init(x, f, g), fresh=jnp.asarray(True),
            counts=dict.fromkeys(sorted(self.search.needs), one),
            stuck=jnp.asarray(False),
        )  # fmt: skip

    def step(self, problem, state, key):
        """A search, and what the direction learns from it."""
        d = self.direction.direction(state.g, state.known)
        out, memory = self.search.take(
            problem, state.x, state.f, state.g, d, state.memory
        )
        s, y = tree.sub(out.x, state.x), tree.sub(out.g, state.g)
        learnt = self.direction.update(s, y, out.g, state.known)
        known = _choose(out.success, learnt, self.direction.renewed(out.g, learnt))
        spent = {"value": out.value_calls, "grad": out.grad_calls}
        return SearchedState(
            x=out.x, f=out.f, g=out.g, known=known, memory=memory,
            fresh=~out.success,
            counts={k: n + spent[k] for k, n in state.counts.items()},
            stuck=~out.success & (state.fresh | _unlearning(known)),
        )  # fmt: skip

    def calls(self, state):
        """Counted by the search."""
        return dict(state.counts)


class Composed(Method):
    """A named method that is a composition of others: it says which."""

    @abc.abstractmethod
    def composition(self) -> Method:
        """The method that this one is a name for."""

    def init(self, problem, start, key):
        """The composition's."""
        return self.composition().init(problem, start, key)

    def step(self, problem, state, key):
        """The composition's."""
        return self.composition().step(problem, state, key)

    def point(self, state) -> Point:
        """The composition's."""
        return self.composition().point(state)

    def stuck(self, state):
        """The composition's."""
        return self.composition().stuck(state)

    def calls(self, state) -> Mapping[str, Any]:
        """The composition's."""
        return self.composition().calls(state)


def words(component: Any) -> str:
    """The name of a component's class in small letters, `unit wolfe` of `UnitWolfe`."""
    name = type(component).__name__.removesuffix("Direction")
    return "".join(" " + c.lower() if c.isupper() else c for c in name).strip()


def _choose(condition: Any, new: PyTree, old: PyTree) -> PyTree:
    """`tree.where`; a leaf that both share is not copied."""
    return jax.tree.map(
        lambda a, b: a if a is b else jnp.where(condition, a, b), new, old
    )


def _unlearning(known: PyTree) -> bool:
    """Whether a direction has nothing that could be forgotten."""
    return not jax.tree.leaves(known)

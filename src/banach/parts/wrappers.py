"""Methods made of another method: averaged, with momentum, restarted.

A wrapper sees its method from outside: states, points and calls. What is proved of a
method is proved of its own iterates, so that no wrapper claims its rate.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree, validation
from banach.core.card import Card
from banach.core.hyperparameters import part, real, word
from banach.core.method import Method, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.parts import averaging, momentum

Counts = dict[str, Int[Array, ""]]


class Begun(eqx.Module):
    """A method's state since it last began, its steps since, and calls before that."""

    state: PyTree
    steps: Int[Array, ""]
    spent: Counts


def begin(method: Method, problem: Any, start: Point, key: Array) -> Begun:
    """The first state; nothing was spent before it."""
    state = method.init(problem, start, key)
    zero = jnp.zeros((), jnp.int32)
    return Begun(state, zero, dict.fromkeys(_own(method, state, zero), zero))


def again(method: Method, problem: Any, now: Begun, start: Point, key: Array) -> Begun:
    """A new first state, elsewhere; what was spent stays counted."""
    state = method.init(problem, start, key)
    return Begun(state, jnp.zeros_like(now.steps), calls(method, now))


def advanced(method: Method, problem: Any, now: Begun, key: Array) -> Begun:
    """One step on."""
    return Begun(method.step(problem, now.state, key), now.steps + 1, now.spent)


def calls(method: Method, now: Begun) -> Counts:
    """Oracle calls so far, by name."""
    own = _own(method, now.state, now.steps)
    return {k: now.spent[k] + jnp.asarray(v, jnp.int32) for k, v in own.items()}


def _own(method: Method, state: PyTree, steps: Int[Array, ""]) -> Mapping[str, Any]:
    cost, first = method.card.cost, method.card.init_cost or {}
    if cost is None:
        return method.calls(state)
    return {k: first.get(k, 0) + steps * cost.get(k, 0) for k in {*cost, *first}}


def _wrapped(method: Method, name: str, asks: Any = (), **changes: Any) -> Card:
    """The card of a wrapper: the method's, with what it asks itself, no rate."""
    if not isinstance(method, Method):
        raise Misuse(_without(name.partition("_")[0]).cure)
    named = f"{name}({method.label()})"
    needs = method.card.needs | frozenset(asks)
    return dataclasses.replace(
        method.card, name=named, needs=needs, rate=None, rate_of=None, **changes
    )


def _without(name: str) -> Refusal:
    example = f"bn.{name.capitalize()}(bn.GradientDescent())"
    return Refusal("a method", f"{name} wraps a method that you give, as in {example}")


class AveragedState(eqx.Module):
    """The average, what it is made of, and the method's own state."""

    mean: Point
    last: averaging.Average
    before: averaging.Average | None
    inner: PyTree


class Averaged(Method):
    """A method whose answer is the average of its iterates.

    With `kind` "uniform" all iterates weigh the same (Polyak and Juditsky 1992); with
    "weighted" the t-th weighs t, so that the first ones fade (Lacoste-Julien, Schmidt
    and Bach 2012); with "tail" the last half to three quarters of them weigh the same
    and the others nothing, whatever the number of steps (Rakhlin, Shamir and Sridharan
    2012). The method itself goes on from its own iterates, and calls are its own.

    Averages undo noise, as of stochastic gradients with a constant step; where a method
    converges fast, they hold it back: a uniform average of iterates that arrived after
    k steps is still k / t away.

    Example: Polyak-Ruppert averages of stochastic gradient steps,

        bn.solve(problem, bn.Averaged(bn.Sgd(), "tail"))

    Args:
        method: what is averaged, an instance.
        kind: "uniform", "tail" or "weighted".

    As a whole:
        >>> noisy = bn.FiniteSum(
        ...     lambda x, d: (x - d) ** 2, 0.0, np.arange(8.0), convex=True
        ... )
        >>> bn.solve(
        ...     noisy, bn.Averaged(bn.Sgd(0.1, batch=4), "tail"), tol=0.1
        ... ).label
        'averaged_tail(sgd)'
    """

    method: Method = part(Method)
    kind: str = word("uniform", "tail", "weighted", default="uniform")

    @classmethod
    def suggest(cls, problem, facts, **given):
        """A refusal: the method is the caller's."""
        return _without("averaged")

    @property
    def card(self) -> Card:  # type: ignore[override]
        """The method's, without its rate."""
        return _wrapped(self.method, f"averaged_{self.kind}")

    @property
    def typical(self) -> Mapping[str, float] | None:  # type: ignore[override]
        """The method's."""
        return self.method.typical

    def init(self, problem, start, key):
        """The average of nothing is the start."""
        inner = self.method.init(problem, start, key)
        point = self.method.point(inner)
        none = averaging.Average(point, jnp.zeros((), jnp.int32))
        return AveragedState(point, none, none if self.kind == "tail" else None, inner)

    def step(self, problem, state, key):
        """A step of the method, and its iterate taken in."""
        inner = self.method.step(problem, state.inner, key)
        x = self.method.point(inner)
        if self.kind == "tail":
            mean, last, before = averaging.tail(state.before, state.last, x)
            return AveragedState(mean, last, before, inner)
        weight = 0.0 if self.kind == "uniform" else 1.0
        last = averaging.polynomial(state.last, x, weight)
        return AveragedState(last.mean, last, None, inner)

    def point(self, state):
        """The average, multipliers too."""
        return state.mean

    def stuck(self, state):
        """Whether the method is, and the average has arrived where it is."""
        apart = tree.sub(self.method.point(state.inner), state.mean)
        return self.method.stuck(state.inner) & (tree.max_abs(apart) == 0)

    def calls(self, state):
        """The method's."""
        return self.method.calls(state.inner)

    def sent(self, problem, steps):
        """The method's."""
        return self.method.sent(problem, steps)


class MomentumState(eqx.Module):
    """The last iterate, the method begun where it goes on from, and theta."""

    x: Point
    begun: Begun
    theta: Float[Array, ""]
    stuck: Bool[Array, ""]


class Momentum(Method):
    """A method that takes each step from a point extrapolated beyond the last.

    x+ = the method's step from z,   z+ = x+ + beta (x+ - x)

    beta is Nesterov's sequence (theta - 1) / theta+, which tends to 1, or `weight` in
    every step. The method begins anew at z, and forgets what it knew: give it a method
    whose step is a map of the point (gradient_descent, picard, proximal_gradient). What
    it evaluates to begin is paid in every step; accelerated_gradient and fista are the
    same of the first and the last without that.

    Fails where the map is no step of descent for a convex function: momentum may then
    make a method diverge that converges by itself. Not monotone; `bn.Restarted` drops
    momentum that overshoots.

    Example:

        bn.solve(problem, bn.Restarted(bn.Momentum(bn.Picard(1.0)), "slowing"))

    Args:
        method: whose steps are taken, an instance.
        weight: a constant beta in [0, 1); None: Nesterov's sequence.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section 2.2;
    Polyak (1964) for a constant weight.

    As a whole:
        >>> half = bn.FixedPoint(
        ...     lambda x: 0.9 * x + 1, np.zeros(1), contraction=0.9
        ... )
        >>> bn.solve(half, bn.Momentum(bn.Picard(1.0), weight=0.3)).x.round(2)
        array([10.])
    """

    method: Method = part(Method)
    weight: Any = real(None, low="nonnegative", below=1, optional=True)

    @classmethod
    def suggest(cls, problem, facts, **given):
        """A refusal: the method is the caller's."""
        return _without("momentum")

    @property
    def card(self) -> Card:  # type: ignore[override]
        """The method's, without its rate; calls are counted."""
        return _wrapped(self.method, "momentum", cost=None, init_cost=None)

    @property
    def typical(self) -> Mapping[str, float] | None:  # type: ignore[override]
        """The method's, with what it takes to begin."""
        cost, first = self.method.card.cost, self.method.card.init_cost or {}
        if cost is None:
            return self.method.typical
        return {k: cost.get(k, 0) + first.get(k, 0) for k in {*cost, *first}}

    def init(self, problem, start, key):
        """The method at the start."""
        begun = begin(self.method, problem, start, key)
        x = self.method.point(begun.state)
        return MomentumState(x, begun, jnp.ones((), tree.dtype(x)), jnp.asarray(False))

    def step(self, problem, state, key):
        """The method's step, the extrapolation, and the method begun there."""
        first, second = jax.random.split(key)
        begun = advanced(self.method, problem, state.begun, first)
        x = self.method.point(begun.state)
        theta, beta = momentum.nesterov_theta(state.theta), self.weight
        if beta is None:
            beta = momentum.weight(state.theta, theta)
        moved = tree.sub(x, state.x)
        z = tree.axpy(beta, moved, x)
        stuck = self.method.stuck(begun.state) & (tree.max_abs(moved) == 0)
        begun = again(self.method, problem, begun, z, second)
        return MomentumState(x, begun, theta, stuck)

    def point(self, state):
        """The last iterate, not the extrapolated point."""
        return state.x

    def calls(self, state):
        """The method's, with those of beginning anew."""
        return calls(self.method, state.begun)


class RestartedState(eqx.Module):
    """The method as it runs, its last point, and what the rule remembers."""

    begun: Begun
    x: Point
    seen: Float[Array, ""] | None
    since: Int[Array, ""]
    asked: Int[Array, ""]


WORDS = ("slowing", "rising", "uphill")
# Steps that "slowing" lets pass first: the first ones of a momentum always shorten.
LEAST = 10


def _rule() -> Any:
    def read(value: Any, name: str) -> Any:
        if isinstance(value, str):
            return validation.choice(value, name, WORDS)
        if isinstance(value, bool) or not isinstance(value, int):
            listed = ", ".join(map(repr, WORDS))
            raise Misuse(
                f"{name} must be a number of steps or one of {listed}, got "
                f"{validation.shown(value)}"
            )
        return validation.integer(value, name, low=1)

    return eqx.field(default="slowing", static=True, metadata={"read": read})


class Restarted(Method):
    """A method that begins anew at its own point when a rule says so.

    The rules: every k steps (`rule` is k); "slowing", a step is shorter than the one
    before, ten steps after a beginning or later (Su, Boyd and Candes 2016), which calls
    no oracle; "rising", the value rose, or "uphill", g(x).(x - x-) > 0 at the new x
    (after O'Donoghue and Candes 2015), which call value or grad once a step. What a
    method had learnt or gathered (momentum, curvature pairs, a bracket of L) is then
    forgotten, and what `init` evaluates is paid again.

    Fails to help where forgetting is the loss: quasi-Newton methods, mostly.

    Example:

        bn.solve(problem, bn.Restarted(bn.AcceleratedGradient(restart=False), "uphill"))

    Args:
        method: what is restarted, an instance.
        rule: a number of steps, "slowing", "rising" or "uphill".

    As a whole:
        >>> bowl = bn.Smooth(
        ...     lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2), convex=True, L=2.0
        ... )
        >>> bn.solve(
        ...     bowl, bn.Restarted(bn.AcceleratedGradient(restart=False), "uphill")
        ... ).status
        'certified'
    """

    method: Method = part(Method)
    rule: int | str = _rule()

    @classmethod
    def suggest(cls, problem, facts, **given):
        """A refusal: the method is the caller's."""
        return _without("restarted")

    @property
    def card(self) -> Card:  # type: ignore[override]
        """The method's with the oracle of the rule, without its rate."""
        name = f"restarted_{self.rule}"
        return _wrapped(self.method, name, self._asks(), cost=None, init_cost=None)

    @property
    def typical(self) -> Mapping[str, float] | None:  # type: ignore[override]
        """The method's, with the rule's oracle."""
        usual = self.method.card.cost or self.method.typical
        if usual is None:
            return None
        return {**usual} | {k: usual.get(k, 0) + 1 for k in self._asks()}

    def _asks(self) -> dict[str, int]:
        """What the rule calls in a step, and whether it calls at the start too."""
        return {"rising": {"value": 1}, "uphill": {"grad": 0}}.get(self.rule, {})

    def init(self, problem, start, key):
        """The method at the start."""
        begun = begin(self.method, problem, start, key)
        x = self.method.point(begun.state)
        zero, seen = jnp.zeros((), jnp.int32), None
        if self.rule == "rising":
            seen = jnp.asarray(problem.value(x.x), tree.dtype(x))
        elif self.rule == "slowing":
            seen = jnp.zeros((), tree.dtype(x))
        asked = zero + sum(self._asks().values())
        return RestartedState(begun, x, seen, zero, asked)

    def step(self, problem, state, key):
        """A step of the method, the rule, and a new beginning where it says so."""
        first, second = jax.random.split(key)
        begun = advanced(self.method, problem, state.begun, first)
        x = self.method.point(begun.state)
        moved, since = tree.sub(x.x, state.x.x), state.since + 1
        seen = state.seen
        if self.rule == "slowing":
            seen = tree.norm(moved)
            drop = (seen < state.seen) & (since >= LEAST)
        elif self.rule == "rising":
            seen = jnp.asarray(problem.value(x.x), state.seen.dtype)
            drop = momentum.function_restart(seen, state.seen)
        elif self.rule == "uphill":
            g = problem.grad(x.x)
            drop = momentum.gradient_restart(g, x.x, state.x.x)
        else:
            drop = since >= self.rule
        begun = jax.lax.cond(
            drop,
            lambda: again(self.method, problem, begun, x, second),
            lambda: begun,
        )
        return RestartedState(
            begun, x, seen, jnp.where(drop, 0, since), state.asked + len(self._asks())
        )

    def point(self, state):
        """The method's."""
        return state.x

    def stuck(self, state):
        """Whether the method is."""
        return self.method.stuck(state.begun.state)

    def calls(self, state):
        """The method's over all its beginnings, and the rule's."""
        counts = calls(self.method, state.begun)
        for k in self._asks():
            counts[k] = counts.get(k, jnp.zeros((), jnp.int32)) + state.asked
        return counts

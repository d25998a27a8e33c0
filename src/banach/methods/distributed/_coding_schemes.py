"""Which worker computes what in which round, and when a job's gradient is complete.

A job is one gradient of the whole sum, at the point of one of `lanes` models that are
trained in turn: job t belongs to lane t mod lanes, and is complete when its lane's
turn comes again. The sum is cut into `pieces` equal pieces; a task is the gradient of
a combination of `width` of them. Schemes are those of Krishnan, Ebrahimi and Khisti
(2023); rows of the result arrays are tasks whose result has not come, or zero.
"""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from banach.core.problem import Misuse
from banach.methods.distributed import _gradient_coding as coding


class Tasks(NamedTuple):
    """For each worker and slot: the lane, and a combination of pieces."""

    lane: Int[Array, "n slots"]
    pieces: Int[Array, "n slots width"]
    weights: Float[Array, "n slots width"]
    note: Any


class Scheme(eqx.Module):
    """What a straggler-proof schedule has to answer; all sizes are static."""

    @property
    @abc.abstractmethod
    def lanes(self) -> int:
        """Models in training: the delay of a job, plus one."""

    @property
    @abc.abstractmethod
    def slots(self) -> int:
        """Tasks of a worker in a round."""

    @property
    @abc.abstractmethod
    def pieces(self) -> int:
        """Equal pieces of the sum."""

    @property
    @abc.abstractmethod
    def load(self) -> float:
        """Share of the sum that a worker passes over in a round."""

    @property
    @abc.abstractmethod
    def memory(self) -> int:
        """Rounds of the past on which the straggler model looks."""

    @property
    @abc.abstractmethod
    def quorum(self) -> int:
        """Answers after which nobody is waited for; 0: stragglers decide."""

    @abc.abstractmethod
    def empty(self, size: int, dtype: Any) -> Any:
        """No results yet, for gradients of `size` entries."""

    @abc.abstractmethod
    def tasks(self, results: Any, t: Array) -> Tasks:
        """What each worker does in round t."""

    @abc.abstractmethod
    def receive(
        self, results: Any, t: Array, tasks: Tasks, g: Array, alive: Array
    ) -> Any:
        """With the gradients (n, slots, size) of the workers that answered."""

    @abc.abstractmethod
    def gradient(self, results: Any, lane: Array) -> tuple[Array, Array]:
        """The job of a lane, decoded, and the largest error of its decoding."""

    @abc.abstractmethod
    def clear(self, results: Any, lane: Array) -> Any:
        """Without the results of a lane's job."""

    @abc.abstractmethod
    def allows(self, history: Bool[Array, "rounds n"]) -> Array:
        """Whether the stragglers of the last rounds, the newest last, are borne."""


class Repeated(Scheme):
    """SR-SGC: one coded task a worker and round; a job short of results is made good
    `burst` rounds later by workers that failed it. burst = 0 is GC(n, s)."""

    n: int = eqx.field(static=True)
    s: int = eqx.field(static=True)
    burst: int = eqx.field(static=True, default=0)
    window: int = eqx.field(static=True, default=1)
    stragglers: int = eqx.field(static=True, default=0)

    @property
    def lanes(self) -> int:
        """Burst + 1."""
        return self.burst + 1

    @property
    def slots(self) -> int:
        """1."""
        return 1

    @property
    def pieces(self) -> int:
        """One a worker."""
        return self.n

    @property
    def load(self) -> float:
        """(s + 1) / n."""
        return coding.load_gc(self.n, self.s)

    @property
    def memory(self) -> int:
        """Window rounds."""
        return self.window

    @property
    def quorum(self) -> int:
        """GC stops at n - s."""
        return 0 if self.burst else self.n - self.s

    def empty(self, size: int, dtype: Any) -> Any:
        """Coded results of each lane, and which have come."""
        shape = (self.lanes, self.n)
        return jnp.zeros((*shape, size), dtype), jnp.zeros(shape, bool)

    def tasks(self, results: Any, t: Array) -> Tasks:
        """The new job's task, or the one that is due and still wanting."""
        _, come = results
        # The lane of the new job is t's; the one due is the next.
        due = (t + 1) % self.lanes
        wanting = self.n - self.s - jnp.sum(come[due])
        missing = ~come[due]
        repeat = missing & (jnp.cumsum(missing) <= wanting) & (t >= self.burst)
        repeat = repeat & (self.burst > 0)
        lane = jnp.where(repeat, due, t % self.lanes)[:, None]
        pieces, weights = _rows(self.n, self.s)
        return Tasks(
            lane, jnp.asarray(pieces)[:, None], jnp.asarray(weights)[:, None], 0
        )

    def receive(
        self, results: Any, t: Array, tasks: Tasks, g: Array, alive: Array
    ) -> Any:
        """Stored under the task's lane."""
        values, come = results
        worker, lane = jnp.arange(self.n), tasks.lane[:, 0]
        new = jnp.where(alive[:, None], g[:, 0], values[lane, worker])
        values = values.at[lane, worker].set(new)
        return values, come.at[lane, worker].set(come[lane, worker] | alive)

    def gradient(self, results: Any, lane: Array) -> tuple[Array, Array]:
        """From any n - s results."""
        values, come = results
        B = jnp.asarray(coding.code(self.n, self.s), values.dtype)
        a, error = coding.decoder(B, come[lane])
        return a @ values[lane], error

    def clear(self, results: Any, lane: Array) -> Any:
        """Forget the lane."""
        return tuple(v.at[lane].set(jnp.zeros((), v.dtype)) for v in results)

    def allows(self, history: Bool[Array, "rounds n"]) -> Array:
        """At most s in a round of GC, else the bursty model."""
        if self.burst == 0:
            return jnp.sum(history[-1]) <= self.s
        return coding.conforms(history, self.burst, self.window, self.stragglers)


class Multiplexed(Scheme):
    """M-SGC: each job is spread over window - 1 + burst rounds.

    In its first window - 1 rounds a worker passes over pieces that are its own; in
    the last `burst` it repeats what it failed, or else does a task of GC(n, lam).
    """

    n: int = eqx.field(static=True)
    burst: int = eqx.field(static=True)
    window: int = eqx.field(static=True)
    stragglers: int = eqx.field(static=True)

    @property
    def lanes(self) -> int:
        """Window - 1 + burst."""
        return self.window - 1 + self.burst

    @property
    def slots(self) -> int:
        """One a lane."""
        return self.lanes

    @property
    def width(self) -> int:
        """Pieces in a task."""
        return self.stragglers + 1

    @property
    def pieces(self) -> int:
        """Those of the workers' own parts, then those of the coded groups."""
        return self.n * ((self.window - 1) * self.width + self.burst)

    @property
    def load(self) -> float:
        """(lam + 1) (window - 1 + burst) / (n (burst + (window - 1) (lam + 1)))."""
        return coding.load_multiplexed(self.n, self.burst, self.window, self.stragglers)

    @property
    def memory(self) -> int:
        """Window rounds."""
        return self.window

    @property
    def quorum(self) -> int:
        """None."""
        return 0

    def empty(self, size: int, dtype: Any) -> Any:
        """Own parts done and their sum, coded results and which have come."""
        own = (self.lanes, self.n, self.window - 1)
        coded = (self.lanes, self.burst, self.n)
        return (
            jnp.zeros(own, bool),
            jnp.zeros((self.lanes, size), dtype),
            jnp.zeros((*coded, size), dtype),
            jnp.zeros(coded, bool),
        )

    def tasks(self, results: Any, t: Array) -> Tasks:
        """One task a lane: the lane of job t is new, the next lane's job is due."""
        done = results[0]
        lane = jnp.arange(self.lanes)
        age = (t - lane) % self.lanes
        worker = jnp.arange(self.n)[:, None]
        first_missing = jnp.argmin(done, axis=2).T  # (n, lanes)
        fresh = age < self.window - 1
        own = fresh | ~jnp.all(done, axis=2).T
        part = jnp.where(fresh, age, first_missing)
        group = jnp.clip(age - (self.window - 1), 0, self.burst - 1)
        k = jnp.arange(self.width)
        mine = (worker * (self.window - 1) + part)[..., None] * self.width + k
        pieces, weights = _rows(self.n, self.stragglers)
        begin = self.n * (self.window - 1) * self.width + group * self.n
        shared = begin[None, :, None] + jnp.asarray(pieces)[:, None]
        one = jnp.ones((), weights.dtype)
        started = (t >= lane)[None]  # a lane works from its first job on
        return Tasks(
            jnp.broadcast_to(lane, own.shape),
            jnp.where(own[..., None], mine, shared),
            jnp.where(own[..., None], one, weights[:, None]),
            (own & started, part, group, started & ~own),
        )

    def receive(
        self, results: Any, t: Array, tasks: Tasks, g: Array, alive: Array
    ) -> Any:
        """Own parts are added up; coded results are kept apart."""
        done, total, values, come = results
        own, part, group, coded = tasks.note
        got = (own & alive[:, None]).T  # (lanes, n)
        lane, worker = jnp.arange(self.lanes)[:, None], jnp.arange(self.n)[None]
        by_lane = jnp.swapaxes(g, 0, 1)
        if self.window > 1:
            at = (lane, worker, jnp.broadcast_to(part.T, got.shape))
            done = done.at[at].set(done[at] | got)
        total = total + jnp.sum(jnp.where(got[..., None], by_lane, 0), axis=1)
        came = (coded & alive[:, None]).T
        at = (lane, group[:, None], worker)
        values = values.at[at].set(jnp.where(came[..., None], by_lane, values[at]))
        return done, total, values, come.at[at].set(come[at] | came)

    def gradient(self, results: Any, lane: Array) -> tuple[Array, Array]:
        """Own parts and decoded groups; infinite error if an own part is missing."""
        done, total, values, come = results
        B = jnp.asarray(coding.code(self.n, self.stragglers), values.dtype)
        a, errors = jax.vmap(lambda alive: coding.decoder(B, alive))(come[lane])
        g = total[lane] + jnp.einsum("bn,bnd->d", a, values[lane])
        whole = jnp.all(done[lane])
        return g, jnp.where(whole, jnp.max(errors), jnp.inf)

    def clear(self, results: Any, lane: Array) -> Any:
        """Forget the lane."""
        return tuple(v.at[lane].set(jnp.zeros((), v.dtype)) for v in results)

    def allows(self, history: Bool[Array, "rounds n"]) -> Array:
        """The bursty model."""
        return coding.conforms(history, self.burst, self.window, self.stragglers)


def gc(n: int, s: int) -> Repeated:
    """GC(n, s): every round's gradient from any n - s workers; s = 0 is uncoded."""
    coding.code(n, s)
    return Repeated(n, s)


def sr_sgc(n: int, burst: int, window: int, stragglers: int) -> Repeated:
    """SR-SGC for the (burst, window, stragglers) model; burst divides window - 1."""
    coding.check_model(n, burst, window, stragglers)
    if (window - 1) % burst:
        raise Misuse(
            f"SR-SGC needs a burst that divides window - 1, got {burst} and {window}; "
            f"use window={burst + 1}"
        )
    s = coding.repeats_needed(burst, window, stragglers)
    return Repeated(n, s, burst, window, stragglers)


def m_sgc(n: int, burst: int, window: int, stragglers: int) -> Multiplexed:
    """M-SGC for the (burst, window, stragglers) model; burst < window."""
    coding.check_model(n, burst, window, stragglers)
    if not (burst < window and stragglers < n):
        raise Misuse(
            f"M-SGC needs burst < window and fewer than all {n} workers straggling, "
            f"got burst {burst}, window {window}, stragglers {stragglers}"
        )
    return Multiplexed(n, burst, window, stragglers)


def _rows(n: int, s: int) -> tuple[np.ndarray, np.ndarray]:
    """The parts of each coded task and their coefficients, both (n, s + 1)."""
    B = coding.code(n, s)
    parts = np.stack([np.flatnonzero(row) for row in B])
    return parts, np.take_along_axis(B, parts, axis=1)

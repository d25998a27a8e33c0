"""Gradient descent whose gradients are coded across workers and rounds."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, part, real, upper
from banach.core.method import Method, Refusal
from banach.core.problem import Misuse
from banach.methods.distributed import _coding_schemes as schemes
from banach.methods.distributed._coding_schemes import Scheme
from banach.methods.distributed._stragglers import Bursts


class SequentialGradientCodingState(eqx.Module):
    x: PyTree
    models: Float[Array, "lanes d"]
    sizes: Float[Array, " lanes"]  # of the last gradient of each lane
    results: PyTree
    slow: Bool[Array, " n"]
    history: Bool[Array, "rounds n"]  # who straggled, the newest last
    round: Int[Array, ""]
    clock: Float[Array, ""]  # simulated seconds
    error: Float[Array, ""]  # the largest of any decoding


@method(
    problem="DistributedSum",
    needs={"coded_grad"},
    assumes={"smooth"},
    paper="krishnan2023sequential",
    cost={"coded_grad": 1},
    random=True,
)
class SequentialGradientCoding(Method):
    """x+ = x - step_size grad F(x), with stragglers left behind.

    Workers send coded sums of gradients; the master goes on when those that came
    suffice. `scheme`: gc(n, s) decodes each round from n - s workers; sr_sgc and m_sgc
    let a straggler's work be made good in later rounds, for less redundant work, at
    the price of a delay: `lanes` models are then trained in turn, one job a round,
    lane j with step_size (1 + spread j / lanes); the model with the smallest gradient
    is handed out.

    Stragglers are injected by `bursts` on a simulated clock (`state.clock`): the master
    of sr_sgc and m_sgc waits (1 + patience) times the fastest worker, and longer while
    `scheme` does not bear the pattern. Decoded gradients are exact to rounding;
    `state.error` is the largest |a'B - 1'| of any decoding.

    Fails where step_size is above 2 / L.
    """

    step_size: Real = real()
    scheme: Scheme = part(Scheme)
    bursts: Bursts = part(Bursts, default=Bursts())
    patience: Real = real(1.0, low="nonnegative")
    spread: Real = real(0.5, low="nonnegative")

    @classmethod
    def suggest(cls, problem, facts):
        L, n = upper(facts, "L"), problem.workers
        if L is None:
            return Refusal(
                "fact L",
                "sequential_gradient_coding needs L: declare L= on the sum, or give "
                "SequentialGradientCoding(step_size, scheme) yourself",
            )
        if n < 3:
            return cls(1 / L, schemes.gc(n, n - 1))
        return cls(1 / L, schemes.m_sgc(n, 1, 2, max(1, n // 4)))

    def init(self, problem, start, key):
        flat, _ = tree.ravel(start.x)
        scheme, n, d = self.scheme, problem.workers, flat.dtype
        if scheme.n != n:
            raise Misuse(f"a scheme for {scheme.n} workers meets {n}; make one")
        return SequentialGradientCodingState(
            start.x, jnp.tile(flat, (scheme.lanes, 1)),
            jnp.full(scheme.lanes, jnp.inf, d), scheme.empty(flat.size, d),
            jnp.zeros(n, bool), jnp.zeros((scheme.memory, n), bool), jnp.int32(0),
            jnp.zeros((), d), jnp.zeros((), d),
        )  # fmt: skip

    def step(self, problem, state, key):
        scheme, t, models = self.scheme, state.round, state.models
        unravel = tree.ravel(state.x)[1]
        slow, seconds = self.bursts.round(state.slow, scheme.load, key, models.dtype)
        alive, took, history = self.waited(state.history, seconds)
        tasks = scheme.tasks(state.results, t)
        xs = jax.vmap(jax.vmap(unravel))(models[tasks.lane])
        sent = problem.coded_grad(xs, scheme.pieces, tasks.pieces, tasks.weights)
        g = jax.vmap(jax.vmap(lambda one: tree.ravel(one)[0]))(sent)
        results = scheme.receive(state.results, t, tasks, g, alive)
        # The lane whose turn comes next has its job complete, once it had one.
        lane = (t + 1) % scheme.lanes
        due = t + 1 >= scheme.lanes
        decoded, error = scheme.gradient(results, lane)
        share = lane.astype(models.dtype) / scheme.lanes
        size = self.step_size * (1 + self.spread * share)
        moved = models.at[lane].add(-size * decoded)
        models = jnp.where(due, moved, models)
        norm = jnp.sqrt(jnp.sum(jnp.square(decoded)))
        sizes = jnp.where(due, state.sizes.at[lane].set(norm), state.sizes)
        results = tree.where(due, scheme.clear(results, lane), results)
        x, clock = unravel(models[jnp.argmin(sizes)]), state.clock + took
        error = jnp.where(due, jnp.maximum(state.error, error), state.error)
        return SequentialGradientCodingState(
            x, models, sizes, results, slow, history, t + 1, clock, error
        )

    def waited(self, history, seconds):
        """(who answered, how long that took, the history with this round)."""
        n, scheme = seconds.size, self.scheme
        rank = jnp.argsort(jnp.argsort(seconds))

        def after(k):
            straggled = rank >= k
            new = jnp.concatenate([history[1:], straggled[None]])
            return scheme.allows(new), new

        allowed, histories = jax.vmap(after)(jnp.arange(n + 1))
        least, limit = scheme.quorum, jnp.zeros_like(seconds[0])
        if not least:
            # Nobody knows who straggles before the time is up, or all have answered.
            limit = (1 + self.patience) * jnp.min(seconds)
            least = jnp.sum(seconds <= limit)
            limit = jnp.minimum(limit, jnp.max(seconds))
        k = jnp.argmax(allowed & (jnp.arange(n + 1) >= least))
        alive = rank < k
        took = jnp.maximum(limit, jnp.max(jnp.where(alive, seconds, 0)))
        return alive, took, histories[k]

    def sent(self, problem, steps):
        word = tree.word(problem.start().x)
        return {"up": steps * self.scheme.n * self.scheme.slots * problem.size() * word}

"""Cyclic block descent on sums with a term, its gradients learnt from few terms."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, count, real, upper
from banach.core.method import Method, Refusal


class VrCyclicBlockDescentState(eqx.Module):
    """Iterate, the one before, what is believed of the gradient, steps, calls."""

    x: PyTree
    old: Float[Array, " n"]
    estimate: Float[Array, " n"]
    k: Int[Array, ""]
    spent: Int[Array, " 3"]


@method(
    problem="Composite",
    needs={"grad", "stochastic_grad", "prox"},
    assumes={"smooth"},
    paper="cai2023cyclic",
    random=True,
)
class VrCyclicBlockDescent(Method):
    """Proximal steps on a block after the other, with recursive variance reduction.

    x_j+ = prox(x_j - eta G_j, eta)_j,  z_j = (x_1+, .., x_{j-1}+, x_j, .., x_m)

    G_j = grad_j f(z_j) with `probability`, one coin a cycle, and in the first, else

    G_j = G_j- + mean over `batch` terms of grad_j f_i(z_j) - grad_j f_i(z_j-)

    with terms drawn anew for each block, z_j- the z_j of the cycle before, and f the
    mean of the f_i (PAGE's estimate). With probability = 1 it is cyclic proximal
    descent (P-CCD), with one block proximal PAGE. Blocks are the leaves of x where
    there are several, else `blocks` runs of its unknowns in order, and one where the
    term is not separable.

    By default |B| = sqrt(n), the probability is |B| / (n + |B|), and eta = `step_size`
    = 1 / (L + L sqrt((1 - p) / (p |B|))): PAGE's, where the paper has constants of
    blocks in a matrix norm (reconstructed, as is the order of draws).

    Fails where eta is too long for single terms: L is that of f, and the f_i may bend
    more. A cycle costs a gradient a block; where partial gradients are as cheap as
    their share, as in linear models with the margins kept, the price is that of one.
    """

    step_size: Real = real()
    probability: Real = real(most=1)
    batch: int = count(static=True)
    blocks: int = count(2, static=True)

    @property
    def typical(self):
        return {"stochastic_grad": 2 * self.batch * self.blocks, "prox": self.blocks}

    @classmethod
    def suggest(
        cls, problem, facts, step_size=None, probability=None, batch=None, **given
    ):
        n = problem.n
        batch = math.ceil(math.sqrt(n)) if batch is None else batch
        p = batch / (n + batch) if probability is None else probability
        if step_size is None:
            L = upper(facts, "L")
            if L is None:
                return Refusal("L", "declare L=... on the problem, or pass step_size=")
            step_size = 1 / (L + L * math.sqrt((1 - p) / (p * batch)))
        return cls(step_size, p, batch, **given)

    def init(self, problem, start, key):
        x, zero = tree.ravel(start.x)[0], jnp.zeros((), jnp.int32)
        none = jnp.zeros(3, jnp.int32)
        return VrCyclicBlockDescentState(start.x, x, jnp.zeros_like(x), zero, none)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        block, eta = (
            self._blocks(problem, state.x),
            jnp.asarray(self.step_size, x.dtype),
        )
        m, n = int(block[-1]) + 1, problem.n
        coin, draw = jax.random.split(key)
        whole = (jax.random.uniform(coin) < self.probability) | (state.k == 0)

        def update(j, carry):
            z, G = carry
            index = jax.random.randint(jax.random.fold_in(draw, j), (self.batch,), 0, n)

            def drawn(z):
                return tree.ravel(problem.stochastic_grad(back(z), index))[0]

            def learnt():
                before = jnp.where(block < j, x, state.old)
                new, old = jax.lax.map(drawn, jnp.stack([z, before]))
                return G + new - old

            def asked():
                return tree.ravel(problem.grad(back(z)))[0]

            mine = block == j
            G = jnp.where(mine, jax.lax.cond(whole, asked, learnt), G)
            near = tree.ravel(problem.prox(back(x - eta * G), eta))[0]
            return jnp.where(mine, near, z), G

        z, G = jax.lax.fori_loop(0, m, update, (x, state.estimate))
        drawn = jnp.where(whole, 0, 2 * self.batch * m)
        spent = jnp.stack([jnp.where(whole, m, 0), drawn, jnp.full_like(drawn, m)])
        spent = state.spent + spent.astype(jnp.int32)
        return VrCyclicBlockDescentState(back(z), x, G, state.k + 1, spent)

    def _blocks(self, problem, x):
        """The block of each unknown (static)."""
        term = getattr(getattr(problem, "base", problem), "term", None)
        sizes = [v.size for v in jax.tree.leaves(x)]
        if not getattr(term, "separable", False):
            return np.zeros(sum(sizes), int)
        if len(sizes) > 1:
            return np.repeat(np.arange(len(sizes)), sizes)
        return np.arange(sizes[0]) * min(self.blocks, sizes[0]) // sizes[0]

    def calls(self, state):
        grad, drawn, prox = state.spent
        return {"grad": grad, "stochastic_grad": drawn, "prox": prox}

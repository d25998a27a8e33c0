"""Gradients as products of two thin factors, found by power iteration between steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, count, real, upper
from banach.core.method import Method, Refusal
from banach.parts import worker_map


class PowersgdState(eqx.Module):
    x: PyTree
    e: PyTree  # what each worker has held back
    q: tuple  # the right factor of each matrix, the next power iteration's start
    m: PyTree  # momentum


@method(
    problem="DistributedSum",
    needs={"local_grad"},
    assumes={"smooth"},
    paper="vogels2019powersgd",
    cost={"local_grad": 1},
    random=True,
)
class Powersgd(Method):
    """Workers average two thin factors of their gradients, and keep what is left.

    For each matrix of x, D_i = grad f_i + e_i:
    P = orthogonalise(mean(D_i Q)),  Q = mean(D_i^T P),  D = P Q^T,  e_i+ = D_i - D
    m+ = momentum m + D,  x+ = x - step_size (D + m+)

    One step of subspace iteration on mean(D_i), begun where the last one ended, at
    first from a Gaussian Q. Leaves of x with less than two axes are sent whole,
    D = mean(D_i); of those with more, the first axis gives the rows. Both averages are
    linear, so that an all-reduce makes them: a message of rank (rows + columns) entries
    goes up and down. `suggest` takes the step (1 - momentum) / (4 L_worker), a rule of
    ours.

    Fails where step_size is too large for gradients of high rank: errors pile up. On
    a vector it compresses nothing.
    """

    step_size: Real = real()
    momentum: Real = real(0.9, low="nonnegative", below=1)
    rank: int = count(2, static=True)

    @classmethod
    def suggest(cls, problem, facts, momentum=0.9, rank=2):
        L = upper(facts, "L_worker")
        if L is None:
            return Refusal(
                "fact L_worker",
                "powersgd needs a bound on the curvature of every worker's f_i: "
                "DistributedSum(..., L=...), or give Powersgd(step_size) yourself",
            )
        return cls((1 - momentum) / (4 * L), momentum, rank)

    def init(self, problem, start, key):
        leaves = jax.tree.leaves(start.x)
        keys = jax.random.split(key, len(leaves))
        q = tuple(
            jax.random.normal(k, (v.size // v.shape[0], self.of(v)), v.dtype)
            for k, v in zip(keys, leaves, strict=True)
            if v.ndim > 1
        )
        held = jax.tree.map(
            lambda v: jnp.zeros((problem.workers, *v.shape), v.dtype), start.x
        )
        return PowersgdState(start.x, held, q, tree.zeros_like(start.x))

    def of(self, leaf):
        """The rank of a leaf's message."""
        return min(self.rank, leaf.shape[0], leaf.size // leaf.shape[0])

    def step(self, problem, state, key):
        mean = lambda rows: worker_map.mean(problem.mesh, rows)  # noqa: E731
        D = tree.add(problem.local_grad(state.x), state.e)
        leaves, shape = jax.tree.flatten(D)
        sent, new, old = [], [], iter(state.q)
        for each in leaves:
            if each.ndim < 3:
                sent.append(mean(each))
                continue
            M = each.reshape(*each.shape[:2], -1)
            P = jnp.linalg.qr(mean(_times(M, next(old))))[0]
            Q = mean(_times(jnp.swapaxes(M, 1, 2), P))
            sent.append(_times(P, Q.T).reshape(each.shape[1:]))
            new.append(Q)
        step = jax.tree.unflatten(shape, sent)
        e = jax.tree.map(lambda d, s: d - s, D, step)
        m = tree.axpy(self.momentum, state.m, step)
        x = tree.axpy(-self.step_size, tree.add(step, m), state.x)
        return PowersgdState(x, e, tuple(new), m)

    def sent(self, problem, steps):
        x = problem.start().x
        entries = sum(
            self.of(v) * (v.shape[0] + v.size // v.shape[0]) if v.ndim > 1 else v.size
            for v in map(np.asarray, jax.tree.leaves(x))
        )
        bytes_ = problem.workers * steps * entries * tree.word(x)
        return {"up": bytes_, "down": bytes_}


def _times(A, B):
    return jnp.matmul(A, B, precision=tree.PRECISION)

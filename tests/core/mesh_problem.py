"""The sum that mesh_program.py solves, on every device of all processes."""

import jax
import jax.numpy as jnp
import numpy as np

import banach as bn

rng = np.random.default_rng(0)
A = rng.standard_normal((30, 5))
y = np.where(A @ np.ones(5) > 0, 1.0, -1.0)


def loss(x, d):
    a, y = d
    return jnp.logaddexp(0.0, -y * (a @ x))


L = 0.25 * 8 / 30 * float(np.sum(A**2)) + 0.1
whole = bn.FiniteSum(loss, np.zeros(5), (A, y), l2=0.1, convex=True, L=L)
order = np.argsort(y)
mesh = jax.make_mesh((4,), ("workers",))
spread = bn.DistributedSum(whole, 8, order=order, L=L, mesh=mesh)

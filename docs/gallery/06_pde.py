"""A nonlinear elliptic equation, and two kinds of error.

A material whose conductivity falls where the slope is steep, on the unit square,
with a load made for a known solution (generated: the entry is about errors). The
certificate bounds the distance to the *discrete* solution; the distance to the
equation's own is the mesh's, falls with its width, and no solver can make it smaller.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import banach as bn

# banach solves in double anyway; `h1` and JAX code of your own are asked to, too.
jax.config.update("jax_enable_x64", True)


def density(s):
    """A(|grad u|²): conductivity 2 A' = 1 + 1 / (1 + |grad u|²), between 1 and 2."""
    return (s + jnp.log1p(s)) / 2


def exact(x):
    """The solution that the load is made for; 0 on the border."""
    return jnp.sin(jnp.pi * x[0]) * jnp.sin(2 * jnp.pi * x[1]) / 3


nodes, certified, mesh = [15, 31, 63, 127], [], []
for n in nodes:
    load, truth = bn.manufactured(density, exact, n)
    # lower and upper bound the Hessian of p -> A(|p|²): the check needs them.
    problem = bn.EllipticEnergy(density, load, lower=0.875, upper=2.0)
    result = bn.solve(problem, tol=1e-8).require()
    certified.append(float(result.certificate.value + result.certificate.slack))
    mesh.append(float(problem.h1(result.x - truth)))
    print(f"{n:4d} x {n:<4d} solver {certified[-1]:.1e}   mesh {mesh[-1]:.2e}")
print(result.reason)

_, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
drawn = left.imshow(result.x.T, extent=(0, 1, 0, 1), origin="lower", cmap="PuOr")
left.set(xlabel="x", ylabel="y", title="u, 127 x 127 nodes")
left.grid(False)
plt.colorbar(drawn, ax=left)
width = 1 / (np.array(nodes) + 1)
right.loglog(width, mesh, "o-", label="mesh: to the equation's solution")
right.loglog(width, certified, "s-", label="solver: certified")
right.set(xlabel="mesh width h", ylabel="error in H1")
right.set_xticks(width, [f"1/{n + 1}" for n in nodes])
right.minorticks_off()
right.legend(loc="center")
plt.show()

"""A network, trained to its global optimum.

A two-layer ReLU network on thirty tumours (two principal components of scikit-learn's
breast cancer data). As a convex program over all activation patterns it has a
certificate: no network of any width has a lower training loss. Forty runs of Adam on
the usual loss end at or above the certified floor, and only now can one say how far.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer

import banach as bn

# banach solves in double anyway; Adam below is asked to, too.
jax.config.update("jax_enable_x64", True)

data = load_breast_cancer()
A = (data.data - data.data.mean(0)) / data.data.std(0)
X = A[:30] @ np.linalg.svd(A[:30], full_matrices=False)[2][:2].T
X /= np.sqrt((X**2).sum(1).mean())
y = 2.0 * data.target[:30] - 1
beta = 0.5  # weight decay

problem = bn.ConvexRelu(X, y, beta, patterns="all")
result = bn.solve(problem).require()
floor = float(problem.objective(result.x))
print(result.reason)
print(f"least loss of any network {floor:.5f}")


def loss(net):
    """What frameworks minimise: half the squares, and weight decay."""
    fit = jax.nn.relu(X @ net["hidden"]) @ net["out"] - y
    decay = jnp.sum(net["hidden"] ** 2) + jnp.sum(net["out"] ** 2)
    return jnp.sum(fit**2) / 2 + beta * decay / 2


@jax.jit
@jax.vmap
def adam(key):
    """The loss after each of 3000 steps from one random start."""
    net = {"hidden": jax.random.normal(key, (2, 4)), "out": jnp.array([-1.0, 1, -1, 1])}
    steps = optax.adam(0.02)

    def step(carry, _):
        net, state = carry
        value, slope = jax.value_and_grad(loss)(net)
        move, state = steps.update(slope, state)
        return (optax.apply_updates(net, move), state), value

    return jax.lax.scan(step, (net, steps.init(net)), length=3000)[1]


runs = np.asarray(adam(jax.random.split(jax.random.key(0), 40)))
stuck = np.sum(runs[:, -1] > 1.01 * floor)
print(f"Adam ends more than 1% above it in {stuck} of {len(runs)} runs")

plt.plot(runs.T, color="C0", alpha=0.3, linewidth=1)
plt.plot([], color="C0", label="Adam, 40 random starts")
plt.axhline(floor, color="C1", linestyle="--", label="certified: no network is below")
plt.ylim(0.95 * floor, 2 * floor)
plt.xlabel("step of Adam")
plt.ylabel("training loss with weight decay")
plt.legend()
plt.show()

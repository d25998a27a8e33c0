"""Moving one image into another.

A zero and a one of scikit-learn's handwritten digits are two heaps of ink. Entropic
optimal transport says which ink goes where at the least cost; the certificate bounds
how far the plan is from the best by weak duality, and the plan, followed halfway, draws
what lies between.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import banach as bn

# banach solves in double anyway; `plan` and JAX code of your own are asked to, too.
jax.config.update("jax_enable_x64", True)

digits = load_digits()


def ink(number):
    """Places (pixels from the corner) and masses of the mean image of a digit."""
    image = digits.images[digits.target == number].mean(0)
    at = np.argwhere(image > 0.5)  # masses must be positive
    mass = image[image > 0.5]
    return at.astype(float), mass / mass.sum()


(x, a), (y, b) = ink(0), ink(1)
cost = ((x[:, None] - y[None]) ** 2).sum(-1)  # squared pixels
problem = bn.Transport(cost, a, b, eps=0.05)
result = bn.solve(problem).require()
print(result.reason)
plan = np.asarray(problem.plan(result.x))
print(f"mean squared way of the ink {np.sum(plan * cost):.4f} pixels squared")

# Ink that goes from x to y is at (1 - t) x + t y at time t; each grain a soft dot.
grid = np.linspace(-0.5, 7.5, 64)
_, frames = plt.subplots(1, 7, figsize=(8.4, 1.6))
for t, frame in zip(np.linspace(0, 1, 7), frames, strict=True):
    place = (1 - t) * x[:, None] + t * y[None]
    down, right = (
        np.exp(-((grid[:, None] - place[..., k].ravel()) ** 2) / 0.5) for k in (0, 1)
    )
    frame.imshow((down * plan.ravel()) @ right.T, cmap="Greys")
    frame.set_title(f"t = {t:.2f}")
    frame.axis("off")
plt.show()

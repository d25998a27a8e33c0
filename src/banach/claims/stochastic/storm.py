"""STORM's gradients fall as proved; the correction makes them smaller.

Cutkosky and Orabona (2019); theorem 2 is told from memory, the paper was not at hand.
Nonconvex means of sigmoids on scikit-learn's tables, where its hypotheses hold: terms
have gradients of norm up to G = 1/4, hence sigma <= G. Means of five seeds.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, out_of_reach, proved
from banach.claims.stochastic import _instances as instances
from banach.methods.stochastic.storm import Storm


@proved("Cutkosky and Orabona 2019, theorem 2, b = 1/4", at_most(1.0))
def rate():
    """Mean of ||F'(x_t)||, t <= T, over its bound, the largest T up to 2,000."""
    found, b, G, L, T = {}, 0.25, 0.25, instances.BENT, np.arange(1, 2001)
    k = b * G ** (2 / 3) / L
    c = 28 * L**2 + G**2 / (7 * L * k**3)
    w = max((4 * L * k) ** 3, 2 * G**2, (c * k / (4 * L)) ** 3)
    for name, problem in instances.sigmoids().items():
        D = float(problem.value(problem.x0))
        M = 8 / k * D + w ** (1 / 3) * G**2 / (4 * L**2 * k**2)
        M = M + k**2 * c**2 / (2 * L**2) * np.log(T + 2)
        bound = (w ** (1 / 6) * np.sqrt(2 * M) + 2 * M**0.75) / np.sqrt(T)
        bound = bound + 2 * (G / T) ** (1 / 3)
        method = Storm(k, w, c, 1)
        g = instances.mean(problem, method, 2000, runs.gradient_norm)[:-1]
        found[name] = np.max(np.cumsum(g) / T / bound)
    return found


def tried(problem, s):
    """Steps that begin at s / L_max, w = 1/10 and c = 28 L_max^2."""
    n, L, w = problem.n, instances.largest(problem), 0.1
    method = Storm(s * w ** (1 / 3) / L, w, 28 * L**2, 1)
    return method, instances.PASSES * n // 2, n // 10


@ours("against SGD", at_most(1.0))
def after_twenty():
    """F - F* after twenty passes over that of SGD with decreasing steps, both tuned."""
    return instances.against_sgd(tried, [2.0**k for k in range(-8, 7)])


@ours("against momentum without correction", at_most(1.0, 0.8))
def correction():
    """Mean ||F'(x_t)|| of steps 2,000 to 4,000, c = 1, over that of a = 1."""
    found = {}
    for name, problem in instances.sigmoids().items():
        ends = []
        for c in (1.0, 1e6):
            method = Storm(0.5, 0.1, c, 1)
            g = instances.mean(problem, method, 4000, runs.gradient_norm, every=40)
            ends.append(np.mean(g[50:]))
        found[name] = ends[0] / ends[1]
    return found


images = out_of_reach(
    "Cutkosky and Orabona 2019, figure 1",
    "ResNet-32 on CIFAR-10 trains faster than with Adam and AdaGrad",
    "no GPU hours in a claim of a minute",
)

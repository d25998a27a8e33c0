"""Small bundle adjustments, and the evolution that trained `Learned`'s weights.

`python -m banach.claims.least_squares._games` prints them anew.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.kinds.least_squares.problem import NonlinearLeastSquares
from banach.methods.least_squares.learned_lm_damping import (
    Learned,
    LearnedLmDamping,
    Marquardt,
    Nielsen,
)

CAMERAS, POINTS, CAP = 4, 16, 150
ROUNDS, MEMBERS, KEPT, TRAINED = 10, 12, 3, 8  # of the evolution; its games


def reprojection(x, seen):
    """Errors in pixels of images of 400, over a noise of 1: poses, then points."""
    poses = x[: 6 * CAMERAS].reshape(CAMERAS, 6)
    points = x[6 * CAMERAS :].reshape(POINTS, 3)

    def image(pose):
        w, t = pose[:3], pose[3:]
        square = jnp.sum(w**2) + 1e-12
        angle = jnp.sqrt(square)
        cross = jnp.cross(jnp.broadcast_to(w, points.shape), points)
        twice = jnp.cross(jnp.broadcast_to(w, points.shape), cross)
        turned = points + jnp.sin(angle) / angle * cross
        turned = turned + (1 - jnp.cos(angle)) / square * twice + t
        return 400 * turned[:, :2] / turned[:, 2:]

    return (jax.vmap(image)(poses) - seen).ravel()


def game(seed):
    """Cameras on a short arc, frames of a film, and a cube of points, badly guessed."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(-0.05, 0.05, CAMERAS) + 0.02 * rng.standard_normal(CAMERAS)
    poses = np.zeros((CAMERAS, 6))
    poses[:, 1], poses[:, 5] = angles, 5.0
    truth = np.concatenate([poses.ravel(), rng.uniform(-1, 1, 3 * POINTS)])
    seen = reprojection(truth, 0.0).reshape(CAMERAS, POINTS, 2)
    seen = np.asarray(seen) + rng.standard_normal(seen.shape)
    spread = np.where(np.arange(truth.size) < 6 * CAMERAS, 0.3, 1.0)
    start = truth + spread * rng.standard_normal(truth.size)
    return NonlinearLeastSquares(reprojection, start, (seen,))


@functools.cache
def games(seeds):
    """(problem, ||r|| that ends the game): 1 + 1e-4 of where both rules end."""
    found = []
    for seed in seeds:
        problem = game(seed)
        found.append(
            (problem, 1.0001 * min(end(problem, p) for p in (Marquardt(), Nielsen())))
        )
    return found


def end(problem, policy):
    """||r|| after `CAP` steps."""
    method = LearnedLmDamping(policy, 1e-3)
    row = runs.trace(problem, method, CAP, every=CAP, r=runs.residual_norm)["r"]
    return float(row[-1])


def moves(policy, problem, target):
    """Steps of a game, `CAP` where it does not end."""
    method = LearnedLmDamping(policy, 1e-3)
    end = runs.until(problem, method, runs.residual_norm, target, CAP, relative=False)
    return end.steps if end.reached else CAP


def price(policy, seeds):
    """Mean number of steps."""
    return np.mean([moves(policy, *g) for g in games(seeds)])


def learned(weights):
    """The policy of three weights."""
    return Learned(*(float(v) for v in weights))


def train(rounds=ROUNDS):
    """Weights by evolution from about Nielsen's rule; the best of all stays."""
    rng, seeds = np.random.default_rng(0), tuple(range(1000, 1000 + TRAINED))
    centre, spread = np.array([0.35, -1.0, 0.0]), np.array([0.3, 0.6, 0.6])
    best = centre[None]
    for _ in range(rounds):
        drawn = centre + spread * rng.standard_normal((MEMBERS, 3))
        drawn = np.concatenate([best[:1], drawn.round(2)])
        order = np.argsort([price(learned(w), seeds) for w in drawn], kind="stable")
        best = drawn[order[:KEPT]]
        centre, spread = best.mean(0), 0.7 * spread + 0.3 * best.std(0)
    return best[0]


if __name__ == "__main__":
    from banach.core import compat

    with compat.double():
        weights = train()
        seeds = tuple(range(1000, 1000 + TRAINED))
        print(weights.tolist(), price(learned(weights), seeds))
        print(price(Marquardt(), seeds), price(Nielsen(), seeds))

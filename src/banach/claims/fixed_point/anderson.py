"""Anderson acceleration is GMRES on linear maps, and faster than EM where EM is slow.

Walker and Ni (2011): without truncation, on x -> M x + b, the next iterate is g at the
iterate of GMRES; and the means of poorly separated mixtures of normal densities take
far fewer steps than by EM. Toth and Kelley (2015): where ||M|| = c < 1 no residual is
above c times the one before, whatever the memory. Reduced: 10,000 draws of a mixture;
their start is reconstructed.
"""

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, fresh, ours, proved, reported
from banach.claims.fixed_point import _instances as instances
from banach.kinds.fixed_point.problem import FixedPoint
from banach.methods.fixed_point.anderson import Anderson
from banach.methods.fixed_point.picard import Picard
from banach.zoo import datasets

STEPS, SHARES = 15, np.array([0.3, 0.3, 0.4])


@proved("Walker and Ni 2011, theorem 2.2", at_most(1e-6))
def gmres():
    """Relative distance of x_{k+1} from g(x_k of GMRES), the largest of 15 steps."""
    pagerank = {"digits": instances.digits_pagerank(200, 0.85)}
    found = {}
    for name, problem in {**pagerank, **instances.contractions(200, 0.95)}.items():
        M, b = problem.args
        method = Anderson(STEPS + 1, cutoff=1e-14)
        x = runs.trace(problem, method, STEPS, x=runs.where)["x"]
        wanted = [M @ v + b for v in krylov(np.eye(len(b)) - M, b, x[0])]
        away = [np.linalg.norm(a - v) for a, v in zip(x[1:], wanted, strict=True)]
        found[name] = max(away / np.linalg.norm(wanted, axis=1))
    return found


def krylov(A, b, x0):
    """Points of least residual in x0 + Krylov spaces of dimensions 0 to `STEPS` - 1."""
    v = b - A @ x0
    basis, found = np.zeros((len(b), 0)), [x0]
    for _ in range(STEPS - 1):
        for _ in range(2):  # twice is enough
            v = v - basis @ (basis.T @ v)
        basis = np.hstack([basis, (v / np.linalg.norm(v))[:, None]])
        v = A @ basis[:, -1]
        least = np.linalg.lstsq(A @ basis, b - A @ x0, rcond=None)[0]
        found.append(x0 + basis @ least)
    return found


@proved("Toth and Kelley 2015, theorem 2.1", at_most(1.0))
def contraction():
    """||f_{k+1}|| over c ||f_k||, the largest of 60 steps; memories 1, 3 and 10."""
    found = {}
    for name, problem in instances.contractions(100, 0.95).items():
        for memory in (1, 3, 10):
            rows = runs.trace(problem, Anderson(memory), 60, f=instances.moved)["f"]
            # Below this it is rounding.
            rows = rows[rows > 1e-10 * rows[0]]
            found[f"memory {memory}, {name}"] = np.max(rows[1:] / rows[:-1]) / 0.95
    return found


def em(means, data, weights, precisions):
    """A step of EM for the means alone: data (n, p), means (k, p)."""
    away = data[:, None] - means
    square = jnp.einsum("nkp,kpq,nkq->nk", away, precisions, away)
    share = jax.nn.softmax(weights - square / 2, axis=1)
    return share.T @ data / share.sum(axis=0)[:, None]


def normals(means, seed):
    """Unit normals in the paper's proportions, begun at the quartiles."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, 10_000, p=SHARES)
    data = np.array(means)[kinds] + rng.standard_normal(10_000)
    start = np.quantile(data, [0.25, 0.5, 0.75])[:, None]
    return FixedPoint(em, start, (data[:, None], np.log(SHARES), np.ones((3, 1, 1))))


def species(A, y):
    """Means of the classes of a table; shares and covariances are known."""
    groups = [A[y == k] for k in np.unique(y)]
    covariances = np.array([np.cov(g.T, bias=True) for g in groups])
    shares = np.array([len(g) / len(A) for g in groups])
    weights = np.log(shares) - np.linalg.slogdet(covariances)[1] / 2
    start = A.mean(axis=0) + np.array([-1, 0, 1])[:, None] * A.std(axis=0) / 2
    return FixedPoint(em, start, (A, weights, np.linalg.inv(covariances)))


def share(problems):
    """Steps of Anderson over those of EM to 1e-8 of the residual."""
    makes = {"ours": lambda _: Anderson(10), "EM": lambda _: Picard(1.0)}
    rows = runs.prices(problems, makes, instances.moved, 1e-8, 10_000, "map")
    return runs.ratios(rows, "ours", "EM")


@reported("Walker and Ni 2011, experiments with mixtures", at_most(1.0))
def poor():
    """Steps over those of EM, means (0, 1, 2) and (0, 0.5, 1), five draws each."""
    seeds = [0, 1, 2, 3, fresh()]
    problems = {
        f"{means}, {seed}": normals(means, seed)
        for means in ((0.0, 1.0, 2.0), (0.0, 0.5, 1.0))
        for seed in seeds
    }
    return Seen(share(problems), axes=("steps", ""))


@ours("a user's question", at_most(1.0))
def other():
    """The same where EM is fast: means (0, 2, 4) and (0, 3, 6), iris and wine."""
    wine, iris = datasets.wine(), datasets.iris()
    problems = {f"(0, 2, 4), {s}": normals((0.0, 2.0, 4.0), s) for s in (0, fresh())}
    problems |= {f"(0, 3, 6), {s}": normals((0.0, 3.0, 6.0), s) for s in (0, fresh())}
    problems |= {"iris": species(iris.A, iris.y)}
    problems |= {"wine": species(datasets.standardised(wine.A), wine.y)}
    return share(problems)

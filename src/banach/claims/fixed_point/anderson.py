"""Anderson acceleration is GMRES on linear maps, and speeds EM up where EM is slow.

Walker and Ni (2011): without truncation, on x -> M x + b, the iterate after that of
GMRES is Anderson's next one, x_{k+1} = g(x_k of GMRES) (theorem 2.2); and the means of
mixtures of normal densities are found in far fewer steps than by EM, the more the
worse the components are separated. Measured on the PageRank map of 200 digits joined
to their ten nearest neighbours (not symmetric), on the paper's mixtures of three
unit normals in the proportions 0.3, 0.3, 0.4 with the means (0, 2, 4), (0, 1, 2) and
(0, 0.5, 1) (10,000 draws), and on the three species of iris (covariances and
proportions known, means sought). The sizes and the start of the paper's runs are
reconstructed. Baseline: plain EM, one evaluation of the map a step, as ours.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "on the linear map g(GMRES iterate) is the next iterate to 1e-6 in each of the "
    "first 15 steps; to 1e-8 of the first residual at most half of EM's steps on the "
    "two worst separated mixtures, no more than EM's on the others"
)
LINEAR_STEPS, MEMORY, CAP, TOL = 15, 10, 3000, 1e-8
POOR = ("(0, 1, 2)", "(0, 0.5, 1)")


def measure() -> dict[str, Any]:
    """Distances to GMRES, and residuals of EM and of accelerated EM."""
    from banach.methods.fixed_point.anderson import Anderson
    from banach.methods.fixed_point.picard import Picard

    with jax.enable_x64(True):
        mixtures = {}
        for name, problem in _mixtures().items():
            plain = _residuals(problem, Picard(1.0))
            fast = _residuals(problem, Anderson(MEMORY))
            mixtures[name] = {"EM": plain, "Anderson": fast}
        return {"gmres": _against_gmres(), "mixtures": mixtures}


def verdict(numbers: dict[str, Any]) -> bool:
    """GMRES reproduced; half of the steps where separation is poor."""
    good = numbers["gmres"] <= 1e-6
    for name, row in numbers["mixtures"].items():
        share = 0.5 if name in POOR else 1.0
        fast, plain = _steps(row["Anderson"]), _steps(row["EM"])
        good = good and fast < CAP and fast <= share * plain
    return bool(good)


def measured(numbers: dict[str, Any]) -> str:
    """Steps by mixture."""
    rows = ", ".join(
        f"{name}: {_said(row['Anderson'])} against {_said(row['EM'])}"
        for name, row in numbers["mixtures"].items()
    )
    return f"GMRES off by {numbers['gmres']:.0e}; steps, EM {rows}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Residuals by step."""
    from banach.claims.figures import curves

    panels = {
        name: {k: (np.arange(1, len(v) + 1), np.array(v)) for k, v in row.items()}
        for name, row in numbers["mixtures"].items()
    }
    curves(path, panels, "evaluations of the map", "residual / first residual")


def _steps(residuals: list[float]) -> int:
    below = np.array(residuals) <= TOL
    return int(np.argmax(below)) if below.any() else CAP


def _said(residuals: list[float]) -> str:
    steps = _steps(residuals)
    return f">{CAP}" if steps == CAP else str(steps)


def _residuals(problem: Any, method: Any) -> list[float]:
    """||T(x_k) - x_k|| / ||T(x_0) - x_0|| until it is below a tenth of the goal."""
    import jax.numpy as jnp

    from banach.core import tree
    from banach.engine.loop import leaves_in

    key = jax.random.key(0)

    @jax.jit
    def run(problem, method):
        def size(x):
            return tree.norm(tree.sub(problem.map(x), x))

        def one(state, _):
            state = method.step(problem, state, key)
            return state, size(method.point(state).x)

        start = jax.tree.map(jnp.asarray, problem.start())
        _, rows = jax.lax.scan(one, method.init(problem, start, key), None, CAP)
        return jnp.concatenate([size(start.x)[None], rows])

    rows = np.asarray(run(problem, leaves_in(np.float64, method)))
    rows = rows / rows[0]
    end = np.argmax(rows <= TOL / 10) if (rows <= TOL / 10).any() else len(rows) - 1
    return rows[: end + 1].tolist()


def _mixtures() -> dict[str, Any]:
    """EM for the means of a mixture whose proportions and covariances are known."""
    import jax.numpy as jnp

    from banach.kinds.fixed_point.problem import FixedPoint
    from banach.zoo import datasets

    def em(means, data, weights, precisions):
        """`data` (n, p), `means` (k, p), `precisions` (k, p, p)."""
        away = data[:, None] - means
        square = jnp.einsum("nkp,kpq,nkq->nk", away, precisions, away)
        share = jax.nn.softmax(weights - square / 2, axis=1)
        return share.T @ data / share.sum(axis=0)[:, None]

    rng = np.random.default_rng(0)
    made = {}
    proportions = np.array([0.3, 0.3, 0.4])
    kinds = rng.choice(3, 10_000, p=proportions)
    noise = rng.standard_normal(10_000)
    for means in ((0.0, 2.0, 4.0), (0.0, 1.0, 2.0), (0.0, 0.5, 1.0)):
        data = (np.array(means)[kinds] + noise)[:, None]
        start = np.quantile(data, [0.25, 0.5, 0.75])[:, None]
        extra = (data, np.log(proportions), np.ones((3, 1, 1)))
        said = "(" + ", ".join(f"{m:g}" for m in means) + ")"
        made[said] = FixedPoint(em, start, extra)
    A, y = datasets.iris()
    groups = [A[y == k] for k in range(3)]
    covariances = np.array([np.cov(g.T, bias=True) for g in groups])
    shares = np.array([len(g) / len(A) for g in groups])
    weights = np.log(shares) - np.linalg.slogdet(covariances)[1] / 2
    start = A.mean(axis=0) + np.array([-1, 0, 1])[:, None] * A.std(axis=0) / 2
    made["iris"] = FixedPoint(em, start, (A, weights, np.linalg.inv(covariances)))
    return made


def _against_gmres() -> float:
    """Largest relative distance of Anderson's x_{k+1} from g(x_k of GMRES)."""
    import jax.numpy as jnp

    from banach.claims.fixed_point._graphs import digits_pagerank
    from banach.kinds.fixed_point.problem import FixedPoint
    from banach.methods.fixed_point.anderson import Anderson

    M, b = digits_pagerank(200, 0.85)
    problem = FixedPoint(lambda x, M, b: M @ x + b, np.zeros(len(b)), (M, b))
    method = Anderson(LINEAR_STEPS + 1, cutoff=1e-14)
    start = jax.tree.map(jnp.asarray, problem.start())
    key = jax.random.key(0)
    state = method.init(problem, start, key)
    worst = 0.0
    step = jax.jit(lambda s: method.step(problem, s, key))
    for k in range(LINEAR_STEPS):
        state = step(state)
        want = M @ _gmres(np.eye(len(b)) - M, b, k) + b
        off = np.linalg.norm(np.asarray(method.point(state).x) - want)
        worst = max(worst, float(off / np.linalg.norm(want)))
    return worst


def _gmres(A: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """The iterate of least residual in the Krylov space of that dimension, by QR."""
    basis = np.zeros((len(b), 0))
    v = b
    for _ in range(steps):
        for _ in range(2):  # twice is enough
            v = v - basis @ (basis.T @ v)
        basis = np.hstack([basis, (v / np.linalg.norm(v))[:, None]])
        v = A @ basis[:, -1]
    if steps == 0:
        return np.zeros_like(b)
    return basis @ np.linalg.lstsq(A @ basis, b, rcond=None)[0]

"""F - F* of f + g + h(K .) is bounded from above, and tightly at the answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array

import banach as bn
from banach.core import compat
from banach.core.point import Point

LD = np.longdouble
RNG = np.random.default_rng(5)
N, M = 5, 6
A = RNG.normal(size=(8, N))
B = A @ [2.0, 2, 0, 0, -1] + 0.1 * RNG.normal(size=8)
K = np.vstack([np.diff(np.eye(N), axis=0), RNG.normal(size=(2, N))])
MU = float(np.linalg.eigvalsh(A.T @ A)[0]) * (1 - 1e-12)


def misfit(x, b):
    r = jnp.matmul(A, x, precision="highest") - b
    return jnp.vdot(r, r, precision="highest") / 2


INNER = {
    "none": (None, lambda x: LD(0)),
    "l1": (bn.L1(0.4), lambda x: LD(0.4) * abs(x).sum()),
    "ridge": (bn.SquaredL2(0.7), lambda x: LD(0.7) * (x @ x) / 2),
    "net": (
        bn.ElasticNet(0.4, 0.2),
        lambda x: LD(0.4) * abs(x).sum() + LD(0.2) * (x @ x) / 2,
    ),
    "box": (bn.Box(-0.5, 1.5), lambda x: LD(0)),
}
PAIRS = np.array([0, 0, 1, 1, 2, 2])
WEIGHTS = np.array([0.5, 0.0, 1.0, 0.3, 0.0, 2.0])
OUTER = {
    "l1": (bn.L1(0.6), lambda w: LD(0.6) * abs(w).sum()),
    "weights": (bn.L1(WEIGHTS), lambda w: (WEIGHTS.astype(LD) * abs(w)).sum()),
    "groups": (
        bn.GroupL2(0.5, PAIRS),
        lambda w: LD(0.5) * sum(np.sqrt((w[PAIRS == k] ** 2).sum()) for k in range(3)),
    ),
    "l2": (bn.L2Norm(0.8), lambda w: LD(0.8) * np.sqrt(w @ w)),
    "linf": (bn.LInf(0.9), lambda w: LD(0.9) * abs(w).max()),
}


def problem(inner, outer, K=K, **more):
    zero = np.zeros(N)
    more = {"reference": zero, "L": 40.0, "mu": MU} | more
    return bn.Structured(misfit, INNER[inner][0], OUTER[outer][0], K, zero, (B,),
                         **more)  # fmt: skip


def objective(inner, outer, x):
    x = np.asarray(x, LD)
    r = A.astype(LD) @ x - B
    return r @ r / 2 + INNER[inner][1](x) + OUTER[outer][1](K.astype(LD) @ x)


def certify(p, x, y):
    return bn.PrimalDualGap()(p, Point(x, y), jax.random.key(0), 0)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [(list(INNER)[i], list(OUTER)[(i + k) % 5]) for k in (0, 2) for i in range(5)],
)
def test_bounds_the_distance_to_the_least_value(inner, outer):
    p = problem(inner, outer)
    best = bn.solve(p, tol=1e-11, check=bn.PrimalDual())
    assert best.certified
    low, draw = objective(inner, outer, best.x), np.random.default_rng(1)
    size = np.concatenate([[0.0], 10.0 ** draw.uniform(-9, 2, 30)])[:, None]
    xs = best.x + size * draw.normal(size=(31, N))
    ys = best.point.dual + size * draw.normal(size=(31, M))
    with compat.double():
        run = jax.jit(jax.vmap(lambda x, y: certify(p, x, y)))
        found, at = run(xs, ys)
    claims = np.asarray(found.parts[0].value + found.parts[0].slack, LD)
    for i, claim in enumerate(claims):
        assert claim >= objective(inner, outer, at.x[i]) - low
    # Tight at the answer, and no certificate far from it.
    assert claims[0] <= 1e-9 * float(found.parts[0].scale[0])
    far = size[:, 0] > 1
    assert not np.asarray(found.within(1e-9))[far].any()
    assert float(found.parts[0].scale[0]) >= objective(inner, outer, 0 * best.x) - low


def test_float32_answers_are_judged_as_they_are():
    one = problem("l1", "l1")
    best = bn.solve(one, tol=1e-11, check=bn.PrimalDual())
    low, draw = objective("l1", "l1", best.x), np.random.default_rng(2)
    narrow = bn.Structured(
        misfit, bn.L1(0.4), bn.L1(0.6), K.astype(np.float32), np.zeros(N, np.float32),
        (B.astype(np.float32),), mu=np.float32(MU * 0.999), L=40.0,
        reference=np.zeros(N, np.float32),
    )  # fmt: skip
    for size in (0.0, 1e-4, 1e-2):
        x = (best.x + size * draw.normal(size=N)).astype(np.float32)
        with compat.double():
            found, at = certify(narrow, x, best.point.dual.astype(np.float32))
        assert at.x.dtype == np.float32
        claim = float(found.parts[0].value + found.parts[0].slack)
        # B is rounded as well: two objectives a few 1e-7 apart.
        assert claim >= float(objective("l1", "l1", at.x) - low) - 1e-5


def test_a_sparse_map_and_a_garbage_dual():
    p, q = problem("l1", "groups"), problem("l1", "groups", K=csr_array(K))
    x, y = np.ones(N), RNG.normal(size=M)
    with compat.double():
        one, two = (certify(v, x, y)[0].parts[0] for v in (p, q))
        assert abs(float(one.value - two.value)) <= float(one.slack + two.slack)
        none = certify(p, x, None)[0].parts[0].value
        assert certify(p, x, np.full(M, np.nan))[0].parts[0].value == none


def test_what_it_needs_is_said():
    p = problem("l1", "l1", mu=None, convex=True)
    with pytest.raises(bn.Misuse, match="declare mu"):
        bn.verify(p, np.zeros(N), check="primal_dual_gap")
    set_ = bn.Structured(misfit, None, bn.Box(0.0, 1.0), None, np.zeros(N), (B,), mu=MU)
    with pytest.raises(bn.Misuse, match="no bracket of Box as h"):
        bn.verify(set_, np.zeros(N), check="primal_dual_gap")
    half = problem("l1", "l1")
    half = bn.Structured(misfit, bn.Nonnegative(), bn.L1(1.0), K, np.zeros(N), (B,),
                         mu=MU)  # fmt: skip
    with pytest.raises(bn.Misuse, match="no bracket of Nonnegative as g"):
        bn.verify(half, np.zeros(N), check="primal_dual_gap")


def test_a_wrong_mu_is_refuted():
    p = problem("l1", "l1", mu=39.0)
    verdict = bn.verify(p, np.zeros(N), check="primal_dual_gap")
    assert verdict.status == "refuted"

"""The duality gap: soundness in extended precision, invariance, mutations, cost."""

from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.checks.gap import Gap, GapDistance
from banach.core import compat
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.glm import bounds as glm_bounds
from banach.kinds.glm import models
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from banach.kinds.glm.problem import GLM
from banach.terms.norms import L1, LInf, SquaredL2
from banach.terms.spectral import Nuclear

LD = np.longdouble
RNG = np.random.default_rng(0)
N, P = 24, 4
A = RNG.normal(size=(N, P)) + 0.3
B = A @ np.array([1.0, -1.0, 0.0, 0.5]) + 0.5 + 0.3 * RNG.normal(size=N)
SIGN = np.where(B > 0.3, 1, -1)
THREE = np.digitize(B, [0.0, 1.0])
COUNTS = RNG.poisson(np.exp(0.5 * B))
W = RNG.uniform(0.2, 3, N)
FREE = {"intercept": True}

CASES = {
    "lasso": lambda: models.Lasso(A, B, 2.0),
    "lasso_free": lambda: models.Lasso(A, B, 2.0, **FREE),
    "lasso_weighted": lambda: models.Lasso(A, B, 2.0, sample_weight=W, **FREE),
    "elastic": lambda: models.ElasticNetRegression(A, B, 1.0, 0.5, **FREE),
    "group": lambda: models.GroupLasso(A, B, 1.0, [0, 1, 1, 0], **FREE),
    "sparse_group": lambda: models.SparseGroupLasso(
        A, B, 0.5, 1.0, [0, 1, 1, 0], **FREE
    ),
    "slope": lambda: models.SlopeRegression(A, B, [2.0, 1.5, 0.5, 0.0], **FREE),
    "fused": lambda: models.FusedLasso(A, B, 0.5, 1.5),
    "fused_free": lambda: models.FusedLasso(A, B, 1.0, 0.5, sample_weight=W, **FREE),
    "linf_free": lambda: GLM(A, B, SquaredLoss(), LInf(2.0), **FREE),
    "ridge": lambda: models.Ridge(A, B, 0.5, **FREE),
    "box": lambda: models.BoxLeastSquares(A, B, -0.3, 0.7, **FREE),
    "simplex": lambda: models.SimplexLeastSquares(A, B, 1.5),
    "logistic": lambda: models.LogisticRegression(A, SIGN, 0.5),
    "logistic_offset": lambda: models.LogisticRegression(
        A, SIGN, 0.5, offset=B / 3, sample_weight=W
    ),
    "logistic_l1": lambda: models.SparseLogisticRegression(A, SIGN, 1.0, **FREE),
    "softmax": lambda: models.SoftmaxRegression(A, THREE, 0.5),
    "softmax_l1": lambda: GLM(A, THREE, SoftmaxLoss(3), L1(1.0)),
    "softmax_nuclear": lambda: GLM(A, THREE, SoftmaxLoss(3), Nuclear(1.5), **FREE),
    "poisson": lambda: models.PoissonRegression(A, COUNTS, 0.5),
    "poisson_l1": lambda: GLM(A, COUNTS, PoissonLoss(), L1(1.0), **FREE),
    "huber": lambda: models.HuberRegression(A, B, 0.3, 0.5),
    "huber_l1": lambda: GLM(A, B, HuberLoss(0.3), L1(0.5), sample_weight=W, **FREE),
    "hinge": lambda: models.SquaredHingeClassifier(A, SIGN, 0.5, **FREE),
}


def losses(loss, z, y):
    """Textbook losses in extended precision."""
    if isinstance(loss, SquaredLoss):
        return (z - y) ** 2 / 2
    if isinstance(loss, HuberLoss):
        d, r = LD(loss.delta), abs(z - y)
        return np.where(r <= d, r**2 / 2, d * r - d**2 / 2)
    if isinstance(loss, SquaredHingeLoss):
        return np.maximum(1 - y * z, 0) ** 2 / 2
    if isinstance(loss, LogisticLoss):
        return np.log1p(np.exp(-abs(y * z))) + np.maximum(-y * z, 0)
    if isinstance(loss, SoftmaxLoss):
        top = z.max(axis=1, keepdims=True)
        return (
            np.log(np.exp(z - top).sum(axis=1))
            + top[:, 0]
            - z[np.arange(len(z)), y.astype(int)]
        )
    return np.exp(z) - y * z + y * np.log(np.where(y > 0, y, 1)) - y


def truth(problem, x):
    """F(x) in extended precision, from the data alone."""
    x = LD(np.asarray(x))
    c, b = (x[:-1], x[-1]) if problem.intercept else (x, LD(0))
    z = LD(problem.A) @ c + b
    z = z if problem.offset is None else z + LD(problem.offset)
    w = LD(1) if problem.weight is None else LD(problem.weight)
    F = np.sum(w * losses(problem.loss, z, LD(problem.y)))
    term = problem.term
    name = type(term).__name__
    if name == "L1":
        F += np.sum(LD(term.lam) * abs(c))
    elif name == "SquaredL2":
        F += np.sum(LD(term.lam) * c**2) / 2
    elif name == "ElasticNet":
        F += np.sum(LD(term.l1) * abs(c) + LD(term.l2) * c**2 / 2)
    elif name == "SortedL1":
        F += np.sum(LD(term.lam) * np.sort(abs(c))[::-1])
    elif name == "FusedL1":
        F += LD(term.l1) * np.sum(abs(c)) + LD(term.tv) * np.sum(abs(np.diff(c)))
    elif name == "LInf":
        F += LD(term.lam) * np.max(abs(c))
    elif name == "Nuclear":
        F += LD(term.lam) * np.sum(np.linalg.svd(np.float64(c), compute_uv=False))
    elif name in ("GroupL2", "SparseGroupL2"):
        F += np.sum(LD(getattr(term, "l1", 0)) * abs(c))
        for k in range(term.count):
            F += LD(term.lam) * np.sqrt(np.sum(c[np.asarray(term.groups) == k] ** 2))
    return F


@eqx.filter_jit
def newton(problem, x):
    """Damped Newton for smooth problems."""

    def step(_, x):
        g = problem.grad(x)
        d = jnp.linalg.pinv(problem.hess(x)) @ g.ravel()
        trial = jax.vmap(lambda t: x - t * d.reshape(x.shape))(0.5 ** jnp.arange(12.0))
        return trial[jnp.argmin(jax.vmap(problem.value)(trial))]

    return jax.lax.fori_loop(0, 25, step, x)


@eqx.filter_jit
def descend(problem, x):
    """Accelerated proximal gradient."""
    t = 1 / problem.facts().L if problem.facts().L is not None else 2e-3

    def step(k, s):
        x, z = s
        new = problem.prox(z - t * problem.grad(z), t)
        k = k % 200
        return new, new + k / (k + 3.0) * (new - x)

    return jax.lax.fori_loop(0, 6000, step, (x, x))[0]


def solved(problem):
    x = jnp.asarray(problem.start().x)
    return np.asarray(newton(problem, x) if problem.folded else descend(problem, x))


@eqx.filter_jit
def judge(problem, x, dual=None):
    certificate, point = Gap()(problem, Point(x, dual), None, 0)
    return certificate, point


@eqx.filter_jit
def judge_all(problem, xs):
    """A verdict a lane."""
    ready = Gap().prepared(problem)
    return jax.vmap(lambda x: ready(problem, Point(x), None, 0))(xs)


@pytest.mark.parametrize("name", CASES)
def test_bound_is_above_the_true_gap_and_tight_at_the_optimum(name):
    problem = CASES[name]()
    best = solved(problem)
    steps = [0.0, 1e-9, 1e-6, 1e-3, 0.1, 1.0]
    noise = np.random.default_rng(1).normal(size=(len(steps), *best.shape))
    xs = np.stack([best + h * d for h, d in zip(steps, noise, strict=True)])
    certificates, points = judge_all(problem, xs)
    low = truth(problem, best)
    for i in range(len(steps)):
        one = jax.tree.map(lambda v, i=i: v[i], certificates)
        gap = truth(problem, points.x[i]) - low
        assert gap <= LD(float(one.value)) + LD(float(one.slack)), (i, gap)
        assert one.value >= -one.slack and not one.refuted()
        if problem.term.violation(problem.split(xs[i])[0]) == 0:
            assert np.array_equal(points.x[i], xs[i])
        if i == 0:
            assert one.within(1e-9), float(one.ratio)
            assert one.grade == "bound" and one.assumes == ("convex: by construction",)
        if i >= 3:
            assert not one.within(1e-9)
    reference = problem.reference_point().x
    scale = float(truth(problem, reference))
    assert np.isclose(float(certificates.scale[0]), scale, rtol=1e-12)
    assert 0 < float(certificates.slack[-1]) < 1e-10 * scale


# (problem, its solution from that of the plain problem, tolerance to reach)
EXTREME = {
    "offset": ("ridge", lambda: models.Ridge(A, B + 1e6, 0.5, **FREE), (1, 1), 1e-9),
    "offset_l1": (
        "lasso_free", lambda: models.Lasso(A, B + 1e6, 2.0, **FREE), (1, 1), 1e-7,
    ),
    "offset_huber": (
        "huber", lambda: models.HuberRegression(A, B + 1e6, 0.3, 0.5), (1, 1), 1e-7,
    ),
    "tiny": (
        "ridge", lambda: models.Ridge(1e-9 * A, 1e-9 * B, 5e-19, **FREE),
        (1, 1e-9), 1e-11,
    ),
    "huge": (
        "ridge", lambda: models.Ridge(1e9 * A, 1e9 * B, 5e17, **FREE), (1, 1e9), 1e-11
    ),
    "huge_l1": ("lasso", lambda: models.Lasso(1e9 * A, 1e9 * B, 2e18), (1, 1), 1e-11),
    "huge_logit": (
        "logistic", lambda: models.LogisticRegression(1e9 * A, SIGN, 5e17),
        (1e-9, 1), 1e-10,
    ),
    "tiny_logit": (
        "logistic", lambda: models.LogisticRegression(1e-9 * A, SIGN, 5e-19),
        (1e9, 1), 1e-10,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXTREME)
def test_offsets_of_a_million_and_scales_of_a_billion(name):
    plain, make, (coef, free), tol = EXTREME[name]
    problem, best = make(), solved(CASES[plain]())
    best = np.r_[coef * best[:P], free * best[P:]]
    shift = 1e6 if name.startswith("offset") else 0.0
    best[P:] += shift
    noise = np.random.default_rng(2).normal(size=best.shape)
    noise[:P] *= np.max(abs(best[:P]))
    noise[P:] *= free
    xs = np.stack([best, best + 1e-7 * noise, best + 0.1 * noise])
    certificates, points = judge_all(problem, xs)
    low = truth(problem, best)
    for i in range(3):
        gap = truth(problem, points.x[i]) - low
        value, slack = float(certificates.value[i]), float(certificates.slack[i])
        assert gap <= LD(value) + LD(slack)
    one = jax.tree.map(lambda v: v[0], certificates)
    assert one.within(tol), float(one.ratio)


def exact(v):
    return [Fraction(float(a)) for a in np.ravel(v)]


@pytest.mark.parametrize("digits_lost_in", ["nothing", "product", "offset"])
def test_lasso_in_rational_arithmetic(digits_lost_in):
    """The returned dual is exactly feasible and its exact gap is inside the slack.

    Also with two nearly equal columns and coefficients of 1e8, and with an offset
    of 1e8 that the targets take back: z then loses half its digits.
    """
    rng = np.random.default_rng(4)
    for i in range(20):
        M, x = rng.normal(size=(6, 3)), rng.normal(size=3)
        x *= rng.uniform(size=3) < 0.7
        shift = 1e8 if digits_lost_in == "offset" else 0.0
        if digits_lost_in == "product":
            M[:, 1] = M[:, 0] * (1 + 1e-9 * rng.normal(size=6))
            x[:2] = 1e8 + rng.normal(), -1e8
        targets, offset = rng.normal(size=6) + shift, np.full(6, shift)
        problem = models.Lasso(M, targets, 0.3 + i / 10, offset=offset)
        certificate, point = judge(problem, x)
        rows = [exact(r) for r in problem.A]
        y, c, th = exact(problem.y), exact(x), exact(point.dual)
        lam = Fraction(float(problem.term.lam))
        v = [sum(r[j] * t for r, t in zip(rows, th, strict=True)) for j in range(3)]
        assert all(abs(a) <= lam for a in v)
        o = exact(offset)[0]
        z = [o + sum(a * b for a, b in zip(r, c, strict=True)) for r in rows]
        primal = sum((a - b) ** 2 for a, b in zip(z, y, strict=True)) / 2
        primal += lam * sum(abs(a) for a in c)
        dual = -sum(t * t / 2 - t * (b - o) for t, b in zip(th, y, strict=True))
        value, slack = Fraction(float(certificate.value)), float(certificate.slack)
        assert abs(primal - dual - value) <= Fraction(slack)
        assert slack <= 1e-12 * max(1, shift, float(primal))


@pytest.mark.parametrize("name", ["softmax", "logistic", "poisson", "huber", "hinge"])
def test_an_intercept_that_is_off_is_charged(name):
    """Under a heavy term nothing but the intercept is left to be wrong."""
    plain = CASES[name]()
    problem = GLM(A, plain.y, plain.loss, SquaredL2(1e6), intercept=True)
    best = solved(problem)
    x = best.copy()
    x[-1] += np.array([1.0, -0.5, 0.0]) if name == "softmax" else 0.7
    certificate, _ = judge(problem, x)
    gap = truth(problem, x) - truth(problem, best)
    assert 0.1 < gap <= LD(float(certificate.value)) + LD(float(certificate.slack))


@pytest.mark.parametrize("name", ["logistic", "poisson", "huber", "hinge", "ridge"])
def test_intercepts_of_solutions_are_inside_the_proved_radius(name):
    """The charge for a missed 1'th = 0 rests on |b* - b| <= travel, at any x."""
    problem = CASES[name]()
    best = jnp.asarray(solved(problem))
    norms = problem.data_norms(best.dtype)
    for x in (jnp.zeros(P + 1), best, jnp.full(P + 1, 2.0), best.at[-1].add(-30.0)):
        z = problem.linear(x)
        F = problem.objective(x)
        bound = problem.travel(norms, x, z, jnp.zeros_like(z), F)
        assert abs(best[-1] - x[-1]) <= bound < 1e16


def test_softmax_intercepts_are_inside_up_to_a_common_shift():
    problem = CASES["softmax"]()
    best = jnp.asarray(solved(problem))
    norms = problem.data_norms(best.dtype)
    x = best.at[-1].set(jnp.array([4.0, -3.0, 1.0]))
    z = problem.linear(x)
    F = problem.objective(x)
    bound = problem.travel(norms, x, z, jnp.zeros_like(z), F)

    def centred(b):
        return b - (jnp.max(b) + jnp.min(b)) / 2

    assert np.all(np.abs(centred(best[-1]) - centred(x[-1])) <= bound)


@pytest.mark.parametrize(
    "name", ["lasso_free", "logistic_offset", "softmax", "poisson"]
)
def test_permuting_samples_and_scaling_the_objective_leave_the_ratio(name):
    problem = CASES[name]()
    x = solved(problem) + 0.01
    ratio = float(judge(problem, x)[0].ratio)
    order = np.random.default_rng(5).permutation(N)

    def built(c, order):
        term = type(problem.term)(c * problem.term.lam)
        weight = np.ones(N) if problem.weight is None else problem.weight
        offset = None if problem.offset is None else problem.offset[order]
        return GLM(
            A[order],
            problem.y[order],
            problem.loss,
            term,
            intercept=True,
            sample_weight=c * weight[order],
            offset=offset,
        )

    for c in (1.0, 1e-9, 1e9):
        assert np.isclose(float(judge(built(c, order), x)[0].ratio), ratio, rtol=1e-8)


def test_scaling_columns_leaves_the_gap():
    s = np.array([1e-4, 1.0, 1e3, 10.0])
    x = np.array([0.3, -0.5, 0.0, 0.2])
    plain = judge(GLM(A, B, SquaredLoss(), L1(2.0 * np.ones(P))), x)[0]
    scaled = judge(GLM(A * s, B, SquaredLoss(), L1(2.0 * s)), x / s)[0]
    assert np.isclose(plain.value, scaled.value, rtol=1e-9)
    plain = judge(
        GLM(A, SIGN, LogisticLoss(), SquaredL2(np.ones(P)), **FREE), np.r_[x, 0.1]
    )
    scaled = judge(
        GLM(A * s, SIGN, LogisticLoss(), SquaredL2(s**2), **FREE), np.r_[x / s, 0.1]
    )
    assert np.isclose(plain[0].value, scaled[0].value, rtol=1e-9)


DUAL = ["lasso", "logistic", "softmax_l1", "poisson_l1", "hinge"]


@pytest.mark.parametrize("name", DUAL)
def test_an_offered_dual_helps_only_by_its_own_merit(name):
    """Forged, huge and NaN witnesses leave what the check finds by itself."""
    problem = CASES[name]()
    best = solved(problem)
    # Not the same for all classes: a softmax would not feel that.
    x = best + 0.05 * np.cos(np.arange(best.size)).reshape(best.shape)
    own, at = judge(problem, x)
    gap = truth(problem, x) - truth(problem, best)
    rng = np.random.default_rng(6)
    shape, bits = np.shape(at.dual), set()
    for forged in (
        np.full(shape, np.nan),
        np.full(shape, np.inf),
        1e300 * np.ones(shape),
        rng.normal(size=shape) * 1e6,
        np.zeros(shape),
        np.where(np.arange(np.prod(shape)).reshape(shape) == 0, np.nan, at.dual),
    ):
        certificate, _ = judge(problem, x, forged)
        total = LD(float(certificate.value)) + LD(float(certificate.slack))
        assert gap <= total
        assert float(certificate.value) <= float(own.value) * (1 + 1e-10)
        if not np.all(np.isfinite(forged)):
            # Another program: its sums may round otherwise.
            assert np.isclose(certificate.value, own.value, rtol=1e-10)
            assert np.isclose(certificate.slack, own.slack, rtol=1e-10)
            assert int(certificate.witness) == 0
            bits.add((float(certificate.value), float(certificate.slack)))
    assert len(bits) == 1
    _, solution = judge(problem, best)
    # One entry that is not finite spoils an otherwise helpful offer.
    spoilt = np.array(solution.dual)
    spoilt.flat[0] = np.inf
    assert int(judge(problem, x, spoilt)[0].witness) == 0
    helped, _ = judge(problem, x, solution.dual)
    assert int(helped.witness) == 1 and float(helped.value) < float(own.value)
    assert gap <= LD(float(helped.value)) + LD(float(helped.slack))


def test_a_dual_of_another_structure_is_ignored():
    problem = CASES["lasso"]()
    x = np.full(P, 0.1)
    own, _ = judge(problem, x)
    for odd in (np.ones(N + 1), (np.ones(N), np.ones(2)), np.ones(N, int), {"a": None}):
        other, _ = judge(problem, x, odd)
        assert float(other.value) == float(own.value) and int(other.witness) == 0


def test_swapped_data_and_perturbed_answers_fail():
    problem = CASES["logistic"]()
    best = solved(problem)
    assert judge(problem, best)[0].within(1e-9)
    swapped = models.LogisticRegression(A, -SIGN, 0.5)
    assert judge(swapped, best)[0].ratio > 0.1
    rolled = models.LogisticRegression(np.roll(A, 1, axis=0), SIGN, 0.5)
    assert judge(rolled, best)[0].ratio > 1e-3
    stronger = models.LogisticRegression(A, SIGN, 0.51)
    assert not judge(stronger, best)[0].within(1e-7)
    without = GLM(A, SIGN, LogisticLoss(), SquaredL2(0.5))
    assert not judge(without, best[:-1])[0].within(1e-4)
    with pytest.raises(Misuse, match="negative"):
        models.LogisticRegression(A, SIGN, 0.5, sample_weight=-W)


def test_a_point_outside_the_set_is_projected_and_returned():
    problem = models.SimplexLeastSquares(A, B, 1.5)
    best = solved(problem)
    # Off the simplex by 0.1 %: a plain Frank-Wolfe gap would be negative here.
    certificate, point = judge(problem, 0.999 * best)
    assert abs(np.sum(point.x) - 1.5) < 1e-15 * 8 and np.min(point.x) >= 0
    assert certificate.value >= 0
    gap = truth(problem, point.x) - truth(problem, best)
    assert gap <= float(certificate.value) + float(certificate.slack)


def test_nan_points_give_nan_and_overflow_gives_no_bound():
    problem = CASES["poisson"]()
    nan = judge(problem, np.full(P + 1, np.nan))[0]
    assert np.isnan(nan.value) and not nan.within(1e9)
    over = judge(problem, np.full(P + 1, 1e4))[0]
    assert not np.isnan(over.value) and not over.within(1e9)


def test_one_evaluation_is_one_product_with_a_and_one_with_its_transpose():
    def products(problem, x, dual):
        ready = Gap().prepared(problem)
        jaxpr = jax.make_jaxpr(lambda p, x, d: ready(p, Point(x, d), None, 0))
        return sum(
            e.primitive.name == "dot_general"
            and any(v.aval.shape == (N, P) for v in e.invars)
            for e in flat(jaxpr(problem, x, dual).jaxpr)
        )

    def flat(jaxpr):
        for e in jaxpr.eqns:
            yield e
            for inner in e.params.values():
                if isinstance(inner, jax.extend.core.ClosedJaxpr):
                    yield from flat(inner.jaxpr)

    for name in ("logistic", "lasso"):
        problem = CASES[name]()
        x = jnp.zeros(problem.space().shape)
        assert products(problem, x, None) == 2 * Gap().cost(problem)["grad"]
        assert products(problem, x, jnp.ones(N)) == 3


def test_float32_is_judged_in_float64_where_that_exists():
    small = models.Lasso(A.astype(np.float32), B.astype(np.float32), 2.0)
    x = np.float32([0.9, -0.9, 0.0, 0.4])
    wide, point = judge(small, x)
    assert wide.value.dtype == np.float64 and wide.slack < 1e-11
    assert point.x.dtype == np.float32
    with jax.enable_x64(False):
        narrow, _ = judge(small, jnp.asarray(x))
        assert narrow.value.dtype == np.float32
        off = abs(float(narrow.value) - float(wide.value))
        assert off <= float(narrow.slack) < 1e-3 * float(narrow.scale)
        assert float(narrow.slack) > 1e-8 * float(narrow.scale)


def test_refusals_name_reason_and_cure():
    cases = {
        "no conjugate": GLM(A, B, SquaredLoss()),
        "unpenalised": GLM(A, B, SquaredLoss(), L1(np.array([0, 1.0, 1, 1]))),
        "Nonnegative": models.NonnegativeLeastSquares(A, B),
    }
    for words, problem in cases.items():
        reason = Gap().refuses(problem)
        assert words in reason and f"check='{problem.default_check()}'" in reason
    assert Gap().refuses(CASES["lasso"]()) is None
    assert "strong convexity" in GapDistance().refuses(CASES["ridge"]())
    assert GapDistance().refuses(models.Ridge(A, B, 0.5)) is None


def test_traced_zero_weights_give_no_bound():
    """A weight that is 0 only at run time must not slip past the refusal."""
    make = lambda lam: judge(GLM(A, B, SquaredLoss(), L1(lam)), jnp.ones(P))[0].value  # noqa: E731
    value = jax.jit(make)
    assert np.isfinite(value(jnp.ones(P)))
    assert np.isposinf(value(jnp.array([0.0, 1.0, 1.0, 1.0])))


@pytest.mark.parametrize("mu", [1e-3, 0.5, 100.0])
def test_distance_bound_holds_and_is_tight_to_the_condition(mu):
    problem = models.Ridge(A, B, mu)
    best = np.linalg.solve(A.T @ A + mu * np.eye(P), A.T @ B)
    check = GapDistance()

    @jax.jit
    def measure(problem, x):
        ready = check.prepared(problem)
        return ready(problem, Point(x), None, 0)[0]

    for h in (0.0, 1e-6, 0.1):
        x = best + h * np.random.default_rng(8).normal(size=P)
        certificate = measure(problem, x)
        far = float(np.linalg.norm(x - best))
        assert far <= float(certificate.value + certificate.slack)
        if h:
            worst = np.linalg.norm(A, 2) ** 2 / mu + 1
            assert float(certificate.value) <= 1.1 * worst * far
    assert certificate.quantity == "||x-x*||_2" and 0 < float(certificate.slack)
    assert certificate.assumes[1] == "mu: by construction"


def test_norms_of_a_large_matrix_are_taken_by_blocks_of_rows(monkeypatch):
    """The same bounds, and no array as large as the data beside it."""
    rng = np.random.default_rng(4)
    A = np.asfortranarray(rng.standard_normal((103, 7)) * 10.0 ** np.arange(7))
    problem = models.Lasso(A, rng.standard_normal(103), 0.1)
    with compat.double():
        whole = problem.data_norms(np.float64)
        monkeypatch.setattr(glm_bounds, "_BLOCK", 7 * 20)
        parts = problem.data_norms(np.float64)
        jaxpr = jax.make_jaxpr(lambda: problem.data_norms(np.float64))()
    assert "scan" in str(jaxpr)
    columns = np.sqrt(np.sum(A.astype(np.longdouble) ** 2, axis=0))
    rows = np.sqrt(np.sum((A / np.asarray(parts.units)) ** 2, axis=1))
    for norms in (whole, parts):
        assert np.all(np.asarray(norms.columns) >= columns)
        np.testing.assert_allclose(norms.columns, columns.astype(float), rtol=1e-12)
        np.testing.assert_allclose(norms.rows, rows, rtol=1e-12)

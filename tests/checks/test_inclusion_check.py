"""Residual, distance and gap of inclusions: sound, scaled by data, refuted."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.inclusion.check import InclusionDistance, InclusionResidual
from banach.kinds.inclusion.problem import Inclusion, saddle
from banach.kinds.inclusion.variational_check import VariationalGap
from banach.terms.sets import Box, L1Ball, L2Ball, Nonnegative, Simplex

rng = np.random.default_rng(3)
HALF, TURN = rng.standard_normal((2, 4, 4)) / 2
M = HALF @ HALF.T + TURN - TURN.T + 0.3 * np.eye(4)
L, MU = 1.01 * np.linalg.norm(M, 2), 0.99 * np.linalg.eigvalsh(M + M.T)[0] / 2
wide = np.longdouble


def affine(z, datum):
    scale, q = datum
    return scale * (jnp.matmul(M, z, precision="highest") + q)


def stated(q, scale=1.0, n=3, **options):
    """The mean of n components scale (M z + q), with constants scaled alike."""
    facts = {k: v * scale for k, v in options.items() if k in ("L", "mu")}
    spread = jnp.stack([q * w for w in np.linspace(0.5, 1.5, n)])
    scales = jnp.full(n, scale)
    return Inclusion(affine, np.zeros(4), (scales, spread), **(options | facts))


def certify(check, problem, z, seed=0):
    return judged(check, problem, Point(z), seed)


def claimed(certificate):
    first = certificate.parts[0]
    return wide(float(first.value)) + wide(float(first.slack))


def norm(v):
    return np.sqrt(np.sum(np.asarray(v, wide) ** 2))


SCALES = (1e-9, 1.0, 1e9)


@pytest.mark.parametrize("check", [InclusionResidual(), InclusionDistance()])
def test_without_a_term_it_bounds_the_truth_also_at_solutions(check):
    far = check.name == "inclusion_distance"

    @jax.jit
    @jax.vmap
    def run(q, s, z):
        return certify(check, stated(q, s, L=L, mu=MU), z)[0]

    draw = np.random.default_rng(8)
    qs = draw.standard_normal((30, 4)) * 10.0 ** draw.choice([0, 6], (30, 1))
    s = draw.choice(SCALES, 30)
    best = -np.linalg.solve(M, qs.T).T
    zs = best * (1 + 10.0 ** draw.integers(-14, 0, (30, 1)))
    zs[:8] = best[:8]
    out = run(qs, s, zs)
    for i in range(30):
        # The mean of the components' own rounded data, in extended precision.
        q = sum(wide(w) * qs[i].astype(wide) for w in np.linspace(0.5, 1.5, 3)) / 3
        F = wide(s[i]) * (M.astype(wide) @ zs[i] + q)
        truth = norm(zs[i] - exact(q)) if far else norm(F)
        part = jax.tree.map(lambda v, i=i: v[i], out.parts[0])
        total = wide(float(part.value)) + wide(float(part.slack))
        assert total >= truth * (1 - wide(1e-15))
        size = norm(qs[i]) * (1 if far else s[i])
        assert float(part.slack) < 1e-9 * max(float(part.value), size)
    assert not np.any(out.refuted())


def exact(q):
    """M^-1 of -q, refined in extended precision."""
    wider, z = M.astype(wide), np.zeros(4, wide)
    for _ in range(4):
        z = z - np.linalg.solve(M, (wider @ z + q).astype(float))
    return z


def boxed(q):
    """The solution over the unit box by enumeration of faces."""
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=4):
        s = np.array(signs)
        free, z = s == 0, s.copy()
        rest = -q[free] - M[np.ix_(free, ~free)] @ z[~free]
        z[free] = np.linalg.solve(M[np.ix_(free, free)], rest)
        if np.all(abs(z) <= 1) and np.all((M @ z + q) * s <= 0):
            return z
    raise AssertionError


def test_over_a_box_the_distance_and_the_gap_hold():
    @jax.jit
    @jax.vmap
    def run(q, z):
        p = stated(q, L=L, mu=MU, term=Box(-1.0, 1.0))
        return certify(InclusionDistance(), p, z), certify(VariationalGap(), p, z)

    draw = np.random.default_rng(9)
    qs = 3 * draw.standard_normal((20, 4))
    best = np.stack([boxed(q) for q in qs])
    shift = draw.standard_normal((20, 4)) * 10.0 ** draw.integers(-12, 0, (20, 1))
    zs = best + np.where(np.arange(20)[:, None] < 4, 0, shift)
    (far, at), (gap, inside) = run(qs, zs)
    np.testing.assert_array_equal(at.x, zs)
    assert np.all(abs(inside.x) <= 1 + 1e-15)
    total = far.parts[0].value + far.parts[0].slack
    assert np.all(total >= np.linalg.norm(zs - best, axis=1) - 1e-15)
    total = np.asarray(gap.parts[0].value + gap.parts[0].slack)
    for i, z in enumerate(np.asarray(inside.x)):
        F = (M.astype(wide) @ z) + qs[i].astype(wide)
        assert total[i] >= F @ z + np.sum(abs(F)) - 1e-17
    assert np.all(total[:4] < 1e-13) and np.all(gap.parts[0].value[:4] >= 0)
    assert not np.any(gap.refuted() | far.refuted())


@pytest.mark.parametrize("term", [Simplex(), L1Ball(2.0), L2Ball(1.5), Box(-1.0, 2.0)])
def test_the_gap_is_the_largest_over_the_set(term):
    q = rng.standard_normal(4)
    p = stated(q, term=term, monotone=True)
    z = np.asarray(term.project(rng.standard_normal(4)))
    cert, _ = certify(VariationalGap(), p, z)
    F = M @ z + q
    sampled = [F @ (z - term.project(5 * v)) for v in rng.standard_normal((300, 4))]
    vertex = F @ (z - np.asarray(term.lmo(F)))
    assert max(sampled) <= vertex + 1e-12
    assert float(cert.parts[0].value) == pytest.approx(vertex, rel=1e-12)
    assert cert.grade == "bound" and cert.assumes == ("monotone: declared",)
    assert cert.quantity == "max <F(z),z-v>"


A = np.array([[3.0, -1.0, 2.0], [-2.0, 1.0, 0.5]])


def game(**options):
    term = bn.Product(Simplex(), Simplex())
    return saddle(
        lambda x, y: x @ (A @ y), np.full(2, 0.5), np.full(3, 1 / 3), term=term,
        **({"monotone": True, "L": 5.0} | options),
    )  # fmt: skip


def test_of_a_matrix_game_it_is_the_duality_gap():
    x, y = np.array([0.3, 0.7]), np.array([0.2, 0.5, 0.3])
    cert, _ = certify(VariationalGap(), game(), (x, y))
    assert cert.quantity == "duality gap" and cert.grade == "bound"
    truth = np.max(A.T @ x) - np.min(A @ y)
    assert float(cert.value) == pytest.approx(truth, rel=1e-13)
    # A best response that is only a step of ascent would have said less.
    step = y + 0.1 * A.T @ x
    step = np.asarray(Simplex().project(step))
    assert x @ A @ step - np.min(A @ y) < float(cert.value)
    assert game().default_check() == "variational_gap"
    # The first strategy of y is never played; the others are equally good.
    best = (np.array([1.0, 6.0]) / 7, np.array([0.0, 3.0, 4.0]) / 7)
    at, _ = certify(VariationalGap(), game(), best)
    assert bool(at.within(1e-12)) and not bool(at.refuted())


def test_where_the_centre_is_a_solution_a_vertex_gives_the_scale():
    rps = np.array([[0.0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    even = np.full(3, 1 / 3)
    p = saddle(
        lambda x, y: x @ (rps @ y), even, even, monotone=True, L=2.0,
        term=bn.Product(Simplex(), Simplex()),
    )  # fmt: skip
    cert, _ = certify(VariationalGap(), p, (even, even))
    assert float(cert.scale) == pytest.approx(2.0)
    assert bool(cert.within(1e-12))


def test_outside_the_set_the_projection_is_judged_and_returned():
    outside = (np.array([0.8, 0.4]), np.array([0.5, 0.5, 0.1]))
    cert, after = certify(VariationalGap(), game(), outside)
    x, y = after.x
    assert x.sum() == pytest.approx(1) and y.sum() == pytest.approx(1)
    truth = np.max(A.T @ x) - np.min(A @ y)
    assert float(cert.value + cert.slack) >= truth


def bilinear(radius, **options):
    def phi(x, y):
        return x @ y - jnp.sum(y)

    facts = {"monotone": True, "L": 1.0} | options
    return saddle(phi, np.zeros(2), np.zeros(2), radius=radius, **facts)


def test_without_bounds_the_gap_is_restricted_to_the_declared_ball():
    # z* = ((1, 1), 0).
    z = (np.array([0.9, 1.2]), np.array([0.1, 0.0]))
    cert, at = certify(VariationalGap(), bilinear(2.0), z)
    assert cert.grade == "bound" and "radius: declared" in cert.assumes
    assert "||v-z0||<=radius" in cert.quantity and "restricted" in cert.quantity
    F = np.array([0.1, 0.0, 0.1, -0.2])
    want = F @ np.concatenate(z) + 2.0 * np.linalg.norm(F)
    assert float(cert.value) == pytest.approx(want, rel=1e-12)
    np.testing.assert_array_equal(at.x[0], z[0])
    # The ball is the problem's: at a far iterate the gap is large, not the iterate's.
    far, _ = certify(VariationalGap(), bilinear(2.0), (z[0] + 1e3, z[1]))
    assert float(far.value) > 1e3
    assert float(cert.scale) == pytest.approx(2.0 * np.sqrt(2))


def test_a_ball_without_a_solution_is_refuted():
    # <F(z), z - v> < 0 for all v of a ball that holds no solution.
    F = lambda z: z - 1.0  # noqa: E731
    p = Inclusion(F, np.zeros(2), monotone=True, L=1.0, radius=0.1)
    cert, _ = certify(VariationalGap(), p, np.full(2, 0.9))
    assert bool(cert.refuted()) and not bool(cert.within(1e9))
    good = Inclusion(F, np.zeros(2), monotone=True, L=1.0, radius=1.5)
    assert not bool(certify(VariationalGap(), good, np.full(2, 0.9))[0].refuted())


@pytest.mark.parametrize(
    "name, facts",
    [
        ("monotone", dict(monotone=True)),
        ("mu", dict(mu=10 * MU)),
        ("cocoercive", dict(cocoercive=2.0)),
        ("L", dict(monotone=True, L=0.3 * L)),
    ],
)
@pytest.mark.parametrize("check", ["inclusion", "variational_gap"])
def test_what_was_declared_falsely_is_printed_and_refuted(name, facts, check):
    sign = -1.0 if name == "monotone" else 1.0
    p = stated(np.zeros(4), sign, term=Box(-1.0, 1.0), **facts)
    # z = 0 is a solution: without the samples it would certify.
    check = bn.checks.by_name(check)
    cert, _ = certify(check, p, np.zeros(4))
    said = {part.name: float(part.value) for part in cert.parts[1:]}
    assert said[f"{name} at sampled pairs"] < 0 <= float(cert.parts[0].value)
    assert bool(cert.refuted()) and not bool(cert.within(1e9))
    assert "monotone: declared" in cert.assumes
    honest = stated(np.zeros(4), term=Box(-1.0, 1.0), mu=MU, L=L)
    assert not bool(certify(check, honest, np.zeros(4))[0].refuted())


def test_a_rotation_is_monotone_and_no_rounding_refutes_it():
    turn = np.array([[0.0, 1e6], [-1e6, 0.0]])
    p = Inclusion(lambda z: turn @ z + 1e9, np.zeros(2), monotone=True, L=1e6)
    run = jax.jit(
        jax.vmap(lambda z, k: InclusionResidual()(p, Point(z), jax.random.key(k), 0)[0])
    )
    zs = np.random.default_rng(2).standard_normal((200, 2)) * 1e3
    assert not np.any(run(zs, np.arange(200)).refuted())


def test_solve_names_the_refuted_fact():
    p = Inclusion(lambda z: -z, np.ones(2), monotone=True, L=1.0)
    assert not bn.solve(p, max_steps=50).certified
    at = bn.solve(Inclusion(lambda z: -z, np.zeros(2), monotone=True, L=1.0))
    assert at.status == "refuted" and "monotone at sampled pairs" in at.reason
    assert "monotone: declared" in at.reason


def test_an_undeclared_operator_is_a_residual_that_says_so():
    cert, _ = certify(InclusionResidual(), stated(np.ones(4)), np.zeros(4))
    assert cert.grade == "residual" and cert.assumes == ("monotone: not declared",)
    p = stated(np.ones(4), term=Box(-1.0, 1.0))
    assert p.default_check() == "inclusion"
    assert certify(VariationalGap(), p, np.zeros(4))[0].grade == "residual"


def test_the_step_is_the_problems_and_the_ratio_free_of_units():
    """t -> 0 would make any step small; F -> c F with L -> c L changes nothing."""
    z, q = rng.standard_normal(4), rng.standard_normal(4)
    ratios = []
    for s in SCALES:
        p = stated(q, s, L=L, term=Box(-1.0, 1.0), reference=np.zeros(4))
        ratios.append(float(certify(InclusionResidual(), p, z)[0].ratio))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    p = stated(q, L=L, term=Box(-1.0, 1.0))
    after = np.clip(z - (M @ z + q) / L, -1, 1)
    cert, _ = certify(InclusionResidual(), p, z)
    assert float(cert.value) == pytest.approx(L * np.linalg.norm(z - after), rel=1e-12)


def test_every_component_counts():
    """A component dropped, doubled or swapped moves the certified residual."""
    q = rng.standard_normal(4)
    p = stated(q, L=L, mu=MU)
    z = exact(q.astype(wide)).astype(float)
    assert float(certify(InclusionResidual(), p, z)[0].value) < 1e-14
    for keep in ([0, 1], [0, 1, 2, 2], [2, 2, 2]):
        other = eqx.tree_at(
            lambda p: p.data, p, tuple(v[np.array(keep)] for v in p.data)
        )
        assert float(certify(InclusionResidual(), other, z)[0].value) > 1e-2
    for v in np.eye(4):
        assert float(certify(InclusionResidual(), p, z + 1e-6 * v)[0].value) > 1e-8


def test_nan_never_certifies_and_a_dual_is_ignored():
    p = stated(np.ones(4), L=L, mu=MU, term=Box(-1.0, 1.0))
    z = boxed(np.ones(4))
    for check in (InclusionResidual(), InclusionDistance(), VariationalGap()):
        good, _ = certify(check, p, z)
        assert bool(good.within(1e-9))
        assert not bool(certify(check, p, z * np.nan)[0].within(1e9))
        forged, _ = judged(check, p, Point(z, np.full(7, np.nan)))
        assert all(np.array_equal(a.value, b.value) for a, b in zip(
            good.parts, forged.parts, strict=True
        ))  # fmt: skip
        bad = eqx.tree_at(lambda p: p.data[1], p, p.data[1] * np.nan)
        assert not bool(certify(check, bad, z)[0].within(1e9))


def test_float32_is_judged_in_float64():
    small = Inclusion(lambda z: z - 0.1, np.zeros(2, np.float32), monotone=True, L=1.0)
    z = np.full(2, 0.1, np.float32)
    cert, at = certify(InclusionResidual(), small, z)
    assert at.x.dtype == np.float32 and cert.value.dtype == np.float64
    # 0.1 of the program is the float64 number: z is off by its own rounding.
    assert float(cert.value + cert.slack) >= np.sqrt(2) * abs(float(z[0]) - 0.1)
    assert not bool(cert.refuted())


def test_what_does_not_fit_is_refused_with_the_cure():
    plain = stated(np.ones(4))
    assert "declare mu" in InclusionDistance().refuses(plain)
    assert "needs L" in InclusionDistance().refuses(
        stated(np.ones(4), mu=0.1, term=Box(-1.0, 1.0))
    )
    assert "radius" in VariationalGap().refuses(plain)
    unbounded = stated(np.ones(4), term=Nonnegative())
    assert "compact" in VariationalGap().refuses(unbounded)
    lasso = bn.Lasso(np.ones((2, 2)), np.ones(2), 0.1)
    for check in (InclusionResidual(), InclusionDistance(), VariationalGap()):
        assert "check='gap'" in check.refuses(lasso)

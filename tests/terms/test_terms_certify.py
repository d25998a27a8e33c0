"""What certificates rest on: brackets, slacks and dual factors in 60-digit arithmetic.

Floats are converted exactly. The reference evaluates g(x) + g*(v) - <v, x> as it
stands; cancellation is harmless at 60 digits.
"""

from decimal import Decimal, getcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import at_once
from test_terms_table import CASES, DUAL, LABELS, W, batch

from banach.terms.norms import ElasticNet, SquaredL2

ROUND = Decimal("1e-50")  # of the reference itself
D = np.vectorize(Decimal, otypes=[object])
GROUPS = {
    "group": [((0, 3), 0.9), ((1, 2, 5), 0.9), ((4,), 0.9)],
    "group_labels": [((0, 2), 0.9), ((1, 4), 0.4)],
}


@pytest.fixture(autouse=True)
def digits():
    context, old = getcontext(), getcontext().prec
    context.prec = 60
    yield
    context.prec = old


def exact(x):
    return D(np.asarray(x, float))


def norm(x):
    return sum((a * a for a in x.ravel()), Decimal(0)).sqrt()


def spectrum(m):
    """Singular values of an exact matrix with two columns."""
    gram = m.T @ m
    half, det = (gram[0, 0] + gram[1, 1]) / 2, gram[0, 0] * gram[1, 1] - gram[0, 1] ** 2
    root = max(half * half - det, Decimal(0)).sqrt()
    return (half + root).sqrt(), max(half - root, Decimal(0)).sqrt()


def top_eigenvalue(m):
    a, b, d = m[0, 0], (m[0, 1] + m[1, 0]) / 2, m[1, 1]
    return (a + d) / 2 + (((a - d) / 2) ** 2 + b * b).sqrt()


def l1_l2(l1, l2):
    def bracket(x, v):
        total = Decimal(0)
        for x_, v_, a, b in zip(x, v, exact(l1), exact(l2), strict=True):
            if a == 0 and b == 0:
                continue
            conjugate = Decimal(0)
            if b > 0:
                conjugate = max(abs(v_) - a, Decimal(0)) ** 2 / (2 * b)
            elif abs(v_) > a:
                return None
            total += a * abs(x_) + b * x_ * x_ / 2 + conjugate - v_ * x_
        return total

    return bracket


def grouped(groups):
    def bracket(x, v):
        total = Decimal(0)
        for group, lam in groups:
            lam, x_, v_ = Decimal(lam), x[list(group)], v[list(group)]
            if norm(v_) > lam:
                return None
            total += lam * norm(x_) - x_ @ v_
        return total

    return bracket


def sparse_grouped(l1, groups):
    def bracket(x, v):
        l1_, s = exact(l1), v.copy()
        total, held = Decimal(0), np.zeros(len(v), bool)
        for group, lam in groups:
            g = list(group)
            held[g] = True
            s[g] = np.maximum(abs(v[g]) - l1_[g], Decimal(0))
            if norm(s[g]) > Decimal(lam):
                return None
            total += Decimal(lam) * norm(x[g]) + l1_[g] @ abs(x[g]) - x[g] @ v[g]
        for j in np.flatnonzero(~held & (l1 > 0)):
            if abs(v[j]) > l1_[j]:
                return None
            total += l1_[j] * abs(x[j]) - x[j] * v[j]
        return total

    return bracket


def sorted_l1(lam):
    def bracket(x, v):
        down = lambda a: np.sort(abs(a))[::-1]  # noqa: E731
        if any(np.cumsum(down(v)) > np.cumsum(exact(lam))):
            return None
        return exact(lam) @ down(x) - x @ v

    return bracket


def fused(l1, tv):
    l1, tv = Decimal(l1), Decimal(tv)

    def bracket(x, v):
        # v(I) <= l1 |I| + tv cut(I) for every interval I of neighbours.
        n = len(v)
        for i in range(n):
            for j in range(i + 1, n + 1):
                cut = tv * ((i > 0) + (j < n))
                if abs(sum(v[i:j])) > l1 * (j - i) + cut:
                    return None
        return l1 * sum(abs(x)) + tv * sum(abs(np.diff(x))) - x @ v

    return bracket


def ball(primal, lam, dual):
    def bracket(x, v):
        if dual(v) > Decimal(lam):
            return None
        return Decimal(lam) * primal(x) - np.sum(x * v)

    return bracket


def box(low, high):
    def bracket(x, v):
        faces = zip(v, exact(low), exact(high), strict=True)
        return sum(max(a * lo, a * up) for a, lo, up in faces) - x @ v

    return bracket


def support(radius, dual):
    return lambda x, v: Decimal(radius) * dual(v) - np.sum(x * v)


def envelope(groups, weights, k):
    """The value by every number r of groups with u = 1."""

    def bracket(x, v):
        parts = [
            (Decimal(d), x[list(g)], v[list(g)])
            for g, d in zip(groups, weights, strict=True)
        ]
        a = sorted((d.sqrt() * norm(x_) for d, x_, _ in parts), reverse=True)
        values = [
            sum((b * b for b in a[:r]), sum(a[r:]) ** 2 / (k - r))
            for r in range(k)
            if r == k - 1 or a[r] * (k - r) <= sum(a[r:])
        ]
        tops = sorted((norm(v_) ** 2 / d for d, _, v_ in parts), reverse=True)
        return values[0] / 2 + sum(tops[:k]) / 2 - x @ v

    return bracket


ONE = np.ones(6)
TRUTH = {
    "l1": l1_l2(0.7 * ONE, 0 * ONE),
    "l1_weights": l1_l2(W, 0 * ONE),
    "squared_l2": l1_l2(0 * ONE, 0.6 * ONE),
    "squared_l2_weights": l1_l2(0 * ONE, W),
    "elastic_net": l1_l2(0.5 * ONE, 0.25 * ONE),
    "elastic_net_mixed": l1_l2(W, np.array([0.0, 0, 0, 1, 2, 0.5])),
    "group": grouped(GROUPS["group"]),
    "group_labels": grouped(GROUPS["group_labels"]),
    "envelope": envelope(
        [(0, 2), (1, 4), (3,), (5,)], 0.6 * np.array([1.0, 0.5, 2, 1]), 2
    ),
    "k_support": envelope([(i,) for i in range(6)], ONE, 3),
    "fused": fused(0.4, 0.6),
    "l2_norm": ball(norm, 0.8, norm),
    "linf": ball(lambda x: max(abs(x)), 1.1, lambda v: sum(abs(v))),
    "sorted_l1": sorted_l1(CASES["sorted_l1"].term.lam),
    "sparse_group": sparse_grouped(0.5 * ONE, [(g, 0.7) for g, _ in GROUPS["group"]]),
    "sparse_group_labels": sparse_grouped(W, GROUPS["group_labels"]),
    "nuclear": ball(lambda x: sum(spectrum(x)), 0.4, lambda v: spectrum(v)[0]),
    "box": box(CASES["box"].term.lower, CASES["box"].term.upper),
    "linf_ball": support(0.9, lambda v: sum(abs(v))),
    "simplex": support(1.5, max),
    "l1_ball": support(1.2, lambda v: max(abs(v))),
    "l2_ball": lambda x, v: support(1.3, norm)(x - exact(W - 0.4), v),
    "nuclear_ball": support(0.8, lambda v: spectrum(v)[0]),
    "spectrahedron": support(1.2, top_eigenvalue),
}


def test_every_conjugate_has_a_reference():
    assert set(TRUTH) == set(DUAL)


def pairs(case, seed):
    """Pairs (x, v): near-subgradients from one prox step, and unrelated points."""
    term, rng = case.term, np.random.default_rng(seed)
    ones = (1,) * len(case.shape)
    base = batch(seed, case.shape, 24)
    size = np.max(abs(base.reshape(24, -1)), axis=1).reshape(-1, *ones)
    base = base / np.maximum(size, 1e-2) * rng.uniform(0.3, 5, (24, *ones))
    step = jax.jit(jax.vmap(lambda b: term.prox(b, 0.5)))
    x = np.asarray(step(base))
    v = (base - x) / 0.5
    v[12:18] += rng.normal(size=v[12:18].shape) * 1e-6
    v[18:] = batch(seed + 1, case.shape, 6)
    return x, v


@pytest.mark.parametrize("name", DUAL)
def test_bracket_equals_the_reference_and_the_slack_is_honest(name):
    case, rng = CASES[name], np.random.default_rng(4)
    term = case.term
    x, v = pairs(case, 20)
    scale = jax.jit(jax.vmap(term.dual_scale))
    young = jax.jit(jax.vmap(term.fenchel_young))
    for error in (0.0, 1e-16, 1e-9, 1e-2):
        e = error * rng.uniform(0.5, 1, v.shape) * (1 + abs(v))
        s = np.asarray(scale(v, e)).reshape(-1, *[1] * len(case.shape))
        w, e = s * v * (1 - 4e-16), s * e
        value, slack = (np.asarray(a) for a in young(x, w, e))
        assert np.all(slack >= 0) and np.all(value >= -slack)
        inside = 0
        for i in range(len(x)):
            x_, w_, e_ = exact(x[i]), exact(w[i]), exact(e[i])
            moves = [0 * e_] if error == 0 else []
            moves += [exact(rng.uniform(-1, 1, v[i].shape)) * e_ for _ in range(3)]
            moves += [
                exact(np.sign(rng.normal(size=v[i].shape))) * e_ for _ in range(3)
            ]
            upper = Decimal(float(value[i])) + Decimal(float(slack[i]))
            for move in moves:
                truth = TRUTH[name](x_, w_ + move)
                inside += truth is not None
                assert truth is None or truth <= upper + ROUND
            if error == 0 and (truth := TRUTH[name](x_, w_)) is not None:
                apart = abs(truth - Decimal(float(value[i])))
                assert apart <= Decimal(float(slack[i])) + ROUND
        assert inside >= 6 * len(x) - 4
        if error <= 1e-16:
            size = np.sum(abs(x * w).reshape(24, -1), 1) + value + np.max(abs(w))
            assert np.all(slack <= 4e-13 * (size + 1))


@pytest.mark.parametrize("name", ["squared_l2", "elastic_net", "l1", "box"])
def test_bracket_is_relative_at_a_large_common_scale(name):
    # g + g* - <v, x> is 1e12 against 1e12; the squares keep the 1e-4 difference.
    case = CASES[name]
    base = np.array([[1e6, -1e6, 2e6, 1e6, -3e6, 1e6]])
    x = np.asarray(case.term.prox(base[0], 0.5))
    v = (base[0] - x) / 0.5
    v = v * float(case.term.dual_scale(v, 0.0)) * (1 - 1e-14)
    value, slack = case.term.fenchel_young(x, v, 0.0)
    truth = TRUTH[name](exact(x), exact(v))
    assert abs(truth - Decimal(float(value))) <= Decimal(float(slack))
    assert slack <= 1e-8


@pytest.mark.parametrize("name", DUAL)
def test_dual_factor_is_feasible_and_sharp(name):
    case, rng = CASES[name], np.random.default_rng(6)
    scale = jax.jit(jax.vmap(case.term.dual_scale))
    zero = np.zeros((24, *case.shape))
    v = batch(30, case.shape, 24)
    if name in ("squared_l2", "squared_l2_weights", "l2_ball", "envelope"):
        assert np.all(scale(v, abs(v)) == 1)
    for error in (0.0, 1e-9, 0.3):
        e = error * abs(v)
        s = np.asarray(scale(v, e))
        assert np.all((s > 0) & (s <= 1))
        for i in range(24):
            factor = Decimal(float(s[i]))
            corners = [np.sign(v[i]), np.sign(rng.normal(size=v[i].shape)), 0 * v[i]]
            for corner in corners:
                w = factor * (exact(v[i]) + exact(corner) * exact(e[i]))
                assert TRUTH[name](exact(zero[i]), w) is not None
            # Sharp: at e = 0 a factor larger by 1e-11 leaves the domain.
            if error == 0 and s[i] < 1:
                w = factor * (1 + Decimal("1e-11")) * exact(v[i])
                assert TRUTH[name](exact(zero[i]), w) is None
    assert np.all(scale(zero, zero) == 1)
    smooth = ("squared_l2", "elastic_net", "envelope", "k_support")
    finite_everywhere = case.is_set or name in smooth
    hurt = np.asarray(scale(zero * np.nan, zero))
    if name != "squared_l2_weights":
        assert np.all(hurt == 1) if finite_everywhere else np.all(np.isnan(hurt))


def test_weight_zero_is_left_to_the_caller():
    x, v = np.full(6, 3.0), np.full(6, 1e-3)
    for name in ("l1_weights", "squared_l2_weights", "group_labels"):
        term = CASES[name].term
        mask = np.asarray(term.unpenalised)
        moved = np.where(mask, 1e9, x)
        base, other = term.fenchel_young(x, v, 1e-9), term.fenchel_young(moved, v, 1e-9)
        assert mask.any() and base == other
        wild = np.where(mask, 1e9, v)
        assert term.dual_scale(wild, 1e-9) == term.dual_scale(v, 1e-9)
        with_label = LABELS if name == "group_labels" else W
        assert mask.shape == with_label.shape


def test_points_outside_a_set_are_not_flattered():
    # x off the simplex by a tenth of a percent must not look optimal.
    simplex = CASES["simplex"].term
    v = np.array([1e3, 0, 0, 0, 0, 0])
    x = np.array([1.5 * 1.001, 0, 0, 0, 0, 0])
    value, slack = simplex.fenchel_young(x, v, 0.0)
    assert value + slack >= 1.5
    ball = CASES["l1_ball"].term
    value, slack = ball.fenchel_young(np.array([1.3, 0, 0, 0, 0, 0]), v, 0.0)
    assert value < -slack
    assert CASES["box"].term.fenchel_young(np.full(6, 5.0), v, 0.0)[0] < 0


@pytest.mark.parametrize("name", DUAL)
def test_float32_brackets_stay_honest(name):
    case = CASES[name]
    hyper = jax.tree.map(
        lambda a: (
            jnp.asarray(a, jnp.float32)
            if np.issubdtype(np.asarray(a).dtype, np.floating)
            else a
        ),
        case.term,
    )
    x, v = (jnp.asarray(a, jnp.float32) for a in pairs(case, 40))
    scale = jax.jit(jax.vmap(hyper.dual_scale))(v, 0 * v)
    scale = scale.reshape(-1, *[1] * len(case.shape))
    v = v * scale * (1 - 2**-22)
    value, slack = jax.jit(jax.vmap(hyper.fenchel_young))(x, v, 0 * v)
    # The same function in float64: its own error is invisible at this scale.
    wide = jax.tree.map(
        lambda a: (
            np.asarray(a, float)
            if np.issubdtype(np.asarray(a).dtype, np.floating)
            else a
        ),
        hyper,
    )
    given = np.asarray(x, float), np.asarray(v, float), np.zeros(v.shape)
    truth, _ = at_once(jax.vmap(wide.fenchel_young), *given)
    assert value.dtype == slack.dtype == jnp.float32
    assert np.all(np.asarray(value, float) + slack >= truth - 1e-12 * (1 + abs(truth)))


def test_strong_convexity_constants():
    assert SquaredL2(0.6).mu() == 0.6
    assert ElasticNet(1.0, np.array([0.5, 0.2])).mu() == 0.2
    assert all(CASES[n].term.mu() == 0 for n in ("l1", "box", "nuclear", "tv"))

"""The gaps of transport: sound in extended precision, mutations, screens, dtype."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

import banach as bn
from banach.core import tree
from banach.core.point import Point
from banach.kinds.transport.check import Eye, TransportGap
from banach.kinds.transport.exact_check import ExactTransportGap
from banach.kinds.transport.problem import Transport
from banach.parts import transport_cost

LD = np.longdouble
RNG = np.random.default_rng(4)
M, N, EPS, TOL = 8, 6, 0.05, 1e-8
X, Y = RNG.normal(size=(M, 2)), RNG.normal(size=(N, 2))
C = ((X[:, None] - Y[None]) ** 2).sum(-1)
A, B = (v / v.sum() for v in (RNG.random(M) + 0.2, RNG.random(N) + 0.2))
# The marginals as stated differ by a rounding; the truth has them sum alike.
B_LD = LD(B) * (LD(A).sum() / LD(B).sum())


def problem(**more):
    return Transport(**({"cost": C, "a": A, "b": B, "eps": EPS} | more))


def scaled(eps=EPS, sweeps=20_000):
    """The solution by matrix scaling in extended precision, sum f = sum g."""
    K = np.outer(LD(A), B_LD) * np.exp(-LD(C) / LD(eps))
    v = np.ones(N, LD)
    for _ in range(sweeps):
        u = LD(A) / (K @ v)
        v = B_LD / (K.T @ u)
    f, g = LD(eps) * np.log(u), LD(eps) * np.log(v)
    t = (f.sum() - g.sum()) / (M + N)
    return f - t, g + t


BEST = scaled()


def floats(eps):
    return tuple(v.astype(np.float64) for v in scaled(eps))


def plan(x, eps=EPS):
    return np.outer(LD(A), B_LD) * np.exp(
        (LD(x[0])[:, None] + LD(x[1]) - LD(C)) / LD(eps)
    )


def dual(x, eps=EPS):
    """a.f + b.g - eps (sum P - 1), in extended precision."""
    return LD(A) @ LD(x[0]) + B_LD @ LD(x[1]) - LD(eps) * (plan(x, eps).sum() - 1)


def rounded(P):
    """Altschuler, Weed and Rigollet (2017), algorithm 2."""
    P = P * np.minimum(LD(A) / P.sum(1), 1)[:, None]
    P = P * np.minimum(B_LD / P.sum(0), 1)
    left, right = (np.maximum(v, 0) for v in (LD(A) - P.sum(1), B_LD - P.sum(0)))
    return P + np.outer(left, right) / max(left.sum(), LD("1e-4000"))


def primal(Q, eps=EPS):
    R = np.outer(LD(A), B_LD)
    return np.sum(LD(C) * Q) + LD(eps) * np.sum(Q * np.log(Q / R) - Q + R)


@eqx.filter_jit
def judged(check, p, point):
    return check(p, point, jax.random.key(0), 0)


def certify(check, p, x, **hyper):
    hyper = {k: jnp.asarray(v) for k, v in hyper.items()}
    return judged(check(**hyper), p, Point(tuple(jnp.asarray(v) for v in x)))


def near(size):
    moved = (v + size * RNG.standard_normal(v.shape) for v in BEST)
    return tuple(v.astype(np.float64) for v in moved)


def part(cert, name):
    (found,) = (q for q in cert.parts if q.name == name)
    return found


@pytest.mark.parametrize("size", [0, 1e-12, 1e-8, 1e-4, 1e-2, 0.3, 3.0])
def test_the_gap_is_primal_minus_dual_to_its_slack(size):
    for _ in range(5):
        cert, out = certify(TransportGap, problem(), near(size))
        # Of the bits that are returned: equal sums may cost a rounding.
        gap, x = part(cert, "gap"), tuple(np.asarray(v) for v in out.x)
        truth = primal(rounded(plan(x))) - dual(x)
        # The plan is not rounded in the same floats; both have the marginals.
        assert abs(LD(float(gap.value)) - truth) <= float(gap.slack) + 1e-18
        # What it is for: both suboptimalities are bounded.
        lower = dual(BEST) - dual(x)
        assert float(gap.value) + float(gap.slack) >= lower
        assert float(gap.slack) <= 3e-11 * max(float(gap.value), 1)
        for k, name in enumerate(("rows", "columns")):
            side = (A, B_LD)[k]
            error = part(cert, name)
            missed = abs(plan(x).sum(1 - k) - side).sum()
            assert abs(LD(float(error.value)) - missed) <= float(error.slack)


@pytest.mark.parametrize("eps", [0.02, 0.005])
@pytest.mark.parametrize("size", [1e-12, 1e-5, 0.1])
def test_so_it_is_where_entries_of_the_plan_underflow(size, eps):
    """The rounded plan spreads what is left over entries that are lost in P."""
    draw = np.random.default_rng(9)
    x = tuple(v + size * eps * draw.standard_normal(v.size) for v in floats(eps))
    cert, out = certify(TransportGap, problem(eps=eps), x)
    gap, x = part(cert, "gap"), tuple(np.asarray(v) for v in out.x)
    P = plan(x, eps)
    assert (P.astype(np.float64) < 1e-300).sum() >= (1 if eps > 0.01 else 10)
    truth = primal(rounded(P), eps) - dual(x, eps)
    assert abs(LD(float(gap.value)) - truth) <= float(gap.slack) + 1e-18
    assert float(gap.slack) <= 1e-10 * max(float(gap.value), 1)


@pytest.mark.parametrize("size", [0, 1e-3, 0.3])
def test_the_exact_gap_bounds_the_distance_to_the_linear_program(size):
    sums = [np.kron(np.eye(M), np.ones(N)), np.kron(np.ones(M), np.eye(N))]
    best = linprog(C.ravel(), A_eq=np.vstack(sums), b_eq=np.append(A, B)).fun
    cert, out = certify(ExactTransportGap, problem(), near(size))
    gap, x = part(cert, "gap"), tuple(np.asarray(v) for v in out.x)
    Q = rounded(plan(x))
    left = LD(C) - LD(x[0])[:, None]
    truth = np.sum(LD(C) * Q) - LD(A) @ LD(x[0]) - B_LD @ left.min(0)
    # Potentials are judged with equal sums, a shift that changes nothing.
    assert abs(LD(float(gap.value)) - truth) <= float(gap.slack) + 1e-17
    assert float(gap.value) >= float(np.sum(C * Q)) - best - 1e-12
    assert float(gap.slack) <= 1e-11


def test_the_two_gaps_speak_of_two_objectives():
    """Right marginals to 1e-9 say nothing about exact transport."""
    small = floats(0.005)
    p = problem(eps=0.005)
    entropic, _ = certify(TransportGap, p, small)
    exact, _ = certify(ExactTransportGap, p, small)
    assert bool(entropic.within(1e-9)) and not bool(exact.within(1e-4))
    assert entropic.quantity != exact.quantity
    assert float(part(exact, "rows").value) < 1e-9
    # A smaller eps comes closer, in the judgement of the same check.
    closer, _ = certify(ExactTransportGap, problem(eps=0.002), floats(0.002))
    assert float(part(closer, "gap").value) < 0.6 * float(part(exact, "gap").value)


LIES = {
    "f + 1000": lambda f, g: (f + 1000, g),
    "f - 1000, no mass": lambda f, g: (f - 1000, g),
    "another eps": lambda f, g: scaled(2 * EPS),
    "a little off": lambda f, g: (f, g + 1e-4 * np.cos(np.arange(N))),
    "rows alone": lambda f, g: (f + EPS * np.log(1 + 1e-6 * (-1.0) ** np.arange(M)), g),
    "sides swapped": lambda f, g: (np.append(g, [0, 0]), f[:N]),
    "smaller": lambda f, g: (1e-9 * f, 1e-9 * g),
    "turned around": lambda f, g: (-f, -g),
    "zero": lambda f, g: (0 * f, 0 * g),
    "NaN": lambda f, g: (f, g * np.where(np.arange(N) == 2, np.nan, 1)),
    "infinite": lambda f, g: (f, g + np.where(np.arange(N) == 2, np.inf, 0)),
    "minus infinity": lambda f, g: (f, g - np.where(np.arange(N) == 2, np.inf, 0)),
}


@pytest.mark.parametrize("check", [TransportGap, ExactTransportGap])
@pytest.mark.parametrize("lie", LIES)
def test_lies_are_not_certified(check, lie):
    x = tuple(np.asarray(v, np.float64) for v in LIES[lie](*BEST))
    for hyper in ({}, {"screen": TOL}):
        cert, _ = certify(check, problem(), x, **hyper)
        assert not bool(cert.within(TOL)) and not bool(cert.refuted())


def test_the_truth_is_certified_and_its_shift_is_the_same_point():
    x = tuple(map(np.float64, BEST))
    cert, out = certify(TransportGap, problem(), x)
    assert bool(cert.within(1e-11)) and cert.grade == "bound"
    moved, back = certify(TransportGap, problem(), (x[0] + 1000, x[1] - 1000))
    assert bool(moved.within(1e-8))
    for p, q, r in zip(out.x, back.x, x, strict=True):
        np.testing.assert_allclose(p, r, atol=1e-13)
        np.testing.assert_allclose(q, r, atol=1e-11)


@pytest.mark.parametrize(
    "other",
    [
        {"cost": C[:, ::-1].copy()},
        {"cost": 1.001 * C},
        {"a": A[::-1].copy()},
        {"eps": 1.001 * EPS},
    ],
)
def test_another_problem_s_answer_is_not_certified(other):
    cert, _ = certify(TransportGap, problem(**other), tuple(map(np.float64, BEST)))
    assert not bool(cert.within(1e-5))


def test_units_of_cost_and_mass_do_not_matter():
    x = near(1e-3)
    ratio = float(certify(TransportGap, problem(), x)[0].ratio)
    for c in (1e-9, 1e6):
        other = problem(cost=c * C, eps=c * EPS)
        got, _ = certify(TransportGap, other, tuple(c * v for v in x))
        assert float(got.ratio) == pytest.approx(ratio, rel=1e-6)
    # A plan of mass 7: sum a sum b = 49 moves the potentials by eps log 7.
    f, g = (v - EPS * np.log(7) / 2 for v in x)
    got, _ = certify(TransportGap, problem(a=7 * A, b=7 * B), (f, g))
    assert float(part(got, "rows").value) / 7 == pytest.approx(
        float(part(certify(TransportGap, problem(), x)[0], "rows").value), rel=1e-9
    )
    small = problem(cost=1e-9 * C)
    assert not bool(
        certify(TransportGap, small, tuple(1e-9 * v for v in x))[0].within(TOL)
    )


@pytest.mark.parametrize("check", [TransportGap, ExactTransportGap])
def test_a_screen_skips_the_gap_but_never_certifies_more(check):
    for size in (0, 1e-10, 1e-6, 0.1):
        x = near(size)
        full, fast = certify(check, problem(), x)[0], None
        for tol in (1e-9, 1e-3, 10.0):
            fast, _ = certify(check, problem(), x, screen=tol)
            assert bool(fast.within(tol)) == bool(full.within(tol))


def test_potentials_that_overflow_are_infinitely_bad_and_no_nan():
    """Those of a larger eps, on the way down, at the problem's own."""
    x = (np.full(M, 40.0), np.full(N, 40.0))
    for hyper in ({}, {"screen": TOL}):
        cert, _ = certify(TransportGap, problem(eps=0.01), x, **hyper)
        gap = part(cert, "gap")
        assert np.isposinf(float(gap.value)) and float(gap.slack) == 0
        assert not bool(cert.within(TOL))


def test_an_eps_below_rounding_certifies_nothing():
    cert, _ = certify(TransportGap, problem(eps=1e-16), (np.zeros(M), np.zeros(N)))
    assert not bool(cert.within(1e-2))
    r = bn.solve(problem(eps=1e-13), tol=1e-6, max_steps=200)
    assert not r.certified and r.status in ("unverifiable", "stalled", "budget")


def test_float32_points_are_judged_in_float64():
    small = np.float32
    p = problem(cost=C.astype(small), a=A.astype(small), b=B.astype(small),
                eps=small(EPS))  # fmt: skip
    x = tuple(v.astype(small) for v in near(1e-3))
    cert, out = certify(TransportGap, p, x)
    assert all(v.dtype == small for v in out.x)
    wide, _ = certify(
        TransportGap, tree.cast(p, np.float64), tuple(np.float64(v) for v in out.x)
    )
    assert part(cert, "gap").value.dtype == np.float64
    assert float(part(cert, "gap").value) == pytest.approx(
        float(part(wide, "gap").value), rel=1e-6
    )


def test_a_block_at_a_time_is_the_same_judgement(monkeypatch):
    x = near(1e-4)
    for check in (TransportGap, ExactTransportGap):
        whole, _ = certify(check, problem(), x)
        with monkeypatch.context() as m:
            m.setattr(transport_cost, "_CELLS", 3 * N)
            blocks, _ = certify(check, Transport.points(X, Y, A, B, eps=EPS), x)
        for p, q in zip(whole.parts, blocks.parts, strict=True):
            assert float(p.value) == pytest.approx(float(q.value), rel=1e-7)
            assert float(q.slack) >= float(p.slack) > 0


def test_problems_without_a_plan_are_refused_with_the_cure():
    lasso = bn.Lasso(C, A, 0.1)
    for name in ("transport", "transport_exact"):
        with pytest.raises(bn.Misuse, match="needs the oracle plan"):
            bn.solve(lasso, check=name)


def test_a_solve_may_ask_for_the_exact_gap():
    r = bn.solve(problem(eps=1e-3), check="transport_exact", tol=1e-2)
    assert r.certified and r.certificate.quantity == "primal - dual of exact transport"
    few = bn.solve(problem(eps=0.5), check="transport_exact", tol=1e-6, max_steps=100)
    assert not few.certified and few.status in ("stalled", "budget")


def modelled_slack(x, eps, terms_of):
    """The slack of a gap by NumPy, from a model of each rounding: C is stored.

    An entry of the plan P is wrong by e, relatively; sums and products by g; what the
    rounded plan Q misses of the marginals is charged at the steepest potentials.
    """
    u = 2.0**-53
    g = (max(M, N) + 16) * u / (1 - (max(M, N) + 16) * u)
    tiny = np.finfo(float).tiny
    f, h = x
    pair, mass = f[:, None] + h, A.sum()
    s = (pair - C) / eps
    e = 1.02 * (u * np.abs(pair) / eps + 2 * u * np.abs(s) + 4 * tiny / eps)
    P = np.outer(A, B) * np.exp(s)
    dx = np.minimum(A / P.sum(1) - 1, 0)
    columns = (P * (1 + dx[:, None])).sum(0)
    dy = np.minimum(B / columns - 1, 0)
    left = np.maximum(A - (P * (1 + dx[:, None]) * (1 + dy)).sum(1), 0)
    right = np.maximum(B - columns * (1 + dy), 0)
    share = right / left.sum() if left.sum() > 4 * g * mass else 0 * right
    Q = P * (1 + dx[:, None]) * (1 + dy) + np.outer(left, share)
    d = Q / P - 1
    terms = Q * np.log(Q / P) - Q + P
    size = Q * (e + g)
    off = terms_of(P, Q, d, terms, size, e, g).sum() + g * terms.sum()
    missed = np.abs(Q.sum(1) - A).sum() + np.abs(Q.sum(0) - B).sum()
    steep = np.abs(f).max() + np.abs(h).max() + 9 * C.max() + eps * abs(np.log(mass))
    lost = 8 * M * N * tiny
    charge = missed + 2 * size.sum() + 4 * g * mass + lost
    return 1.05 * (eps * off + steep * charge) + lost * (1 + eps), d


def calm(P, Q, d, terms, size, e, g):
    return size * (1 + np.abs(d)) * np.abs(d) + g * terms


def rough(P, Q, d, terms, size, e, g):
    apart = Q + P + Q * np.abs(np.log1p(d))
    return np.where(d > 1, apart, P * np.abs(d) * (1 + np.abs(d))) * (e + g) + g * terms


@pytest.mark.parametrize(("away", "model"), [(1e-4, calm), (3.0, rough)])
def test_the_slack_is_what_its_model_of_rounding_says(away, model):
    """Neither less, which would be unsound, nor more, which would be of no use."""
    x = floats(EPS)
    tilt = np.linspace(-1, 1, M) if model is rough else np.ones(M)
    x = x[0] + away * EPS * tilt, x[1]
    p = problem()
    wanted, d = modelled_slack(x, EPS, model)
    assert (np.abs(d).max() < 0.01) == (model is calm)
    part = TransportGap()(p, Point(x), jax.random.key(0), 0)[0].parts[0]
    # What sums of P miss is itself rounding, and so not quite the same.
    assert float(part.slack) == pytest.approx(wanted, rel=0.02)


def test_what_a_mass_that_is_gone_costs_by_hand():
    """One cell: P = e^-680 is lost, Q is 1, and only sums and products are rounded."""
    far, eps = 680.0, 0.5
    lone = Transport(cost=np.zeros((1, 1)), a=np.ones(1), b=np.ones(1), eps=eps)
    eye = Eye(lone, (jnp.array([-far * eps]), jnp.zeros(1)))
    eye.u, eye.lost = 0.0, 0.0  # P is exact
    value, slack, _ = eye.gap(jnp.array([np.exp(-far)]))
    # Q log(Q / P) - Q + P; its parts, |log P|, and twice the sum; what Q misses.
    terms, moved, long = far - 1, 1 + far, far
    steep = far * eps
    want = eps * (moved + terms + long + terms) + steep * (2 + 4)
    assert float(value) == pytest.approx(eps * terms, rel=1e-12)
    assert float(slack) == pytest.approx(1.05 * eye.g * want, rel=1e-9)

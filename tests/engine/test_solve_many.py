"""Thousands of problems at once: a verdict each, and finished lanes cost nothing."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import CHECK, A, B, bits, ridge, ridge_solution

import banach as bn
from banach.core.problem import Misuse
from banach.engine import lanes as batch
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.lbfgs import Lbfgs

N = 1000
SICK = 417
rng = np.random.default_rng(7)
LAMS = np.exp(rng.uniform(-2, 1, N))
TARGETS = B + rng.standard_normal((N, len(B)))


def lanes(poison=None):
    problems = [ridge(lam, b=b) for lam, b in zip(LAMS, TARGETS, strict=True)]
    if poison is not None:
        bad = TARGETS[SICK].copy()
        bad[3] = poison
        # No constructor takes such data: they are put in afterwards.
        well = ridge(LAMS[SICK], b=TARGETS[SICK])
        problems[SICK] = eqx.tree_at(lambda p: p.args[1], well, bad)
    return problems


@pytest.fixture(scope="module")
def healthy():
    with jax.enable_x64(True):
        return bn.solve_many(lanes(), Lbfgs(memory=5), check=CHECK, tol=1e-9)


@pytest.mark.parametrize(
    ("poison", "status"), [(np.nan, "nonfinite"), (np.inf, "stalled")]
)
def test_a_poisoned_lane_leaves_the_others_bit_equal(healthy, poison, status):
    out = bn.solve_many(lanes(poison), Lbfgs(memory=5), check=CHECK, tol=1e-9)
    assert out[SICK].status == status and not out[SICK].certified
    for i in range(N):
        if i != SICK:
            assert bits(out[i].x) == bits(healthy[i].x)
            assert bits(out[i].certificate) == bits(healthy[i].certificate)
            assert out[i].steps == healthy[i].steps


def test_every_lane_has_its_own_right_answer(healthy):
    assert len(healthy) == N and all(r.certified for r in healthy)
    want = np.stack(
        [ridge_solution(lam, b=b) for lam, b in zip(LAMS, TARGETS, strict=True)]
    )
    got = np.stack([r.x for r in healthy])
    assert got.dtype == np.float64 and isinstance(healthy[0].x, np.ndarray)
    # ||x - x*|| <= ||grad|| / mu, and the scale is the gradient at zero.
    for r, x, lam in zip(healthy, want, LAMS, strict=True):
        bound = 1e-9 * float(r.certificate.scale) / lam
        assert np.linalg.norm(r.x - x) <= bound + 1e-12
    assert len({r.steps for r in healthy}) > 1
    assert len({r.certificate.point_id for r in healthy}) == N


def test_lanes_agree_with_solo_runs_to_rounding(healthy):
    problems = lanes()
    for i in (0, 1, SICK, N - 1):
        solo = bn.solve(problems[i], Lbfgs(memory=5), check=CHECK, tol=1e-9, rows=0)
        many = healthy[i]
        assert (many.status, many.steps) == (solo.status, solo.steps)
        assert many.calls == solo.calls
        np.testing.assert_allclose(many.x, solo.x, rtol=1e-11)
        assert float(many.certificate.scale) == pytest.approx(
            float(solo.certificate.scale), rel=1e-13
        )


def test_stragglers_do_not_keep_the_others_alive(monkeypatch):
    """Arithmetic is counted in slots times blocks, not in seconds."""
    slots = []
    real = batch._Slots._block

    def counted(self):
        slots.append((self.made.size, int(np.count_nonzero(self.live))))
        real(self)

    monkeypatch.setattr(batch._Slots, "_block", counted)
    monkeypatch.setattr(batch, "WASTE_BYTES", 0)
    # 63 easy lanes, and one with a condition number of 10,000.
    easy = [ridge(50.0 + i, b=TARGETS[i]) for i in range(63)]
    hard = ridge(1e-3, A * np.array([1, 0.3, 0.1, 0.03, 0.01]), TARGETS[63])
    out = bn.solve_many(
        [*easy, hard], GradientDescent, check=CHECK, tol=1e-8, max_steps=4000
    )
    assert out.certified[:63].all() and out[63].status == "budget"
    assert out.steps[63] > 30 * out.steps[:63].max()
    # Full slots at first, one for nearly all of the run.
    sizes = [size for size, _ in slots]
    assert slots[0] == (64, 64) and slots[-1] == (1, 1)
    assert sorted(sizes, reverse=True) == sizes
    assert sizes.count(64) <= 6 and sizes.count(1) > 0.9 * len(sizes)


def test_free_slots_are_refilled(monkeypatch):
    problems = lanes()[:40]
    whole = bn.solve_many(problems, GradientDescent, check=CHECK, tol=1e-6)
    assert whole._many.lanes.size == 48 and len(set(whole.steps)) > 3
    begun = []
    real = batch._Slots._fill

    def counted(self, free):
        begun.append(len(free))
        real(self, free)

    monkeypatch.setattr(batch._Slots, "_fill", counted)
    monkeypatch.setattr(batch, "MOST_SLOTS", 8)
    out = bn.solve_many(problems, GradientDescent, check=CHECK, tol=1e-6)
    # Half of the slots wait for lanes at most, and every lane gets its turn.
    assert begun[0] == 8 and min(begun) >= 4 and len(begun) > 5
    assert out.certified.all()
    np.testing.assert_array_equal(out.steps, whole.steps)
    np.testing.assert_allclose(out.x, whole.x, rtol=1e-12)


def test_each_lane_gets_its_own_suggestion():
    problems = [ridge(1.0), ridge(300.0)]
    out = bn.solve_many(problems, GradientDescent, check=CHECK, tol=1e-9)
    assert all(r.certified for r in out)
    # With the step of the first the second would diverge: 2 / L1 < L2.
    assert problems[1].L > 2 * problems[0].L
    for r, lam in zip(out, (1.0, 300.0), strict=True):
        np.testing.assert_allclose(r.x, ridge_solution(lam), rtol=1e-7)


def test_a_time_limit_and_a_step_limit_are_verdicts():
    problems = lanes()[:4]
    out = bn.solve_many(problems, GradientDescent, check=CHECK, tol=1e-12, max_steps=20)
    assert {r.status for r in out} == {"budget"} and {r.steps for r in out} == {20}
    assert not any(r.timed_out for r in out)


def test_starts_and_progress():
    problems = lanes()[:4]
    starts = [ridge_solution(LAMS[i], b=TARGETS[i]) for i in range(4)]
    told = []
    out = bn.solve_many(
        problems, Lbfgs(memory=5), check=CHECK, tol=1e-9, starts=starts,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert [r.steps for r in out] == [0] * 4 and told[-1] == (4, 4)


def test_misuse_is_told_with_the_cure():
    problems = lanes()[:2]
    with pytest.raises(Misuse, match="at least one problem"):
        bn.solve_many([])
    with pytest.raises(Misuse, match="takes problems, got ndarray"):
        bn.solve_many([np.ones(3)])
    wide = ridge(A=np.ones((12, 4)), b=B)
    with pytest.raises(Misuse, match=r"problem 1 differs.*group problems"):
        bn.solve_many([problems[0], wide], Lbfgs(memory=5))
    with pytest.raises(Misuse, match="1 starts for 2 problems"):
        bn.solve_many(problems, Lbfgs(memory=5), starts=[np.zeros(5)])
    with pytest.raises(Misuse, match=r"starts\[1\] has a leaf of shape \(4,\)"):
        bn.solve_many(problems, Lbfgs(memory=5), starts=[np.zeros(5), np.zeros(4)])
    with pytest.raises(Misuse, match="NaN or infinity"):
        bn.solve_many(problems, Lbfgs(memory=5), starts=[np.full(5, np.nan)] * 2)
    with pytest.raises(Misuse, match="max_steps must be an integer >= 0"):
        bn.solve_many(problems, Lbfgs(memory=5), max_steps=-1)
    with pytest.raises(Misuse, match="tol must be positive"):
        bn.solve_many(problems, Lbfgs(memory=5), tol=0.0)


def test_blocks_of_large_lanes_have_few_slots(monkeypatch):
    """A lane of 1,000 numbers and what else it touches: six of them in 64 KiB."""
    monkeypatch.setattr(batch, "BLOCK_BYTES", 2**16)
    data = np.random.default_rng(2).normal(size=(20, 1000))
    stack = bn.Smooth.stack(
        lambda x, d: jnp.mean((x - d) ** 2), np.zeros((20, 1)), (data,)
    )
    out = bn.solve_many(stack, "lbfgs", max_steps=20)
    assert out.certified.all() and out._many.lanes.size == 6


def test_a_bounded_fit_can_be_read_lane_by_lane():
    """Its start is clipped when a lane is read, in the precision that it ran in."""
    t = np.linspace(0.0, 1.0, 9)
    fits = [
        bn.least_squares(
            lambda p, y: p[0] * jnp.exp(-p[1] * t) - y, np.ones(2), (k * np.exp(-t),),
            lower=0.0, upper=9.0,
        )
        for k in (1.0, 2.0)
    ]  # fmt: skip
    results = bn.solve_many(fits)
    assert [round(float(r.x[0]), 3) for r in results] == [1.0, 2.0]

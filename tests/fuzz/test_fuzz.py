"""The fuzzer finds faults that were planted, and shrinks them to a readable case."""

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from banach.checks.gap import Gap
from fuzz import draw, engine, exact, games, glm, newton, registry, report
from fuzz.shrink import shrink

LANES = 2 * 6 * engine.INSTANCES


class Tame(glm.Glm):
    """Regressions on one number, of ordinary size."""

    solves = False

    def draw(self, rng, dtype, count):
        sized = {k: rng.uniform(0.1, 3, count).astype(dtype) for k in ("A", "y", "l2")}
        A, y = sized["A"][:, None, None], sized["y"][:, None]
        return {"A": A, "y": y, "w": np.ones((count, 1), dtype), "l2": sized["l2"]}


class Planted(Gap):
    """The duality gap, with one number of its certificate spoilt."""

    def __call__(self, problem, point, key, look):
        cert, kept = super().__call__(problem, point, key, look)
        return eqx.tree_at(lambda c: c.parts[0], cert, self.spoilt(cert.parts[0])), kept

    def prepared(self, problem):
        ready = super().prepared(problem)
        return type(self)(*(getattr(ready, k) for k in ("norms", "scale")))

    def spoilt(self, part):
        return part


class NoSlack(Planted):
    def spoilt(self, part):
        return eqx.tree_at(lambda p: p.slack, part, 0 * part.slack)


class LargeScale(Planted):
    def spoilt(self, part):
        return eqx.tree_at(lambda p: p.scale, part, 1e3 * part.scale)


class FlushedSquares(Planted):
    """As if small squares were 0, as float32 has it below 1e-38."""

    def spoilt(self, part):
        value = jnp.where(part.value < 1e-5, 0, part.value)
        slack = jnp.minimum(part.slack, 1e-12)
        return eqx.tree_at(lambda p: (p.value, p.slack), part, (value, slack))


@pytest.fixture(scope="module")
def kind():
    return Tame("tame", "squares", "l2", n=1, p=1)


def run(kind, check):
    runner = engine.Lanes(kind, np.float64, check)
    return runner, *engine.fuzz(kind, np.float64, LANES, 3, runner)


def test_nothing_is_found_where_nothing_is_wrong(kind):
    _, count, faults = run(kind, Planted())
    assert faults == [] and count.false == count.bound == count.scale == 0
    assert count.lanes == LANES and count.certified > LANES // 8
    assert count.solvable > LANES // 12 and not count.refusals


@pytest.mark.parametrize(
    "check, sorts",
    [
        (NoSlack(), {"bound"}),
        (LargeScale(), {"certified", "scale"}),
        (FlushedSquares(), {"bound"}),
    ],
)
def test_a_planted_fault_is_found_and_shrunk(kind, check, sorts):
    runner, count, faults = run(kind, check)
    assert {f.fault for f in faults} == sorts
    assert count.bound + count.false + count.scale >= 5
    faults = faults[:4]
    small = [shrink(kind, runner, fault) for fault in faults]
    assert [f.fault for f in small] == [f.fault for f in faults]
    shares = [_digits(b) / _digits(a) for a, b in zip(faults, small, strict=True)]
    assert min(shares) <= 1 / 2
    # The case is a program, and the sound check does not repeat the fault.
    least = small[int(np.argmin(shares))]
    known: dict = {}
    exec(report.code(kind, least), known)
    v = known["v"].certificate
    with exact.digits(exact.SURE):
        true = kind.truth(least.batch, least.x)[0]
    assert true <= Decimal(float(v.value)) + Decimal(float(v.slack))


def _digits(fault):
    numbers = [v for k in ("A", "y", "l2") for v in np.ravel(fault.batch[k])]
    return sum(len(repr(float(v))) for v in [*numbers, *fault.x])


def test_elimination_is_that_of_rationals():
    rng = np.random.default_rng(0)
    for _ in range(20):
        A = rng.normal(size=(3, 3)) * 10.0 ** rng.integers(-90, 90, (3, 1))
        b = rng.normal(size=3)
        with exact.digits(400):
            x = exact.solve(exact.decs(A), exact.decs(b))
        x = [Fraction(v) for v in x]
        for row, right in zip(A, b, strict=True):
            left = sum(Fraction(float(a)) * v for a, v in zip(row, x, strict=True))
            assert abs(left - Fraction(float(right))) < Fraction(1, 10**90)
    with exact.digits(50):
        assert exact.solve(exact.decs(np.ones((2, 2))), exact.decs([1.0, 2.0])) is None


def test_extended_floats_become_decimals_exactly():
    third = np.longdouble(1) / 3
    for x in (third, -third * np.longdouble(2) ** -3000, np.longdouble(7e300) ** 9):
        m, e = np.frexp(x)
        with exact.digits(2000):
            want = Decimal(int(np.ldexp(m, 64))) * Decimal(2) ** (int(e) - 64)
            assert exact.dec(x) == want
        with exact.digits(60):
            assert np.longdouble(str(exact.dec(x))) == x


@pytest.mark.parametrize("t", ["1e-40", "1e-12", "0.1", "30"])
def test_log1p_keeps_its_digits(t):
    t = Decimal(t)
    with exact.digits(60):
        got = exact.log1p(t)
    with exact.digits(300):
        assert abs(got / (1 + t).ln() - 1) < Decimal("1e-55")


def test_newton_finds_known_solutions_across_the_range():
    """Soft thresholds, shrinkage and clipping, in one unknown of any size."""
    e = np.array([-140.0, -7.0, 0.0, 30.0, 120.0])
    size = draw.power(e)
    A, y = np.ones((5, 1, 1)), size[:, None] * np.array([2.0])
    w = np.ones((5, 1))
    for more, want in (
        ({"l1": size / 2}, 1.5), ({"l2": np.full(5, 3.0)}, 0.5),
        ({"upper": size / 4}, 0.25),
    ):  # fmt: skip
        x = newton.minimise(newton.model("squares", A, y, w, **more))[:, 0]
        assert np.all(abs(x / size - want) < 1e-17), more


def test_the_solution_of_a_game_has_no_gap():
    """Rock, paper, scissors with stakes of 1, 2, 3: value 0 by symmetry."""
    A = np.array([[0.0, 1, -2], [-1, 0, 3], [2, -3, 0]])
    kind = games.Game()
    batch = kind.solve({"A": A[None]})
    assert np.allclose(batch["best_x"][0] * 6, [3, 2, 1], atol=1e-15)
    with exact.digits(60):
        gap = kind.truth({"A": A}, (batch["best_x"][0], batch["best_y"][0]))[0]
    assert 0 <= gap < Decimal("1e-17")


def test_every_kind_is_listed_with_its_truth_in_at_most_twenty_shapes():
    kinds = registry.chosen(None)
    text = registry.listing(kinds)
    assert len(text.splitlines()) == len(kinds) >= 30
    assert len(registry.shapes(kinds)) <= 20
    assert registry.by_name("ridge").truth_is in text
    assert [k.name for k in registry.chosen("lasso,poi")] == ["lasso", "poisson"]
    assert sum(registry.shares(kinds, 10_000).values()) == pytest.approx(1e4, rel=0.01)


def test_a_scale_is_a_sum_unless_that_is_rounding():
    D = Decimal
    assert engine.cancelled(D("3e-9"), D("2e2")) == D("3e-9")
    assert engine.cancelled(D("3e-16"), D("2e2")) == 1
    assert engine.cancelled(D("3e-60"), D("2e-40")) == D("2e-38")
    assert engine.cancelled(D("3e-60"), None) == D("3e-60")
    assert engine.cancelled(None, D("2e2")) is None

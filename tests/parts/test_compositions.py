"""Compositions: they are what they say, and methods like any other.

The laws of conformance hold of one of each on one bed; the rest is what each promises.
"""

import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "conformance"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "methods" / "smooth"))

import laws
import smooth_drive as sd
from beds import BEDS
from counted import Counted, Tally, callbacks
from programs_of import Bare, Case

import banach as bn
from banach.core import compat
from banach.core.method import decided, open_fields
from banach.core.tree import dtype
from banach.doors import defaults
from banach.engine.loop import leaves_in
from banach.kinds.smooth import zoo

ONE_OF_EACH = {
    "searched": lambda: bn.Searched(bn.BfgsDirection(), bn.Nonmonotone(5)),
    "averaged": lambda: bn.Averaged(bn.Lbfgs(), "tail"),
    "momentum": lambda: bn.Momentum(bn.GradientDescent(), 0.7),
    "restarted": lambda: bn.Restarted(bn.AcceleratedGradient(restart=False), "rising"),
}


class Composed(Case):
    """A case of an instance instead of a name."""

    def __init__(self, kind, bed="logistic"):
        self.bed = BEDS[bed]
        self.problem = self.bed.problem
        # A composition is its own name wherever a test asks for the method by name.
        self.name = ONE_OF_EACH[kind]()
        with compat.double():
            self.method = defaults.method_for(self.name, self.problem)
        self.check = defaults.check_for(None, self.problem)


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def case(request):
    with jax.enable_x64(True):
        yield Composed(request.param)


# What conformance asks of every method ------------------------------------------------


def test_a_run_is_certified_truly_and_numpy_runs_it(case):
    assert case.refused is None
    r = case.full
    assert r.status in ("certified", "budget") and r.steps > 3
    laws.a_bound_holds(case, r)
    assert case.bed.error(r.x) < 0.1 * case.bed.error(case.problem.start().x)
    assert case.method.label() in str(r) and r.to_dict()["method"] == r.method.label()


def test_resuming_is_exact(case, tmp_path):
    laws.resume_is_exact(case, case.full, tmp_path)


def test_nan_is_reported(case):
    laws.nan_is_reported(case, case.full, case.tier)


def test_calls_are_the_counted_ones(case):
    tally = Tally()
    problem = Counted(case.problem, tally)
    start = problem.start()
    method = leaves_in(dtype(start.x), case.method)
    keys = jax.random.split(jax.random.key(1), 16)
    with callbacks():
        _, _, state = Bare(problem, start).numpy(method, keys)
    card = method.card
    assert card.cost is None or card.init_cost is None
    said = {k: 15 * v for k, v in card.cost.items()} if card.cost else None
    said = method.calls(state) if said is None else said
    assert {k: int(v) for k, v in said.items()} == dict(tally.run)


@pytest.mark.slow
def test_the_compiled_loop(case, tmp_path):
    """vmap, its derivative, float32, and no second program for new values."""
    for law in laws.COMPILED:
        law(case, tmp_path)


# What each says of itself -------------------------------------------------------------


def test_none_claims_the_rate_of_what_it_wraps():
    problem = sd.bowl().problem
    for make in (bn.Averaged, bn.Momentum, bn.Restarted):
        whole = defaults.method_for(make(bn.GradientDescent(0.25, False)), problem)
        assert whole.method.card.rate is not None
        assert whole.card.rate is None and whole.card.rate_of is None
        assert whole.card.assumes == whole.method.card.assumes


def test_what_is_open_inside_is_decided_by_the_problem():
    problem = sd.bowl().problem
    asked = bn.Restarted(bn.Momentum(bn.GradientDescent()))
    assert open_fields(asked) == ("method.method.step_size", "method.method.search")
    whole = decided(asked, problem, problem.facts())
    assert not open_fields(whole) and whole.method.method.step_size == 0.25
    unknown = bn.Smooth(lambda x: x @ x, np.ones(2), convex=True)
    with pytest.raises(bn.Misuse, match="declare L"):
        defaults.method_for(bn.Averaged(bn.AcceleratedGradient()), unknown)


@pytest.mark.parametrize("make", [bn.Averaged, bn.Momentum, bn.Restarted, bn.Searched])
def test_without_what_they_are_made_of_they_are_misuse(make):
    for asked in (make, make()):
        with pytest.raises(bn.Misuse, match=r"as in|made of two parts"):
            bn.solve(sd.bowl().problem, asked)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: bn.Averaged(bn.Sgd), "must be a Method"),
        (lambda: bn.Averaged(bn.Sgd(), "median"), "'uniform', 'tail', 'weighted'"),
        (lambda: bn.Momentum(bn.Picard(), 1.0), "weight"),
        (lambda: bn.Restarted(bn.Lbfgs(), 0), "rule"),
        (lambda: bn.Restarted(bn.Lbfgs(), 2.5), "a number of steps or one of"),
        (lambda: bn.Restarted(bn.Lbfgs(), True), "a number of steps or one of"),
        (lambda: bn.Restarted(bn.Lbfgs(), "slow"), "'slowing', 'rising', 'uphill'"),
        (lambda: bn.Searched(bn.Lbfgs(), bn.Wolfe()), "direction must be a Direction"),
        (lambda: bn.Searched(bn.Steepest(), 0.1), "search must be a Search"),
        (lambda: bn.Wolfe(first=0.0), "Wolfe first"),
        (lambda: bn.Nonmonotone(0), "Nonmonotone memory"),
    ],
)
def test_wrong_parts_are_misuse(make, said):
    with pytest.raises(bn.Misuse, match=said):
        make()


def test_a_problem_without_the_oracle_of_a_rule_is_refused():
    bed = BEDS["cocoercive"]  # an inclusion has no value
    with pytest.raises(bn.Misuse, match="value"):
        defaults.method_for(bn.Restarted(bn.Halpern(), "rising"), bed.problem)


# What each promises -------------------------------------------------------------------


def test_averages_are_those_of_the_iterates():
    bowl = sd.bowl()
    inner = bn.GradientDescent(0.25, search=False)
    xs, _, _ = sd.drive(inner, bowl.problem, 13)
    xs = np.array(xs)
    for kind, weights in {
        "uniform": np.ones(13),
        "weighted": np.arange(1, 14),
        # Blocks of 1, 2, 4 and the sixth and last of the next: 4 + 6 terms.
        "tail": np.arange(1, 14) > 3,
    }.items():
        ours, _, states = sd.drive(bn.Averaged(inner, kind), bowl.problem, 13)
        want = np.average(xs, axis=0, weights=weights)
        np.testing.assert_allclose(ours[-1], want, rtol=1e-13, atol=1e-14)
        np.testing.assert_array_equal(states[0].mean.x, bowl.x0)
        np.testing.assert_array_equal(states[-1].inner.x, xs[-1])


def test_averages_of_noisy_gradients_beat_their_iterates():
    """Polyak-Ruppert: with a constant step, over ten keys."""
    problem = BEDS["mean_logistic"].problem
    inner = bn.Sgd(0.3, 0.0, 2)
    apart = {}
    for name, method in {
        "last": inner,
        "uniform": bn.Averaged(inner),
        "tail": bn.Averaged(inner, "tail"),
    }.items():
        with jax.enable_x64(True):
            keys = jax.random.split(jax.random.key(0), 10)
            xs = jax.vmap(lambda k, m=method: _last(m, problem, k, 400))(keys)
        apart[name] = np.sqrt(np.mean((xs - BEDS["mean_logistic"].solution(1.0)) ** 2))
    assert apart["tail"] < apart["last"] / 3
    assert apart["uniform"] < apart["last"] / 2


def _last(method, problem, key, steps):
    first, rest = jax.random.split(key)
    method = leaves_in(np.float64, method)
    state = method.init(problem, problem.start(), first)
    keys = jax.random.split(rest, steps)
    state, _ = jax.lax.scan(
        lambda s, k: (method.step(problem, s, k), None), state, keys
    )
    return method.point(state).x


def test_momentum_is_nesterovs_method_and_the_heavy_weight_its_own():
    bowl = sd.bowl()
    plain = bn.GradientDescent(0.25, search=False)
    ours, state, _ = sd.drive(bn.Momentum(plain), bowl.problem, 15)
    theirs, _, _ = sd.drive(
        bn.AcceleratedGradient(0.25, restart=False), bowl.problem, 15
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    assert bn.Momentum(plain).calls(state) == {"grad": 31}
    x = z = bowl.x0
    constant, _, _ = sd.drive(bn.Momentum(plain, 0.4), bowl.problem, 5)
    for row in constant:
        x, old = z - 0.25 * bowl.oracles.grad(z), x
        z = x + 0.4 * (x - old)
        np.testing.assert_allclose(row, x, rtol=1e-12, atol=1e-14)


def test_restarts_begin_anew():
    bowl = sd.bowl()
    inner = bn.AcceleratedGradient(0.25, restart=False)
    ours, state, _ = sd.drive(bn.Restarted(inner, 4), bowl.problem, 8)
    first, _, _ = sd.drive(inner, bowl.problem, 4)
    np.testing.assert_array_equal(ours[:4], first)
    moved = bn.Smooth(bowl.problem.fun, first[-1], bowl.problem.args)
    second, _, _ = sd.drive(inner, moved, 4)
    np.testing.assert_array_equal(ours[4:], second)
    assert int(state.since) == 0 and bn.Restarted(inner, 4).calls(state) == {"grad": 8}


def test_restarts_by_a_word_find_the_rate_that_momentum_loses():
    """Condition 1e4: gradients until ||g|| fell by 1e-8, with and without."""
    problem = zoo.load("quadratic:20")
    inner = bn.AcceleratedGradient(restart=False)
    without = bn.solve(problem, inner, tol=1e-8, max_steps=20_000).steps
    for rule in ("slowing", "rising", "uphill"):
        r = bn.solve(problem, bn.Restarted(inner, rule), tol=1e-8, max_steps=20_000)
        assert r.certified and 2 * r.steps < without


def test_the_example_of_searched_runs_and_a_direction_of_ones_own_is_ten_lines():
    class Halved(bn.Direction):
        """Half a gradient, and a count of steps."""

        def init(self, g):
            return np.zeros((), np.int32)

        def direction(self, g, state):
            return -g / 2

        def update(self, s, y, g, state):
            return state + 1

    bowl = sd.bowl()
    method = bn.Searched(Halved(), bn.Fixed(0.5))
    xs, state, _ = sd.drive(method, bowl.problem, 6)
    theirs, _, _ = sd.drive(bn.GradientDescent(0.25, False), bowl.problem, 6)
    np.testing.assert_allclose(xs, theirs, rtol=1e-14, atol=1e-15)
    assert int(state.known) == 6 and method.calls(state) == {"grad": 7}
    assert method.label() == "searched(halved, fixed)"


@pytest.mark.parametrize(
    ("make", "bed"),
    [
        (bn.Searched, "logistic"),
        (bn.Averaged, "mean_logistic"),
        (bn.Momentum, "layer"),
        (bn.Restarted, "logistic"),
    ],
)
def test_the_example_of_a_docstring_runs(make, bed):
    (method,) = re.findall(r"^    +bn\.solve\(problem, (.*)\)$", make.__doc__, re.M)
    problem = BEDS[bed].problem
    r = bn.solve(problem, eval(method, {"bn": bn}), tol=1e-3, max_steps=2000)
    assert r.certified and make.__name__.lower() in r.method.label()
    assert BEDS[bed].error(r.x) < 0.1 * BEDS[bed].error(problem.start().x)


def test_a_nonmonotone_search_is_armijos_with_a_memory_of_one():
    """On a quadratic: Barzilai-Borwein rises in between, and never above the window."""
    problem = zoo.load("quadratic:20")
    rises = {}
    for memory in (1, 5):
        _, _, states = sd.drive(bn.BarzilaiBorwein(memory), problem, 60)
        f = np.array([float(s.f) for s in states])
        tops = np.array([f[max(0, t - memory) : t].max() for t in range(1, 61)])
        assert (f[1:] <= tops).all()
        rises[memory] = int((np.diff(f) > 0).sum())
    assert rises[1] == 0 and rises[5] >= 5


def test_a_matrix_that_does_not_fit_is_refused():
    problem = bn.Smooth(lambda x: x @ x, np.zeros(10_001))
    for name in ("bfgs", "dfp", "sr1"):
        with pytest.raises(bn.Misuse, match="use lbfgs"):
            defaults.method_for(name, problem)


def test_a_method_with_a_part_that_is_open_is_wrapped():
    """Its label names no part before the problem decides it."""
    result = bn.solve("linear:digits", bn.Averaged(bn.ConjugateGradient()), max_steps=5)
    assert result.steps == 5 and result.status == "budget"
    assert np.isfinite(result.certificate.value)
    assert bn.Averaged(bn.ConjugateGradient()).card.name.startswith("averaged")

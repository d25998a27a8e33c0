"""SciPy: every method streams, terms become bounds, threads end, counts are true."""

import itertools
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import small

import banach as bn
from banach.bridge._l1_split import split
from banach.bridge.scipy import ALGORITHMS, Scipy
from banach.core.check import Check, single
from banach.core.method import Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.engine.peer_driver import iterate_host
from banach.engine.plan import Limits, Manner, Plan
from banach.kinds.composite.problem import Composite
from banach.kinds.glm.losses import SquaredLoss
from banach.kinds.glm.problem import GLM
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1, ElasticNet, SquaredL2
from banach.terms.sets import Box, Simplex

LAM = 5.0


class Distance(Check):
    """Distance to a known answer: what a test may know and a library may not."""

    name = "distance"
    answer: jax.Array

    def __call__(self, problem, point, key, look):
        far = jnp.linalg.norm(point.x - self.answer)
        return single("||x - x*||", far, 1e-16, 1.0, grade="residual"), Point(point.x)

    def cost(self, problem):
        return {}


def last(problem, method, check, tol=1e-6, max_steps=100_000, **more):
    plan = Plan(problem, method, check, problem.start())
    limits = Limits(tol, steps=max_steps, time=more.pop("time_limit", None))
    *_, result = iterate_host(plan, limits, Manner(**more))
    return result


def peers():
    return [t for t in threading.enumerate() if t.name == "banach-peer"]


# Derivative-free methods get a looser tolerance; SLSQP and COBYLA stop by themselves.
@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_method_reaches_the_answer_of_a_quadratic(name):
    problem = small.quadratic()
    free = ALGORITHMS[name]["uses"] == ("value",)
    tol = 1e-4 if free else 1e-7
    result = last(problem, Scipy(name), Distance(small.ANSWER), tol=tol, max_steps=3000)
    assert result.status == "certified"
    assert result.steps >= 1
    assert result.calls["value"] >= 1
    assert set(result.calls) <= {"value", "grad", "hess", "hvp"}
    assert peers() == []


def test_counts_are_those_that_scipy_reports():
    problem = _rosenbrock()
    source = Scipy("BFGS", {"gtol": 1e-8}).stream(problem, problem.start(), None)
    items = list(source)
    found = scipy.optimize.minimize(
        scipy.optimize.rosen, np.array([-1.2, 1.0]), jac=scipy.optimize.rosen_der,
        method="BFGS", options={"gtol": 1e-8},
    )  # fmt: skip
    assert items[-1][1] == {"value": found.nfev, "grad": found.njev}
    assert len(items) == found.nit
    np.testing.assert_allclose(items[-1][0].x, found.x, rtol=1e-9)


def _rosenbrock():
    return Smooth(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        np.array([-1.2, 1.0]),
    )


def test_closing_early_ends_the_thread_and_runs_nothing_more():
    problem = _rosenbrock()
    source = Scipy("L-BFGS-B").stream(problem, problem.start(), None)
    _, first = next(source)
    assert len(peers()) == 1
    source.close()
    assert peers() == []
    assert first["value"] < 10
    # A stream that was never started has no thread.
    Scipy("TNC").stream(problem, problem.start(), None).close()
    assert peers() == []


def test_an_error_of_the_oracle_surfaces_and_the_thread_ends(monkeypatch):
    from banach.bridge import _oracles

    problem = _rosenbrock()
    source = Scipy("BFGS").stream(problem, problem.start(), None)

    def broken(self, z):
        raise ZeroDivisionError("the oracle broke")

    monkeypatch.setattr(_oracles.Oracles, "_run", lambda self, *a: broken(self, a))
    with pytest.raises(ZeroDivisionError, match="the oracle broke"):
        next(source)
    assert peers() == []


def test_a_box_becomes_bounds():
    upper = np.array([0.05, np.inf, np.inf, 0.1])
    problem = Composite(small.quadratic(), Box(np.full(4, -0.2), upper))
    theirs = scipy.optimize.lsq_linear(small.A, small.B, (-0.2, upper), tol=1e-14)
    assert theirs.active_mask.any()
    for name in ("L-BFGS-B", "TNC", "trust-constr"):
        method = Scipy.variant(name, problem, problem.facts())
        result = last(problem, method, Distance(theirs.x), tol=1e-6, max_steps=500)
        assert result.status == "certified"
    no = Scipy.variant("BFGS", problem, problem.facts())
    assert isinstance(no, Refusal) and "L-BFGS-B" in no.cure


def enumerated(l1, l2):
    """Minimiser of 1/2 ||A x - b||^2 + l1 |x|_1 + l2/2 |x|^2 by trying all signs."""
    best, least = np.zeros(4), small.B @ small.B / 2
    for code in range(3**4):
        s = np.array([code // 3**k % 3 - 1.0 for k in range(4)])
        on = s != 0
        x = np.zeros(4)
        if on.any():
            M = small.H[np.ix_(on, on)] + l2 * np.eye(on.sum())
            x[on] = np.linalg.solve(M, small.C[on] - l1 * s[on])
        r = small.A @ x - small.B
        value = r @ r / 2 + l1 * np.abs(x).sum() + l2 * x @ x / 2
        if np.all(x * s >= 0) and value < least:
            best, least = x, value
    return best


@pytest.mark.parametrize(
    ("term", "l1", "l2"),
    [
        (L1(LAM), LAM, 0.0),
        (ElasticNet(LAM, 1.5), LAM, 1.5),
        (SquaredL2(1.5), 0.0, 1.5),
    ],
)
def test_l1_and_l2_terms_are_split(term, l1, l2):
    answer = enumerated(l1, l2)
    composite = Composite(small.quadratic(), term)
    glm = GLM(small.A, small.B, SquaredLoss(), term)
    for problem in (composite, glm):
        method = Scipy.variant("L-BFGS-B", problem, problem.facts())
        result = last(problem, method, Distance(answer), tol=1e-7)
        assert result.status == "certified"
    if l1:
        assert (answer == 0).any() and (answer != 0).any()


def test_an_intercept_stays_free_of_the_term():
    A, b = small.A, small.B + 7
    problem = GLM(A, b, SquaredLoss(), Box(-0.1, 0.1), intercept=True)
    design = np.concatenate([A, np.ones((20, 1))], axis=1)
    sides = np.array([0.1] * 4 + [np.inf])
    theirs = scipy.optimize.lsq_linear(design, b, (-sides, sides), tol=1e-14)
    method = Scipy.suggest(problem, problem.facts())
    result = last(problem, method, Distance(theirs.x), tol=1e-5)
    assert result.status == "certified"
    assert result.point.x[-1] > 5


def test_the_split_agrees_with_the_problem_that_it_stands_for():
    problem = Composite(small.log_quadratic(), L1({"a": 0.0, "b": 2.0}))
    form, to, back = split(problem, {"a": 0.0, "b": 2.0}, 0.0)
    point = problem.start()
    z = to(point)
    assert z.x.shape == (5,)
    assert float(form.value(z.x)) == pytest.approx(float(problem.objective(point.x)))
    again = back(z).x
    np.testing.assert_array_equal(again["a"], point.x["a"])
    np.testing.assert_array_equal(again["b"], point.x["b"])
    # Gradient and Hessian product against automatic differentiation of the value.
    w = z.x + 0.3
    np.testing.assert_allclose(form.grad(w), jax.grad(form.value)(w), rtol=1e-12)
    v = jnp.arange(5.0)
    hv = jax.jvp(jax.grad(form.value), (w,), (v,))[1]
    np.testing.assert_allclose(form.hvp(w, v), hv, rtol=1e-12, atol=1e-14)
    lower, _ = form.bounds()
    np.testing.assert_array_equal(lower, [-np.inf, 0, 0, 0, 0])
    # Away from p q = 0 it is larger, never smaller.
    assert float(form.value(w)) > float(problem.objective(back(Point(w)).x))
    solved = jnp.array([1.0, 0, 0, 0, 0])
    np.testing.assert_allclose(form.optimality(Point(solved)).x, 0, atol=1e-12)
    with pytest.raises(Misuse, match="outside jit"):
        jax.jit(lambda lam: split(problem, lam).problem.l1)(1.0)


def test_what_does_not_fit_is_refused_with_the_cure():
    problem = small.quadratic()
    with pytest.raises(Misuse, match="did you mean L-BFGS-B"):
        Scipy("lbfgsb")
    with pytest.raises(Misuse, match="Unknown solver options: speed"):
        list(Scipy("BFGS", {"speed": 3}).stream(problem, problem.start(), None))
    simplex = Composite(small.quadratic(np.full(4, 0.25)), Simplex())
    no = Scipy.suggest(simplex, simplex.facts())
    assert isinstance(no, Refusal) and "Simplex" in no.cure
    assert Scipy.variants(simplex, simplex.facts()) == ()
    with pytest.raises(Misuse, match="Simplex"):
        Scipy("L-BFGS-B").stream(simplex, simplex.start(), None)
    split_only = Composite(small.quadratic(), L1(1.0))
    no = Scipy.variant("trust-exact", split_only, split_only.facts())
    assert isinstance(no, Refusal) and no.missing == "oracle hess"


def test_a_float32_problem_keeps_its_dtype():
    problem = small.quadratic(np.zeros(4, np.float32))
    point, _ = next(Scipy("BFGS").stream(problem, problem.start(), None))
    assert point.x.dtype == np.float32


@pytest.mark.parametrize("algorithm", ["SLSQP", "trust-constr"])
def test_constraints_and_bounds_reach_the_peer_with_the_right_signs(algorithm):
    from banach.kinds.constrained import zoo as constrained

    problem = constrained.load("constrained:hs71")
    scipy = Scipy(algorithm)
    source = scipy.stream(problem, problem.start(), None)
    points = [(point, calls) for point, calls in itertools.islice(source, 60)]
    source.close()
    x = points[-1][0].x
    np.testing.assert_allclose(x, [1.0, 4.743, 3.8211, 1.3794], atol=2e-4)
    calls = points[-1][1]
    assert calls["constraints"] > 0 and calls["jacobian"] > 0
    assert ("hess" in calls) == (algorithm == "trust-constr")


def test_algorithms_without_constraints_are_refused():
    from banach.kinds.constrained import zoo as constrained

    problem = constrained.load("constrained:hs6")
    facts = problem.facts()
    assert Scipy.variants(problem, facts) == ("SLSQP", "trust-constr")
    assert Scipy.suggest(problem, facts).algorithm == "SLSQP"
    no = Scipy.variant("BFGS", problem, facts)
    assert isinstance(no, Refusal) and "SLSQP, trust-constr" in no.cure


def test_its_own_words_stand_beside_the_verdict(tmp_path):
    problem = Smooth(lambda x: jnp.sum((x - 1) ** 4) + jnp.sum(x**2), np.zeros(3))
    mine = bn.solve(problem, Scipy("BFGS", {"maxiter": 4}), tol=1e-14)
    theirs = scipy.optimize.minimize(
        lambda x: np.sum((x - 1) ** 4) + np.sum(x**2),
        np.zeros(3),
        jac=lambda x: 4 * (x - 1) ** 3 + 2 * x,
        method="BFGS",
        options={"maxiter": 4, "gtol": 0.0},
    )
    words = f"success {theirs.success}, status {theirs.status}"
    assert mine.status == "stalled" and not theirs.success
    assert mine.peer == {"status": words, "message": theirs.message}
    assert f"{words}: {theirs.message}" in str(mine)
    # In a race's rows, and in a saved run that is read back.
    race = bn.race(problem, [Scipy("BFGS", {"maxiter": 4}), "lbfgs"], tol=1e-14)
    rows = str(race).splitlines()
    assert sum(f'the peer says "{words}: ' in row for row in rows) == 1
    assert race._repr_html_().count("the peer says") == 1
    page = race.html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<b>The peer says:</b> success False") == 1
    ridge = bn.Ridge(np.eye(4) + 1, np.arange(4.0), 0.5)
    short = bn.solve(ridge, Scipy("BFGS", {"maxiter": 1}), tol=1e-14)
    saved = bn.load(short.save(tmp_path / "run.json"))
    assert saved.data["peer"] == short.peer and "iterations" in short.peer["message"]


def test_a_peer_that_the_check_ended_had_no_last_word():
    problem = Smooth(lambda x: jnp.sum((x - 1) ** 4) + jnp.sum(x**2), np.zeros(3))
    result = bn.solve(problem, "scipy:BFGS", tol=1e-3)
    assert result.certified and "had not ended" in result.peer["message"]
    assert bn.solve(problem, "lbfgs", tol=1e-3).peer is None


def test_a_peer_is_watched_while_it_runs():
    *running, last = bn.iterate("rosenbrock", "scipy:L-BFGS-B", tol=1e-6)
    assert len(running) > 3 and {r.status for r in running} == {"running"}
    assert last.certified and running[-1].steps <= last.steps

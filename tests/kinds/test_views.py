"""The laws of views, once a view: there and back, facts, oracles, costs, verdicts.

A law here holds for every method that meets the view; no method is tried twice.
"""

import functools
import importlib
import importlib.util
import json
import operator
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import at_once, programmed

import banach as bn
from banach import catalogue
from banach.core import compat, tree
from banach.core.method import Refusal
from banach.core.view import Through, View, Viewed, translated
from banach.doors import defaults
from banach.doors.routes import Paths
from banach.engine import compile_cache
from banach.kinds.glm.problem import GLM
from banach.kinds.glm.views import ModelSum

RNG = np.random.default_rng(7)
A = RNG.normal(size=(14, 3))
Y = A @ np.array([1.0, -2.0, 0.0]) + 0.3 * RNG.normal(size=14)
LABELS = np.where(Y > 0, 1, -1)
H = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
B = np.array([1.0, -2.0, 0.5])
L, MU = (float(v) for v in np.linalg.eigvalsh(H)[[-1, 0]])
ROTATION = np.array([[1.0, 2.0], [-2.0, 1.0]])
UNITS = np.array([1.0, 50.0, 0.02])


def energy(x):
    return x @ jnp.asarray(H) @ x / 2 - jnp.asarray(B) @ x


def bowl(x):
    return jnp.sum(jnp.logaddexp(2 * x, -x)) + 0.1 * jnp.sum((x - 1) ** 2)


def smooth(**facts):
    return bn.Smooth(energy, np.ones(3), convex=True, L=L, **facts)


def rows(x):
    return jnp.stack([x[0] + x[1] - 1.5, x[2] ** 2 - 1])


CASES = {
    "smooth": lambda: smooth(mu=MU),
    "valley": lambda: bn.Smooth(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, [0.5, 1]),
    "composite": lambda: bn.Composite(smooth(), bn.L1(0.4)),
    "ridge": lambda: GLM(A, Y, bn.SquaredLoss(), bn.SquaredL2(0.7), intercept=True),
    "logistic": lambda: GLM(
        A,
        LABELS,
        bn.LogisticLoss(),
        bn.SquaredL2(0.5),
        sample_weight=np.linspace(1, 2, 14),
    ),
    "lasso": lambda: bn.Lasso(A, Y, 1.0),
    "elastic": lambda: GLM(
        A * UNITS, LABELS, bn.LogisticLoss(), bn.ElasticNet(0.2, 0.1), intercept=True
    ),
    "root": lambda: bn.Root(
        lambda x: jnp.stack([x[0] ** 3 + x[1] - 1, x[1] ** 3 - x[0] + 1]), [0.5, 0.5]
    ),
    "fixed_point": lambda: bn.FixedPoint(
        lambda x: 0.5 * jnp.cos(jnp.asarray(H) @ x / L), np.ones(3), contraction=0.5
    ),
    "inclusion": lambda: bn.Inclusion(
        lambda z: jnp.asarray(H) @ z - jnp.asarray(B),
        np.ones(3),
        term=bn.Nonnegative(),
        cocoercive=1 / L,
    ),
    "rotation": lambda: bn.Inclusion(
        lambda z: jnp.asarray(ROTATION) @ z - 1.0, np.ones(2), mu=1.0, L=5**0.5
    ),
    "linear": lambda: bn.Linear(H, B),
    "skew": lambda: bn.Linear(np.array([[1.0, 3.0], [-2.0, 1.0]]), np.ones(2)),
    "transport": lambda: bn.Transport(
        np.abs(np.arange(4.0)[:, None] - np.arange(3.0)),
        np.full(4, 0.25),
        np.array([0.5, 0.3, 0.2]),
        0.5,
    ),
    "qp": lambda: bn.Constrained(
        energy,
        np.zeros(3),
        eq=lambda x: x[0] + x[1] - 1,
        ineq=lambda x: rows(x)[1:],
        lower=-0.5,
        convex=True,
        reference=np.ones(3),
    ),
    "bounds": lambda: bn.Constrained(bowl, np.ones(3), lower=-0.2, upper=2.0),
}

SMOOTH_MODEL = {
    "finite_sum": "FiniteSum",
    "without_term": "Composite",
    "root_of_gradient": "Root",
    "inclusion_of_gradient": "Inclusion",
    "forward_backward": "FixedPoint",
}
MODEL = {
    "finite_sum": None,
    "inclusion_of_gradient": "Inclusion",
    "forward_backward": "FixedPoint",
    "envelope": "Smooth",
}
# What each kind lists: the kind of the other problem, or None where this instance has
# no such view.
LISTED = {
    "smooth": {
        "without_term": "Composite",
        "root_of_gradient": "Root",
        "inclusion_of_gradient": "Inclusion",
        "forward_backward": "FixedPoint",
    },
    "valley": {
        "without_term": "Composite",
        "root_of_gradient": "Root",
        "inclusion_of_gradient": None,
        "forward_backward": None,
    },
    "composite": {
        "inclusion_of_gradient": "Inclusion",
        "forward_backward": "FixedPoint",
        "envelope": "Smooth",
    },
    "ridge": SMOOTH_MODEL,
    "logistic": SMOOTH_MODEL,
    "lasso": MODEL,
    "elastic": MODEL,
    "root": {"least_squares": "NonlinearLeastSquares"},
    "fixed_point": {"inclusion_of_map": "Inclusion", "root_of_map": "Root"},
    "inclusion": {"forward_backward": "FixedPoint", "root_of_operator": None},
    "rotation": {"forward_backward": None, "root_of_operator": "Root"},
    "linear": {
        "quadratic": "Smooth",
        "root": "Root",
        "least_squares": "NonlinearLeastSquares",
    },
    "skew": {
        "quadratic": None,
        "root": "Root",
        "least_squares": "NonlinearLeastSquares",
    },
    "transport": {
        "sinkhorn_map": "FixedPoint",
        "without_term": "Composite",
        "root_of_gradient": "Root",
        "inclusion_of_gradient": "Inclusion",
        "forward_backward": None,
    },
    "qp": {
        "bounds_as_term": None,
        "kkt_inclusion": "Inclusion",
        "kkt_system": "Root",
    },
    "bounds": {
        "bounds_as_term": "Composite",
        "kkt_inclusion": None,
        "kkt_system": "Root",
    },
}
PAIRS = [(c, name) for c, ways in LISTED.items() for name in ways if ways[name]]
# Another variable: only solutions go there and come back the same.
MOVED = {"forward_backward", "envelope", "sinkhorn_map"}
BY = {
    "Composite": "proximal_gradient",
    "FiniteSum": "sgd",
    "FixedPoint": "anderson",
    "Inclusion": "golden_ratio",
    "NonlinearLeastSquares": "lbfgs",
    "Root": "newton_root",
    "Smooth": "nonlinear_cg",
}
every = pytest.mark.parametrize(("case", "name"), PAIRS)
# Run once a view: what these have is run on "smooth", "lasso" or "elastic".
AGAIN = {"valley", "composite", "ridge", "logistic", "transport"}
ONCE = [
    (case, name)
    for case, name in PAIRS
    if case not in AGAIN or name in ("finite_sum", "sinkhorn_map")
]


@functools.cache
def stated(case):
    with compat.double():
        return CASES[case]()


@functools.cache
def seen(case, name):
    """(problem, view, the other problem)."""
    with compat.double():
        problem = stated(case)
        (way,) = [w for w in problem.views() if w.name == name]
        view = way.make()
        return problem, view, view.there(problem)


@functools.cache
def solved(case):
    """What the kind's own default finds, to ten digits; Newton where it has none."""
    method = "newton_root" if case in ("skew", "qp", "bounds") else None
    result = bn.solve(stated(case), method, tol=1e-10)
    assert result.certified, result
    return result


def solution(case):
    return solved(case).point


def random(like, seed, size=1.0):
    flat, back = tree.ravel(jax.tree.map(jnp.asarray, like))
    return back(size * jax.random.normal(jax.random.key(seed), flat.shape))


def flat(x):
    return np.asarray(tree.ravel(x)[0])


def points(case, name):
    """A generic point of the other problem, and the start."""
    problem, view, _ = seen(case, name)
    start = view.to(problem.start(), problem).x
    return random(start, 3), start


@pytest.mark.parametrize("case", CASES)
def test_a_kind_lists_its_views_and_says_why_one_is_missing(case):
    with compat.double():
        ways = stated(case).views()
        assert [w.name for w in ways] == list(LISTED[case])
        for way in ways:
            assert (way.make is not None) == (LISTED[case][way.name] is not None)
            if way.make is None:
                assert len(way.absent) > 30
                continue
            assert way.kind == LISTED[case][way.name]
            view = way.make()
            assert (view.name, view.there(stated(case)).kind) == (way.name, way.kind)
            assert len(view.text()) > 8


@every
def test_points_go_there_and_come_back(case, name):
    problem, view, other = seen(case, name)
    with compat.double():
        start = problem.start()
        there = view.to(start, problem)
        assert jax.tree.structure(there.x) == jax.tree.structure(other.space())
        assert [v.shape for v in jax.tree.leaves(there.x)] == [
            v.shape for v in jax.tree.leaves(other.space())
        ]
        home = view.back(there, problem)
        if name not in MOVED:
            np.testing.assert_array_equal(flat(home.x), flat(start.x))
        at = solution(case)
        again = view.back(view.to(at, problem), problem)
        np.testing.assert_allclose(flat(again.x), flat(at.x), atol=1e-7)
        if view.alone():
            assert view.back(there).x is not None


@every
def test_a_solution_is_one_of_the_other_problem(case, name):
    problem, view, other = seen(case, name)
    with compat.double():
        if other.kind in ("Composite", "FiniteSum"):
            ends = [problem.optimality(p) for p in (solution(case), problem.start())]
        else:
            places = [view.to(p, problem) for p in (solution(case), problem.start())]
            at = programmed(lambda x: residual(other, x))
            ends = [at(p.x) for p in places]
        near, far = (float(np.linalg.norm(flat(getattr(e, "x", e)))) for e in ends)
        assert near <= 1e-5 * max(far, 1e-3)


def residual(other, x):
    if other.kind == "Inclusion":
        return tree.sub(x, other.resolvent(tree.axpy(-0.1, other.operator(x), x), 0.1))
    return other.optimality(bn.Point(x)).x


def equals(problem, other, x, v):
    """Pairs of what should be equal, and of what should be so bit for bit."""
    offered, pairs, exact = other.oracles(), [], []

    def equal(got, want):
        pairs.append((tree.ravel(got)[0], tree.ravel(want)[0]))

    flat_v = tree.ravel(v)[0]
    if "grad" in offered:
        value, g = other.value_and_grad(x)
        equal(g, jax.grad(other.value)(x))
        equal(g, other.grad(x))
        equal(value, other.value(x))
    if "hvp" in offered:
        equal(other.hvp(x, v), jax.jvp(other.grad, (x,), (v,))[1])
    if "hess" in offered:
        equal(other.hess(x) @ flat_v, other.hvp(x, v))
    if "jacobian" in offered:
        equal(other.jacobian(x) @ flat_v, jax.jvp(other.residual, (x,), (v,))[1])
    if "map" in offered:
        equal(other.map_jacobian(x) @ flat_v, jax.jvp(other.map, (x,), (v,))[1])
    if "component" in offered:
        equal(other.component(x, jnp.arange(other.n)), other.operator(x))
    if "stochastic_grad" in offered:
        every_one = jnp.arange(other.n)
        equal(other.stochastic_grad(x, every_one), problem.grad(x) / other.n)
        some = jnp.arange(other.n) < 5
        part = other.stochastic_grad(x, every_one, some)
        equal(part, other.stochastic_grad(x, every_one[:5]))
        seen_of = other.gradient_moments(x, every_one, some)
        equal(seen_of.mean, part)
        each = jax.vmap(lambda i: other.stochastic_grad(x, i[None]))(every_one[:5])
        equal(seen_of.scatter, jnp.var(each, axis=0) * 5)
    if "prox" in offered and other.essential():
        near = other.prox(v, 0.3)
        exact.append((other.prox(near, 0.3), near))
    return pairs, exact


@every
def test_the_oracles_belong_together(case, name):
    problem, _, other = seen(case, name)
    with compat.double():
        x, _ = points(case, name)
        v = random(x, 5)
        pairs, exact = at_once(lambda x, v: equals(problem, other, x, v), x, v)
        assert pairs or exact
        for got, want in pairs:
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
        for got, want in exact:
            np.testing.assert_array_equal(flat(got), flat(want))


def the_facts_hold(other, run, x, y):
    """Every constant of the other problem, on one pair of points; `run` its oracles."""
    facts, kind = other.facts(), other.kind
    near = 1 + 1e-9
    step = flat(tree.sub(x, y)).astype(np.longdouble)
    if kind == "FixedPoint":
        d = flat(tree.sub(run("map")(x), run("map")(y))).astype(np.longdouble)
        size = np.linalg.norm if other.norm == "2" else lambda v: np.max(np.abs(v))
        if facts.has("nonexpansive"):
            assert size(d) <= near * size(step)
        if facts.has("contractive"):
            assert size(d) <= near * float(facts.get("q")) * size(step)
            assert 0 < float(facts.get("q")) < 1
        return
    oracle = {"Inclusion": "operator", "Smooth": "grad", "Composite": "grad"}.get(kind)
    if kind == "FiniteSum":
        d = (run("base.grad")(x) - run("base.grad")(y)) / other.n
        d = flat(d).astype(np.longdouble)
    elif oracle is None:
        return
    else:
        f = run(oracle)
        d = flat(tree.sub(f(x), f(y))).astype(np.longdouble)
    along, square = d @ step, step @ step
    rounding = 1e-13 * np.linalg.norm(d) * np.linalg.norm(step)
    if facts.has("monotone") or facts.has("convex"):
        assert along >= -rounding
    if facts.L is not None:
        assert d @ d <= near * float(facts.L) ** 2 * square
    if facts.mu is not None:
        assert along * near >= float(facts.mu) * square - rounding
    if facts.get("cocoercive") is not None:
        assert along * near >= float(facts.get("cocoercive")) * (d @ d) - rounding
    if facts.get("cocoercive_average") is not None:
        part = run("component")
        parts = [part(x, i[None]) - part(y, i[None]) for i in np.arange(other.n)]
        mean = np.mean([float(jnp.vdot(p, p)) for p in parts])
        beta = float(facts.get("cocoercive_average"))
        assert along * near >= beta * mean - rounding


@every
def test_the_facts_that_travel_are_true(case, name):
    _, _, other = seen(case, name)
    with compat.double():
        x, start = points(case, name)
        run = functools.cache(lambda o: programmed(operator.attrgetter(o)(other)))
        keep = run("resolvent") if other.kind == "Inclusion" else lambda v, t: v
        for k, size in enumerate((1e-3, 1.0, 30.0)):
            one = keep(random(x, k, size), 1.0)
            two = keep(tree.add(one, random(x, 9 + k, size)), 1.0)
            the_facts_hold(other, run, one, two)
        # Along the steepest direction L and the cocoercivity are nearly attained.
        if other.kind in ("Inclusion", "Smooth", "Composite") and case != "transport":
            f = other.operator if other.kind == "Inclusion" else other.grad
            slope = jax.jacfwd(lambda v: tree.ravel(f(tree.ravel(x)[1](v)))[0])
            J = at_once(slope, tree.ravel(start)[0])
            top = np.linalg.svd((J + J.T) / 2)[0][:, 0]
            there = tree.ravel(x)[1](jnp.asarray(flat(start) + 1e-3 * top))
            the_facts_hold(other, run, keep(there, 1.0), keep(start, 1.0))


@pytest.mark.parametrize("name", ["inclusion_of_gradient", "forward_backward"])
def test_constants_of_least_squares_in_extended_precision(name):
    problem, _, other = seen("lasso", name)
    wide = np.asarray(problem.A, np.longdouble)
    G = wide.T @ wide
    v = np.ones(3, np.longdouble)
    for _ in range(400):
        v = G @ v
        v = v / np.sqrt(v @ v)
    top = v @ G @ v
    with compat.double():
        facts = other.facts()
        if name == "forward_backward":
            t = np.longdouble(float(other.view.t))
            assert t * top <= 2 and t * top >= np.longdouble(0.9)
            return
        assert np.longdouble(float(facts.L)) >= top
        assert np.longdouble(float(facts.get("cocoercive"))) * top <= 1
        most = 14 * np.max(np.sum(wide * wide, axis=1))
        assert np.longdouble(float(facts.get("cocoercive_average"))) * most <= 1
        assert facts.mu is None


def test_strong_convexity_of_a_term_is_no_fact_of_the_smooth_part():
    """An elastic net is strongly convex beside losses that are not."""
    problem, _, other = seen("elastic", "inclusion_of_gradient")
    with compat.double():
        net = GLM(A, Y, bn.SquaredLoss(), bn.ElasticNet(0.2, 0.9))
        assert net.facts().mu is not None and net.smooth_facts().mu is None
        assert problem.view() is not None  # raw columns
        assert other.facts().mu is None


class Tally:
    """A problem that counts its oracles where they run, derivatives by the column."""

    ORACLES = """value grad hvp hess prox resolvent operator component map residual
    matvec jacobian constraints transform""".split()

    def __init__(self, inner, plain):
        self.inner, self.plain, self.calls = inner, plain, Counter()

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if name == "value_and_grad":
            self.calls.update(("value", "grad"))
        elif name == "lagrangian_hess":
            self.calls["hess"] += 1
        elif name == "matrix":
            self.calls["matvec"] += self.inner.size()
        elif name in self.ORACLES:
            return self._counted(name, found)
        return found

    def _counted(self, name, oracle):
        if self.plain:  # by the call, where what is traced is called once
            self.calls[name] += 1
            return oracle
        first = jax.custom_jvp(lambda x, rest: oracle(x, *rest))

        @first.defjvp
        def by_column(primals, tangents):
            x, rest = primals
            out, moved = jax.jvp(lambda v: oracle(v, *rest), (x,), (tangents[0],))
            # Once a column: a batched callback is called for each entry.
            jax.debug.callback(self._tick, name, tree.ravel(tangents[0])[0][0])
            return out, moved

        def call(x, *rest):
            tangent = any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(x))
            self.calls[name] += not tangent
            return first(x, rest)

        return call

    def _tick(self, name, entry):
        self.calls[name] += 1


def counted(case, name, do):
    problem, view, _ = seen(case, name)
    tally = Tally(problem, plain=name == "least_squares")
    do(view, tally)
    jax.effects_barrier()
    return {k: v for k, v in tally.calls.items() if v}


@every
def test_what_is_declared_is_what_is_called(case, name):
    problem, view, other = seen(case, name)
    with compat.double():
        x, _ = points(case, name)
        costs = view.costs()
        one = jnp.asarray([0])

        def asked(oracle):
            def do(view, tally):
                there = view.there(tally)
                if oracle == "value":  # beside a gradient
                    there.value_and_grad(x)
                elif oracle in ("prox", "resolvent"):
                    getattr(there, oracle)(x, 0.1)
                elif oracle == "component":
                    there.component(x, one)
                elif oracle == "hvp":
                    there.hvp(x, x)
                else:
                    getattr(there, oracle)(x)

            return counted(case, name, do)

        drawn = {"stochastic_grad"} & set().union(*costs.values(), set())
        for oracle, declared in costs.items():
            missing = {"map_jacobian": "map"}.get(oracle, oracle) not in other.oracles()
            if (missing and oracle != "gauss_newton") or (
                drawn and oracle == "component"
            ):
                continue
            if oracle == "gauss_newton" and "jacobian" not in other.oracles():
                continue
            want = dict(declared)
            if oracle == "value":
                want = translated(costs, {"value": 1, "grad": 1})
            if name == "least_squares" and oracle in ("value", "grad"):
                # Backwards costs as much again; that pass is no call.
                want = {"residual": 1}
            got = asked(oracle)
            if "grad" in got and oracle == "grad":
                got.pop("value", None)  # it comes with the gradient
            assert got == {k: v for k, v in want.items() if v}, oracle
        start = problem.start()
        entering = counted(case, name, lambda v, p: v.to(start, p))
        assert entering == dict(view.entering())

        def leave(view, tally):
            view.back(bn.Point(x), tally)
            if view.guards():
                view.admits(bn.Point(x), tally)

        assert counted(case, name, leave) == dict(view.leaving())


def through(case, name):
    """A method made of the other problem, with the view on; raw columns are scaled."""
    problem, view, other = seen(case, name)
    with compat.double():
        near = problem.view()
        if near is not None:
            (way,) = [w for w in near.there(problem).views() if w.name == name]
            view = Through(near, way.make())
            other = view.there(problem)
        cls = catalogue.load_method(BY[other.kind])
        made = cls.suggest(other, other.facts())
        assert not isinstance(made, Refusal)
        return problem, Viewed(made, view)


@pytest.mark.parametrize(("case", "name"), ONCE)
def test_an_answer_through_a_view_is_judged_by_the_original(case, name):
    problem, method = through(case, name)
    rough = method.label() == "sgd"  # 1 / t
    result = bn.solve(problem, method, tol=0.3 if rough else 1e-6, max_steps=4000)
    assert result.certified, result
    assert result.certificate.quantity == solved(case).certificate.quantity
    assert result.manifest["view"] == method.view.text() in str(result)
    assert jax.tree.structure(result.x) == jax.tree.structure(problem.start().x)
    assert set(result.calls) <= problem.oracles() | {"stochastic_grad"}
    assert bn.verify(result).certified
    if not rough:
        far = flat(result.x) - flat(solution(case).x)
        assert np.linalg.norm(far) <= 2e-2 * np.linalg.norm(flat(solution(case).x))


def test_calls_are_counted_step_by_step():
    """A gradient before the first step; then one and two proxes a step, by anderson."""
    problem, method = through("lasso", "forward_backward")
    result = bn.solve(problem, method, max_steps=7, tol=1e-14)
    k = result.steps
    assert result.calls == {"grad": k + 1, "prox": 2 * k + 1}
    # Where the method counts in its state, the view's own calls come on top.
    problem, method = through("lasso", "envelope")
    result = bn.solve(problem, method, max_steps=5, tol=1e-14)
    calls, own = result.calls, method.method.calls(result.carry.state.inner)
    assert calls["hvp"] == own["grad"]
    assert calls["grad"] == own["grad"] + result.steps + 1
    assert calls["prox"] == calls["grad"]


def test_a_run_is_resumed_and_saved_through_two_views(tmp_path):
    problem = stated("elastic")
    method = defaults.method_for("anderson", problem)
    assert isinstance(method.view, Through)
    assert "columns" in method.seen_as() and "fixed point" in method.seen_as()
    options = dict(tol=1e-12, tier="split")
    whole = bn.solve(problem, "anderson", max_steps=60, **options)
    border = whole.settings.every
    assert whole.steps > border
    file = tmp_path / "half.json"
    bn.solve(problem, "anderson", max_steps=border, checkpoint=file, **options)
    on = bn.solve(problem, "anderson", max_steps=60, tol=1e-12, resume=file)
    assert (on.steps, on.calls) == (whole.steps, whole.calls)
    np.testing.assert_array_equal(on.x, whole.x)
    saved = tmp_path / "run.json"
    whole.save(saved)
    assert json.loads(saved.read_text())["manifest"]["view"] == method.seen_as()
    assert bn.verify(saved).certified == whole.certified
    with pytest.raises(bn.Misuse, match="sees another problem through"):
        bn.solve(stated("lasso"), method)


def test_lanes_are_seen_each_by_itself():
    scales = (1.0, 3.0, 0.2)
    problems = [bn.Lasso(A * s, Y, 0.5) for s in scales]
    for method in ("anderson", bn.Anderson(memory=3)):
        many = bn.solve_many(problems, method, max_steps=2000)
        for problem, lane in zip(problems, many, strict=True):
            assert lane.certified
            alone = bn.solve(problem, method, max_steps=2000)
            np.testing.assert_allclose(lane.x, alone.x, rtol=1e-3, atol=1e-5)


def test_other_data_and_numbers_compile_nothing():
    def solved(lam):
        result = bn.solve(bn.Lasso(A * lam, Y, lam), "picard", tier="fused")
        assert result.certified and "fixed point" in result.manifest["view"]

    solved(1.0)
    before = dict(compile_cache.COUNTS)
    solved(2.0)
    assert dict(compile_cache.COUNTS) == before


def test_a_viewed_run_is_pure():
    """Under vmap and grad, over the data, with a verdict a lane."""
    with compat.double():
        problem, method = through("lasso", "forward_backward")
        check = defaults.check_for(None, problem)

        def least(y):
            moved = bn.Lasso(jnp.asarray(A), y, 1.0)
            fresh = Viewed(method.method, method.view.again(moved))
            out = bn.run(moved, fresh, check=check, tol=1e-9, max_steps=300)
            return out.x, out.certified

        e = 1e-5 * jnp.ones(14)
        targets = jnp.stack([jnp.asarray(Y), jnp.asarray(Y) + e, jnp.asarray(Y) - e])
        x, certified = jax.vmap(least)(targets)
        assert certified.all()
        np.testing.assert_allclose(x[0], solution("lasso").x, atol=1e-5)
        slope = jax.grad(lambda y: jnp.sum(least(y)[0]))(targets[0])
        rise = jnp.sum(x[1] - x[2])
        np.testing.assert_allclose(jnp.vdot(slope, e) * 2, rise, rtol=1e-3, atol=1e-9)


def first_path(name, problem, risky=True):
    with compat.double():
        facts = problem.facts()
        return defaults.suggest(name, problem, facts, risky=risky)


def test_the_problem_itself_comes_first_then_its_views_in_their_order():
    lasso, ridge = stated("lasso"), stated("ridge")
    assert first_path("fista", lasso).seen_as() == ""
    assert first_path("anderson", lasso).view.name == "forward_backward"
    assert first_path("lbfgs", lasso).view.name == "envelope"
    assert first_path("lbfgs", ridge).seen_as() == ""
    # Raw columns are scaled first, and a view is put on top.
    assert first_path("fista", stated("elastic")).view.name == "columns"
    two = first_path("lbfgs", stated("elastic")).view
    assert (two.first.name, two.second.name) == ("columns", "envelope")
    # Two in a row, where one is not enough.
    two = first_path("newton_root", lasso).view
    assert (two.first.name, two.second.name) == ("forward_backward", "root_of_map")


@pytest.mark.parametrize("case", CASES)
def test_no_path_is_longer_than_two_or_squares_a_gradient(case):
    with compat.double():
        problem = stated(case)
        for path in Paths(problem, problem.facts()):
            assert len(path.names) <= 2
            chain = [path.view]
            if isinstance(path.view, Through):
                chain = [path.view.first, path.view.second]
                assert not any(isinstance(v, Through) for v in chain)
            assert not (chain[0].derives and chain[-1].squares)
            assert path.view.fits(problem)


def test_least_squares_of_a_gradient_are_refused():
    for name in ("levenberg_marquardt", "gauss_newton"):
        no = first_path(name, stated("ridge"))
        assert isinstance(no, Refusal) and "jacobian" in no.missing


def test_a_refusal_names_the_view_that_is_missing_and_the_cure():
    no = first_path("sgd", stated("lasso"))
    assert "finite_sum is missing" in no.cure and "SquaredL2" in no.cure
    valley = stated("valley")
    no = first_path("halpern", valley)
    assert "inclusion_of_gradient is missing" in no.cure and "convex=True" in no.cure
    no = first_path("picard", valley)
    assert "forward_backward is missing" in no.cure
    no = first_path("lazy_newton", stated("lasso"))
    assert "through its view envelope: it offers no hess" in no.cure
    no = first_path("golden_ratio", stated("bounds"))
    assert "kkt_inclusion is missing" in no.cure and "convex=True" in no.cure
    no = first_path("conjugate_gradient", stated("root"))
    assert "No view leads from Root to Linear" in no.cure
    with pytest.raises(bn.Misuse, match="forward_backward is missing.*cocoercive"):
        bn.solve(stated("rotation"), "picard")


def test_roots_of_a_gradient_are_sought_by_name_alone_where_nothing_is_convex():
    valley = stated("valley")
    assert first_path("newton_root", valley).view.name == "root_of_gradient"
    no = first_path("newton_root", valley, risky=False)
    assert isinstance(no, Refusal) and "saddles" in no.cure
    race = bn.race(valley, ["newton_root"], max_steps=50)
    assert len(race.runs) == 1
    assert first_path("newton_root", stated("smooth"), risky=False).seen_as()


def test_numbers_that_somebody_gave_go_with_the_view_that_takes_the_method():
    problem = stated("lasso")
    method = defaults.method_for(bn.Halpern(step_size=1e-3), problem)
    assert method.method.step_size == 1e-3 and "inclusion" in method.seen_as()
    with pytest.raises(bn.Misuse, match="fista needs the oracle grad, prox"):
        bn.solve(bn.Root(lambda x: x, np.ones(2)), bn.Fista(1.0))


def saddle():
    """-(x^2 - y) on the circle: maxima, minima and nothing between are KKT points."""
    return bn.Constrained(
        lambda x: x[0] ** 2 + 3 * x[1] ** 2,
        np.array([0.1, 1.2]),
        eq=lambda x: x @ x - 1,
        reference=np.ones(2),
    )


def test_a_constrained_maximum_is_not_taken_home():
    """From beside (0, 1), where f is largest, Newton goes there; that is no answer."""
    problem = saddle()
    with compat.double():
        view = problem.views()[-1].make()
        assert view.name == "kkt_system" and view.guards()
        top = bn.Point({"dual": jnp.asarray([-3.0]), "x": jnp.asarray([0.0, 1.0])})
        low = bn.Point({"dual": jnp.asarray([-1.0]), "x": jnp.asarray([1.0, 0.0])})
        other = view.there(problem)
        assert tree.norm(other.residual(top.x)) == 0 == tree.norm(other.residual(low.x))
        assert not view.admits(top, problem) and view.admits(low, problem)
    result = bn.solve(problem, "newton_root", max_steps=100)
    inner = result.carry.state.inner.x["x"]
    np.testing.assert_allclose(inner, [0, 1], atol=1e-6)
    assert result.status == "stalled" and abs(result.x[1]) > 1.1
    near = bn.solve(problem, "newton_root", start=np.array([0.9, 0.3]))
    np.testing.assert_allclose(near.x, [1, 0], atol=1e-6)
    assert near.certified and near.point.dual is not None


def test_convex_is_believed_of_affine_equations_alone():
    with pytest.raises(bn.Misuse, match="not affine by the structure"):
        bn.Constrained(energy, np.ones(3), eq=lambda x: x @ x - 1, convex=True)
    problem = stated("qp")
    assert problem.facts().provenance("convex") == "declared"
    assert problem.restated().convex and not stated("bounds").convex


def test_which_views_hold_derivatives_and_which_square():
    """What keeps a path from squaring a gradient; see `test_no_path_is_longer`."""
    for entry in catalogue.own()["kinds"].values():
        room = entry["module"].rpartition(".")[0]
        if importlib.util.find_spec(f"{room}.views"):
            importlib.import_module(f"{room}.views")
    views, todo = set(), [View]
    while todo:
        for one in todo.pop().__subclasses__():
            todo.append(one)
            if one.__module__.startswith("banach.kinds."):
                views.add(one)
    assert len(views) >= 10
    named = lambda flag: sorted(v.__qualname__ for v in views if getattr(v, flag))  # noqa: E731
    assert named("squares") == ["LeastSquaresOfRoot"]
    assert named("derives") == [
        "ComponentsOfModel",
        "Envelope",
        "ForwardBackward",
        "InclusionOfGradient",
        "KktInclusion",
        "KktSystem",
        "RootOfGradient",
    ]


def test_a_model_seen_as_a_sum_knows_its_steepest_term():
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(20, 3)) * [1, 10, 0.1], rng.integers(0, 2, 20)
    model = bn.LogisticRegression(A, y, 0.5, sample_weight=rng.uniform(0.1, 2, 20))
    seen = ModelSum(model)
    most = float(seen.facts().get("L_max"))
    w = np.asarray(model.weight, float)
    # l'' <= 1/4, an intercept beside, and the ridge in every term.
    want = np.max(w * (np.sum(A**2, axis=1) + 1)) / 4 + 0.5 / 20
    assert want <= most <= 1.01 * want + 0.5 / 20
    assert most <= 20 * float(seen.facts().get("L")) * (1 + 1e-6)

"""A default that gives up hands what is left of the budget to the next method."""

import time
import types

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.doors import relay
from banach.engine.plan import Limits, Manner


class Run:
    """What a leg sees of a Result."""

    def __init__(self, status, steps, ratios, at=None, label="m"):
        self.status, self.steps, self.label = status, steps, label
        self.x = None
        self.certificate = types.SimpleNamespace(ratio=min(ratios), grade="residual")
        self.hint = ""
        step = np.linspace(0, steps, len(ratios)) if at is None else np.array(at)
        self.trace = types.SimpleNamespace(ratio=np.array(ratios), step=step)
        self.seconds = {"compile": 0.5, "run": 0.25}
        self.manifest, self.timed_out = {"seed": 3}, False
        self.reason = f"max_steps {steps} reached; best ratio 1"

    def replaced(self, **changes):
        self.__dict__.update(changes)
        return self


def _legs(*scripts, every=10, resumes=True):
    """Legs that answer with what is written, and what they were asked."""
    asked = []

    def one(name, script):
        answers = iter(script)

        def run(start, limits, past):
            steps = limits.steps
            asked.append((name, start, steps, past is not None))
            status, used, ratios = next(answers)
            used = min(used, steps)
            yield Run("running", used, ratios, label=name)
            yield Run(status, used, ratios, label=name)

        return relay.Leg(run, every, resumes)

    made = dict(zip("abc", scripts, strict=False))
    first, *names = made
    return (one(first, made[first]), names, lambda n: one(n, made[n])), asked


def _go(legs, steps=1000, live=False, convex=False, limit=None):
    return list(
        relay.relay(
            *legs, Limits(steps=steps, time=limit),
            Manner(live=live, began=time.perf_counter()), start="x0",
            convex=lambda: convex, beside=lambda r: None, objective=lambda r: 0.0,
        )
    )  # fmt: skip


def test_a_certified_first_leg_is_the_whole_of_it():
    legs, asked = _legs([("certified", 20, [1, 1e-9])], [("certified", 1, [0])])
    (result,) = _go(legs)
    assert (result.label, result.manifest) == ("a", {"seed": 3})
    assert asked == [("a", "x0", 500, False)]


@pytest.mark.parametrize("end", ["stalled", "nonfinite", "unverifiable"])
def test_the_next_leg_gets_what_is_left(end):
    legs, asked = _legs([(end, 30, [1.0, 0.5])], [("certified", 7, [1, 1e-9])])
    (result,) = _go(legs)
    assert result.label == "b"
    assert asked == [("a", "x0", 500, False), ("b", "x0", 970, False)]
    assert result.manifest["tried"] == [
        {"method": "a", "status": end, "steps": 30, "ratio": 0.5, "seconds": 0.75}
    ]


def test_a_leg_that_makes_way_keeps_the_budget():
    better = ("budget", 500, [1, 0.1, 0.01])
    legs, asked = _legs([better, ("certified", 800, [1, 1e-9])], [])
    (result,) = _go(legs)
    assert result.label == "a" and result.steps == 800
    assert asked == [("a", "x0", 500, False), ("a", "x0", 1000, True)]


def test_a_leg_that_makes_none_is_left_at_half():
    flat = ("budget", 500, [1, 0.1, 0.09])
    legs, asked = _legs([flat], [("budget", 500, [1, 0.2])])
    (result,) = _go(legs)
    # Nobody was certified: the smallest ratio has the word.
    assert result.label == "a" and result.manifest["tried"][0]["method"] == "b"
    assert asked[1] == ("b", "x0", 500, False)
    assert result.reason == "max_steps 1000 used up by 2 methods; best ratio 1"


def test_what_settles_the_matter_ends_the_relay():
    for end in ("refuted", "interrupted", "infeasible", "unbounded"):
        legs, asked = _legs([(end, 5, [1.0])], [("certified", 1, [0])])
        (result,) = _go(legs)
        assert result.status == end and len(asked) == 1


def test_running_results_are_handed_on_where_they_are_wanted():
    legs, _ = _legs([("stalled", 5, [1.0])], [("certified", 1, [0.0])])
    assert [r.status for r in _go(legs, live=True)] == [
        "running", "running", "certified",
    ]  # fmt: skip


def _kinked(x):
    return jnp.sum(jnp.abs(x - 1)) + 0.1 * jnp.sum(x**2)


def test_a_kink_is_tried_by_several_and_all_are_named():
    result = bn.minimize(_kinked, np.full(3, 5.0), max_steps=300)
    assert not result.certified
    names = {result.label, *(t["method"] for t in result.manifest["tried"])}
    assert len(names) >= 2
    assert result.steps + sum(t["steps"] for t in result.manifest["tried"]) <= 300
    assert all(f"tried       {t['method']}" in str(result)
               for t in result.manifest["tried"])  # fmt: skip
    assert "tried" in result.to_dict()["manifest"]
    named = bn.minimize(_kinked, np.full(3, 5.0), method=result.label, max_steps=300)
    assert "tried" not in named.manifest


def test_a_leg_goes_on_from_where_it_stood():
    # Of one method that makes way: the same run as that method's by itself.
    g = np.random.default_rng(5)
    A = g.normal(size=(60, 30)) @ np.diag(np.logspace(0, -0.45, 30))
    problem = bn.GroupLasso(A, A[:, 0] - A[:, 1], lam=0.02, groups=range(30))
    alone = bn.solve(problem, "fista", tol=1e-13)
    assert alone.certified
    border = alone.settings.every
    steps = alone.steps + border
    assert steps // 2 >= border
    result = bn.solve(problem, tol=1e-13, max_steps=steps)
    assert result.label == "fista" and result.steps == alone.steps
    np.testing.assert_array_equal(result.x, alone.x)


def test_who_made_way_goes_on_where_the_others_give_up():
    flat = [("budget", 500, [1, 0.1, 0.09]), ("certified", 700, [1, 1e-9])]
    legs, asked = _legs(flat, [("stalled", 24, [1, 0.5])])
    (result,) = _go(legs)
    assert (result.label, result.status, result.steps) == ("a", "certified", 700)
    assert asked[1:] == [("b", "x0", 500, False), ("a", "x0", 976, True)]
    assert [t["method"] for t in result.manifest["tried"]] == ["b"]


def test_a_default_that_finds_nothing_has_used_its_budget():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(60, 40)) * 10.0 ** np.linspace(0, -7, 40)
    result = bn.solve(bn.Lasso(A, rng.normal(size=60), 1e-9), tol=1e-12, max_steps=90)
    assert not result.certified
    tried = result.manifest.get("tried", [])
    ends = {result.status, *(t["status"] for t in tried)}
    used = result.steps + sum(t["steps"] for t in tried)
    assert used == 90 or "budget" not in ends


def test_a_saddle_and_a_flat_start_are_left():
    saddle = bn.minimize(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, np.zeros(2))
    assert saddle.certified and abs(abs(saddle.x[0]) - 1) < 1e-4
    assert "passes as it stands" in saddle.manifest["tried"][0]["method"]
    top = bn.minimize(lambda x: -jnp.exp(-jnp.sum((x - 1) ** 2)) - x[0] * 0, np.ones(2))
    # A minimum as it stands, by its Hessian.
    assert top.certified and top.steps == 0 and np.all(top.x == 1) and top.hint == ""
    # A flat one: the other run finds nothing lower, and says so.
    flat = bn.minimize(lambda x: jnp.sum(x**4), np.zeros(2))
    assert flat.steps == 0 and "beside it found nothing lower" in flat.hint
    # A start of the caller's own is believed.
    f = bn.Smooth(lambda x: (x[0] ** 2 - 1) ** 2 + x[1] ** 2, np.full(2, 0.5))
    assert bn.solve(f, start=np.zeros(2)).steps == 0


def _plateau(slope):
    """F = 1 for |y*| < 1 with y* = slope x; the best is 0, at |y*| = 2."""

    def upper(x, y, k):
        return jnp.sum((jnp.maximum(jnp.abs(y) - 1, 0) - 1) ** 2) + 0.0 * jnp.sum(x)

    def lower(x, y, k):
        return jnp.sum((y - k * x) ** 2) / 2

    zero = np.zeros(1)
    return bn.Bilevel(upper, lower, zero, zero, args=(slope,), lower_mu=1.0)


def test_a_flat_bilevel_start_is_left():
    problem = _plateau(30.0)
    assert float(problem.objective(problem.start().x)) == 1
    result = bn.solve(problem, max_steps=3000)
    assert result.certified and result.steps > 0
    assert float(problem.objective(result.x)) < 1e-6
    assert "passes as it stands" in result.manifest["tried"][0]["method"]


def test_a_start_without_terms_holds_nothing_against_a_better_point():
    result = bn.solve(_plateau(20.0), max_steps=3000)
    assert result.certified and result.steps > 0
    assert float(result.problem.objective(result.x)) < 1e-6


def test_a_lower_value_that_is_not_certified_is_named():
    made = [("certified", 0, [0.0])], ("stalled", 9, [1.0])
    (first, names, build), _ = _legs([*made[0], made[1]])
    values = iter([0.25, 1.0])
    (result,) = relay.relay(
        first, names, build, Limits(steps=50),
        Manner(live=False, began=time.perf_counter()), start=None,
        convex=lambda: False, beside=lambda r: "there",
        objective=lambda r: next(values),
    )  # fmt: skip
    assert result.status == "certified"
    assert "ended stalled at 0.25, LOWER than 1 here" in result.hint


def test_a_budget_of_few_steps_is_never_exceeded():
    problem = bn.Smooth(_kinked, np.full(3, 5.0))
    for steps in (0, 1, 2, 7):
        result = bn.solve(problem, max_steps=steps)
        spent = sum(t["steps"] for t in result.manifest.get("tried", ()))
        assert result.steps + spent <= steps


def test_a_relay_saves_checkpoints_of_the_leg_that_runs(tmp_path):
    file = tmp_path / "c.json"
    g = np.random.default_rng(1)
    A = g.normal(size=(40, 8)).astype(np.float32)
    problem = bn.GroupLasso(A, A[:, 0] - A[:, 1], lam=np.float32(0.5), groups=range(8))
    result = bn.solve(problem, tol=1e-12, max_steps=600, checkpoint=str(file))
    assert result.manifest["tried"]
    on = bn.solve(problem, resume=str(file), max_steps=700)
    assert on.label == result.label and "tried" not in on.manifest

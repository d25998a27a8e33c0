"""The frame of claims: bars, verdicts, words, and the counts that runs make."""

import math
import sys
import types

import jax
import numpy as np
import pytest

from banach import claims
from banach.claims import course, figures, instances, runs
from banach.methods.smooth.gradient_descent import GradientDescent


@pytest.mark.parametrize(
    ("bar", "numbers", "held"),
    [
        (course.at_most(1), [0.2, 1.0], True),
        (course.at_most(1), [0.2, 1.1], False),
        (course.at_most(1), [math.nan], False),
        (course.at_most(1), [math.inf], False),
        (course.at_most(1, "mean"), [0.25, 3.9], True),
        (course.at_most(1, "mean"), [0.25, 4.1], False),
        (course.at_most(1, 0.6), [0.5, 0.5, 0.5, 2, 2], True),
        (course.at_most(1, 0.6), [0.5, 0.5, 2, 2, 2], False),
        (course.at_least(2), [2, 3], True),
        (course.at_least(2), [1.9, 3], False),
        (course.between(1, 2), [1, 2], True),
        (course.between(1, 2), [0.9, 2], False),
    ],
)
def test_a_bar_is_met_by_each_or_by_all(bar, numbers, held):
    assert bar.holds({str(i): v for i, v in enumerate(numbers)}) is held


def stated(sort, bar, numbers, **more):
    return sort("Somebody 1999, theorem 1", bar, **more)(lambda: numbers)


def test_a_row_names_the_instance_that_decides():
    numbers = {"a": 0.5, "b": 0.97, "c": 0.1, "d": 0.2, "e": 0.3}
    row = stated(course.reported, course.at_most(1), numbers).row()
    assert (row["verdict"], row["held"], row["worst"]) == ("holds", 5, "b")
    assert row["close"]  # 0.97 lies within a tenth of its bar
    assert course.words(row) == "holds, 5 of 5, worst 0.97 (b)"
    row = stated(course.ours, course.at_least(1), {**numbers, "c": math.nan}).row()
    assert (row["verdict"], row["held"], row["worst"]) == ("fails", 0, "c")


def test_few_instances_need_a_reason():
    row = stated(course.reported, course.at_most(1), {"a": 0.5}).row()
    assert row["verdict"] == "error" and "few=" in row["measured"]
    row = stated(course.reported, course.at_most(1), {"a": 0.5}, few="one atlas").row()
    assert row["verdict"] == "holds" and row["few"] == "one atlas"
    assert stated(course.proved, course.at_most(1), {"a": 0.5}).row()["held"] == 1


def test_the_verdict_is_on_the_words_of_the_paper_alone():
    good = stated(course.proved, course.at_most(1), {"a": 0.5}).row()
    bad = stated(course.proved, course.at_most(1), {"a": 2.0}).row()
    mine = stated(course.ours, course.at_most(1), dict.fromkeys("abcde", 2.0)).row()
    far = course.out_of_reach("Somebody 1999, table 2", "on a cluster", "no cluster")
    broken = stated(course.proved, course.at_most(1), None).row()
    rows = {
        "reproduced": [good, mine],
        "partly": [good, bad],
        "not_reproduced": [bad, mine],
        "out_of_reach": [far.row(), mine],
        "error": [good, broken],
    }
    assert {verdict: course.verdict(r) for verdict, r in rows.items()} == {
        verdict: verdict for verdict in rows
    }
    said = course.summary([good, bad, far.row()])
    assert said == "1 of 2, 1 out of reach; not Somebody 1999, theorem 1"


def test_a_grid_that_ends_at_its_best_is_refused():
    assert course.tuned([1, 2, 3], lambda v: abs(v - 2.1)) == (2, pytest.approx(0.1))
    with pytest.raises(ValueError, match="widen the grid"):
        course.tuned([1, 2, 3], lambda v: v)


def test_counts_are_those_of_a_loop_written_out():
    """Gradient descent on a quadratic: its steps to a hundredth, one by one."""
    with jax.enable_x64(True):
        problem = instances.bowl(0, 5, 10.0)
        H, b = problem.args
        x, steps = problem.x0, 0
        size = np.linalg.norm(H @ x - b)
        while np.linalg.norm(H @ x - b) > 1e-2 * size:
            x, steps = x - (H @ x - b), steps + 1
        method = GradientDescent(1.0, search=False)
        found = runs.until(problem, method, runs.gradient_norm, 1e-2, 1000)
        assert found.reached and found.price("steps") == steps
        assert found.price("grad") == found.price({"grad": 1}) == steps + 1  # the start
        assert np.allclose(found.x, x, rtol=1e-12)
        short = runs.until(problem, method, runs.gradient_norm, 1e-2, steps - 1)
        assert not short.reached and short.price("grad") == math.inf
        watch = {"g": runs.gradient_norm, "x": runs.where}
        rows = runs.trace(problem, method, steps + 1, every=1, **watch)
        assert np.argmax(rows["g"] <= 1e-2 * rows["g"][0]) == steps
        assert np.allclose(rows["x"][steps], x, rtol=1e-12)
        assert rows["grad"].tolist() == list(range(1, steps + 3))


def test_the_seed_of_the_unseen_instance_is_kept(monkeypatch):
    monkeypatch.setattr(course, "_seed", [])
    day = course.fresh()
    assert 20260101 <= day <= 22000101 and course.fresh() == day
    course.use_seed(7)
    assert course.fresh() == 7


def test_a_claim_is_measured_drawn_and_told(tmp_path, monkeypatch):
    curves = {"a": {"gap": [1.0, 0.5], "bound": [2.0, 2.0]}}
    claim = types.ModuleType("banach.claims.smooth.tiny", "It halves.\n\nReduced: all.")
    claim.rate = stated(
        course.proved, course.at_most(1), course.Seen({"a": 0.5}, curves)
    )
    claim.far = stated(course.ours, course.at_most(1), None)
    monkeypatch.setitem(sys.modules, claim.__name__, claim)
    monkeypatch.setattr(claims, "names", lambda: {"tiny": "smooth"})
    monkeypatch.setattr(course, "_seed", [])
    row = claims.run("tiny", tmp_path, seed=3)
    assert (row["promise"], row["seed"], row["verdict"]) == ("It halves.", 3, "error")
    good, bad = row["statements"]
    assert good["verdict"] == "holds" and "curves" not in good
    assert bad["verdict"] == "error" and "NoneType" in bad["traceback"]
    assert (tmp_path / "tiny.png").read_bytes()[1:4] == b"PNG"
    assert figures.of_claim([bad], tmp_path / "none.png") is False
    assert claims.failed("tiny", "a\nlast line")["summary"] == "last line"

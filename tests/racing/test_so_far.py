"""A race while it runs, as data: what a page of it is made of."""

import json
from types import SimpleNamespace

import numpy as np

import banach as bn
from banach.racing import so_far as module
from banach.racing.so_far import SoFar
from banach.report import words
from banach.report.page import render

rng = np.random.default_rng(8)
A, B = rng.normal(size=(40, 5)), rng.normal(size=40)


def states(monkeypatch, **options):
    """Every state of a race, and the race."""
    monkeypatch.setattr(module, "PAUSE", 0.0)
    so_far = SoFar(["a", "b"], tol=1e-6, time_limit=None, patience=None, command="c")
    seen = [so_far.races()]
    so_far.began()

    def progress(label, what):
        so_far.update(label, what)
        seen.append(so_far.races())

    done = bn.race(bn.Lasso(A, B, 2.0), name="a", progress=progress, **options)
    so_far.ended(done)
    seen.append(so_far.races())
    return so_far, seen, done


def test_states_are_a_page_each_and_only_grow(monkeypatch):
    so_far, seen, done = states(monkeypatch, methods=["fista", "sinkhorn", "lbfgs"])
    versions = [version for version, _ in seen]
    assert versions == sorted(set(versions))
    for _, races in seen:
        json.dumps(races, allow_nan=False)
        assert render(races, live=True).count("<article") == 2
    first, last = seen[0][1], seen[-1][1]
    assert words.summary(first[0]) == "This race waits for its turn."
    assert last[0] == done.to_dict() and last[1]["running"]
    # What was read once is never changed behind the reader's back.
    assert first[0]["runs"] == [] and first[0]["problem"]["kind"] == ""
    story = [
        [(r["method"], r["status"]) for r in races[0]["runs"]] for _, races in seen
    ]
    assert [("fista", "compiling")] in story
    assert [("fista", "certified"), ("sinkhorn", "compiling")] in story
    assert story[-2] == [("fista", "certified"), ("lbfgs", "certified")]
    assert seen[-2][1][0]["check"] == last[0]["check"]
    assert seen[-2][1][0]["problem"] == last[0]["problem"]
    assert not so_far.over
    so_far.stop()
    assert so_far.over and len(so_far.races()[1]) == 1


def test_a_running_method_shows_its_rows(monkeypatch):
    _, seen, _ = states(monkeypatch, methods=["halpern"], tol=1e-10, max_steps=40_000)
    rows = [
        run
        for _, races in seen
        for run in races[0]["runs"]
        if run["status"] == "running"
    ]
    assert rows and all(len(r["trace"]["step"]) for r in rows)
    steps = [r["steps"] for r in rows]
    assert steps == sorted(steps)
    for run in rows:
        assert run["certificate"]["ratio"] == min(run["trace"]["ratio"])
        assert run["certificate"]["value"] is None  # it is not judged for a page
    assert words.summary(seen[-2][1][0] | {"runs": rows[:1]}).endswith(
        "halpern is running."
    )


def test_seeds_of_one_method_share_a_row(monkeypatch):
    problem = bn.LogisticRegression(A, (B > 0).astype(int), 1.0).as_finite_sum()
    so_far = SoFar(["a"], tol=1e-6, time_limit=None, patience=None, command="c")
    so_far.began()
    most = []

    def progress(label, what):
        so_far.update(label, what)
        most.append(len(so_far.races()[1][0]["runs"]))

    done = bn.race(problem, ["sgd"], seeds=3, max_steps=20, progress=progress, name="a")
    so_far.ended(done)
    assert max(most) == 1
    assert so_far.races()[1][0]["runs"][0]["spread"]["runs"] == 3


def test_a_refused_method_leaves_its_row():
    so_far = SoFar(["a"], tol=1e-6, time_limit=None, patience=None, command="c")
    so_far.began()
    so_far.update("x", None)
    so_far.update("x", SimpleNamespace(method="x", reason="no"))
    (race,) = so_far.races()[1]
    assert race["runs"] == [] and race["refused"] == [{"method": "x", "reason": "no"}]

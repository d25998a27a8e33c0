"""The sentence over a race: how many, which first, and a call that can be copied."""

import shlex

import numpy as np
import pytest

import banach as bn
from banach.racing import calling
from banach.report import words

rng = np.random.default_rng(5)
A, B = rng.normal(size=(40, 6)), rng.normal(size=40)
ASKED = {"tol": 1e-6, "check": None, "start": None}


def test_the_call_of_a_sentence_runs():
    problem = bn.Lasso(A, B, 2.0)
    methods = ["fista", bn.ProximalGradient()]
    race = bn.race(problem, methods, tol=1e-8)
    found = {r["method"]: r["call"] for r in race.to_dict()["runs"]}
    assert found == {
        "fista": 'bn.solve(problem, "fista", tol=1e-08)',
        "proximal_gradient": "bn.solve(problem, methods[1], tol=1e-08)",
    }
    space = {"bn": bn, "problem": problem, "methods": methods}
    for label, call in found.items():
        again = eval(call, space)
        assert again.certified and again.label == label and again.tol == 1e-8
    first = str(race).splitlines()[0]
    assert first.startswith(
        "2 of 2 methods certified to 1e-8. Fastest with compilation"
    )
    assert found[race.best.label] in first


def test_calls_in_a_shell_and_of_names():
    asked = ASKED | {"tol": bn.Absolute(0.5), "check": "gap"}
    command = "banach race 'my file.py:p'"
    shell = calling.calls("my file.py:p", ["scipy:BFGS"], asked, command)["scipy:BFGS"]
    words = "banach solve MINE --method scipy:BFGS --tol 0.5 --absolute --check gap"
    assert shlex.split(shell) == [
        w if w != "MINE" else "my file.py:p" for w in words.split()
    ]
    named = calling.calls("lasso:diabetes", ["fista"], ASKED, "banach.race(...)")
    assert named == {"fista": 'bn.solve("lasso:diabetes", "fista")'}
    given = calling.calls(None, [bn.Fista], ASKED | {"start": B}, "")
    assert given == {"fista": "bn.solve(problem, methods[0], start=start)"}
    # Which of two a label means cannot be told.
    assert calling.calls(None, [bn.Fista(), bn.Fista()], ASKED, "") == {}


def test_a_long_run_asks_for_its_steps():
    assert calling.longer("bn.solve(p)", 200_000) == "bn.solve(p, max_steps=200000)"
    assert (
        calling.longer("banach solve p", 200_000) == "banach solve p --max-steps 200000"
    )
    assert calling.longer("bn.solve(p)", 100_000) == "bn.solve(p)"


def test_where_nothing_is_certified_the_nearest_and_a_step():
    race = bn.race(bn.Lasso(A, B, 2.0), ["fista", "halpern"], tol=1e-13, max_steps=3)
    said = str(race).splitlines()[0]
    near = min(race.runs, key=lambda r: float(r.certificate.ratio))
    assert said.startswith("0 of 2 methods certified to 1e-13. Nearest: ")
    assert f"Nearest: {near.label}, ratio " in said and "(budget). Next: " in said
    assert "race" not in said.partition("Next: ")[2]


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([], "No method applies. Do this."),
        (["unbounded", "budget"], "There is no solution (unbounded): why 0."),
        (["nonfinite"], "No run has a finite ratio; m0 ended as nonfinite."),
    ],
)
def test_sentences_of_other_ends(statuses, said):
    runs = [
        {"method": f"m{i}", "status": s, "reason": f"why {i}", "hint": "",
         "seconds": {"compile": 1.0, "run": 1.0}, "certificate": {"ratio": None}}
        for i, s in enumerate(statuses)
    ]  # fmt: skip
    race = {
        "runs": runs,
        "refused": [{"method": "x", "reason": "Do this."}],
        "tol": 1e-6,
    }
    assert said in words.summary(race)

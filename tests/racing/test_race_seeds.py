"""Races over several seeds: what runs how often, and who stands for the rest."""

import numpy as np
import pytest
import sum_case as case

import banach as bn
from banach.racing import seed_summary


@pytest.fixture(scope="module")
def done():
    import jax

    with jax.enable_x64(True):
        return bn.race(
            case.problem(), ["sgd", "lbfgs"], seeds=3, seed=5, tol=1e-3, max_steps=300
        )


def test_stochastic_methods_run_over_all_seeds_and_others_once(done):
    by = {r.label: g for r, g in zip(done.runs, done.repeats, strict=True)}
    assert len(by["sgd"]) == 3 and len(by["lbfgs"]) == 1
    xs = [tuple(r.x) for r in by["sgd"]]
    assert len(set(xs)) == 3
    # Seeds 5, 6 and 7: each is the run of that seed alone.
    alone = bn.solve(case.problem(), "sgd", seed=6, tol=1e-3, max_steps=300)
    np.testing.assert_allclose(by["sgd"][1].x, alone.x, rtol=1e-12)


def test_seeds_are_of_the_draws_and_never_of_the_start(done):
    by = {r.label: g for r, g in zip(done.runs, done.repeats, strict=True)}
    first = [float(r.trace.value[0]) for r in by["sgd"]]
    assert [int(r.trace.step[0]) for r in by["sgd"]] == [0, 0, 0]
    assert len({f"{v:.12e}" for v in first}) == 1
    moved = bn.race(
        case.problem(), ["sgd"], start=np.asarray(by["sgd"][0].x), seeds=2, max_steps=2
    )
    begun = {f"{float(r.trace.value[0]):.12e}" for r in moved.repeats[0]}
    assert len(begun) == 1 and float(begun.pop()) < first[0] / 2


def test_the_json_is_additive(done):
    data = done.to_dict()
    assert data["schema_version"] == 1 and data["seeds"] == [5, 6, 7]
    runs = {r["method"]: r for r in data["runs"]}
    assert "spread" not in runs["lbfgs"]
    run = runs["sgd"]
    assert [s["seed"] for s in run["seeds"]] == [5, 6, 7]
    spread = run["spread"]
    assert spread["runs"] == 3
    assert spread["certified"] == sum(s["status"] == "certified" for s in run["seeds"])
    ratios = sorted(s["ratio"] for s in run["seeds"])
    assert spread["ratio"][1] == ratios[1]
    assert spread["seconds"] == sorted(spread["seconds"])
    single = bn.race(case.problem(), ["lbfgs"], max_steps=3).to_dict()
    assert "seeds" not in single and "spread" not in single["runs"][0]


def test_the_figure_and_the_page_are_made(done, tmp_path):
    text = done.html(tmp_path / "race.html").read_text()
    assert "/3<" in text
    import matplotlib

    matplotlib.use("Agg")
    assert len(done.plot(against="step").axes[0].collections) == 1


class Run:
    def __init__(self, certified, seconds, ratio, status="budget"):
        self.certified, self.seconds = certified, {"run": seconds}
        self.certificate = type("C", (), {"ratio": ratio})
        self.status = "certified" if certified else status
        self.steps = 10


def test_the_middle_run_is_certified_only_if_most_are():
    good = [Run(True, s, 1e-7) for s in (0.1, 0.3)]
    bad = [Run(False, 1.0, r) for r in (1e-2, 1e-3)]
    assert seed_summary.middle([*good, bad[0]]) is good[1]
    # Half is not most; of two the worse stands.
    assert seed_summary.middle([*good, *bad]) is bad[1]
    stopped = Run(False, 0.1, 1.0, "interrupted")
    assert seed_summary.middle([*good, stopped]) is stopped
    spread = seed_summary.spread([*good, bad[0]])
    assert spread["certified"] == 2 and spread["seconds"][1] == 0.3
    lost = seed_summary.spread([Run(False, 1.0, float("nan")), *bad])
    assert lost["ratio"][1] == 1e-2
    assert seed_summary.spread([Run(False, 1.0, np.inf)] * 3)["ratio"] == [None] * 3


def test_a_number_of_seeds_below_one_is_refused():
    for wrong in (0, -1, 2.5):
        with pytest.raises(bn.Misuse, match="an integer >= 1"):
            bn.race(case.problem(), ["sgd"], seeds=wrong)

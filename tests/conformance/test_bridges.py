"""Peers run here are judged by the same check as our own methods."""

import importlib.util

import numpy as np
import pytest
from beds import BEDS
from listing import BRIDGES, INDEX
from listing import built as built_or_refused

import banach as bn
from banach import catalogue
from banach.core import compat
from banach.core.method import Refusal

PEER = {"optax": "optax", "optimistix": "optimistix", "scipy": "scipy",
        "sklearn": "sklearn"}  # fmt: skip
LOGISTIC = BEDS["logistic"]


def variants(name, problem):
    if importlib.util.find_spec(PEER.get(name, name)) is None:
        pytest.skip(f"{name} is not installed")
    with compat.double():
        return catalogue.load_method(name).variants(problem, problem.facts())


@pytest.mark.parametrize("name", BRIDGES)
def test_the_first_variant_is_judged_by_our_check(name):
    problem = LOGISTIC.problem
    first = variants(name, problem)[0]
    r = bn.solve(problem, f"{name}:{first}", tol=1e-6, max_steps=300, time_limit=60)
    assert r.label.startswith(f"{name}:") and r.method.card.family == "bridge"
    assert r.status in ("certified", "budget", "stalled")
    assert r.certificate.quantity == "f(x)-f*" and r.x.dtype == np.float64
    gap = LOGISTIC.error(r.x)
    assert -1e-12 < gap <= float(r.certificate.value) + float(r.certificate.slack)
    assert gap < 0.1 * LOGISTIC.error(np.zeros(5))
    # A peer that does not tell its calls has none to show, rather than zeros.
    assert r.steps > 0 and all(v > 0 for v in r.calls.values())


@pytest.mark.parametrize("name", BRIDGES)
def test_an_unknown_algorithm_is_refused(name):
    variants(name, LOGISTIC.problem)
    with pytest.raises(bn.Misuse, match="no_such_algorithm"):
        bn.solve(LOGISTIC.problem, f"{name}:no_such_algorithm")


@pytest.mark.parametrize("name", [n for n in BRIDGES if INDEX[n]["host"]])
def test_a_peer_cannot_be_resumed_and_says_why(name, tmp_path):
    first = variants(name, LOGISTIC.problem)[0]
    spec = LOGISTIC.spec
    r = bn.solve(spec, f"{name}:{first}", max_steps=3, tol=1e-12)
    with pytest.raises(bn.Misuse, match=r"runs on the host.*start=result"):
        r.save(tmp_path / "run.json", checkpoint=True)
    r.save(tmp_path / "run.json")
    assert bn.verify(tmp_path / "run.json", trust=True).point_matches


@pytest.mark.parametrize("name", BRIDGES)
def test_terms_are_solved_or_refused_and_never_ignored(name):
    problem = BEDS["lasso"].problem
    for variant in variants(name, problem):
        asked = f"{name}:{variant}"
        built = built_or_refused(asked, problem)
        if isinstance(built, Refusal):
            assert "term" in built.cure or "prox" in built.cure
            continue
        r = bn.solve(problem, built, tol=1e-5, max_steps=2000)
        gap = BEDS["lasso"].error(r.x)
        assert -1e-9 < gap <= float(r.certificate.value) + float(r.certificate.slack)

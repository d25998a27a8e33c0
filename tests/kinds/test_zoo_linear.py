"""The linear systems of the zoo: facts, and what the defaults make of them."""

import numpy as np
import pytest

import banach as bn
from banach.kinds.linear import zoo


def test_every_name_is_listed_and_definite():
    rows = zoo.names()
    assert {r["name"] for r in rows} == {
        "linear:poisson64",
        "linear:poisson128",
        "linear:digits",
    }
    for row in rows:
        p = zoo.load(row["name"])
        assert p.kind == row["kind"] == "Linear" and row["title"]
        assert p.facts().provenance("positive_definite") == "by construction"


@pytest.mark.parametrize("name", ["linear:poisson64", "linear:digits"])
def test_the_default_solves_it(name):
    r = bn.solve(name).require()
    p = r.problem
    left = np.asarray(p.residual(r.x))
    assert np.linalg.norm(left) <= 1e-6 * np.linalg.norm(p.b)
    assert r.steps <= (20 if "poisson" in name else 200)

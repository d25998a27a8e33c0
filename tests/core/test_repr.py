"""The repr of a problem: one short line, of every kind, traced or broken."""

import re

import equinox as eqx
import jax
import numpy as np
import pytest

import banach as bn
from banach import zoo
from banach.core.problem_text import LONGEST
from banach.kinds.glm import inputs, models

KINDS = {row["name"].partition(":")[0]: row["name"] for row in reversed(zoo.names())}
A = np.arange(12.0).reshape(4, 3) ** 0.5
Y = np.array([0, 1, 1, 0])
MODELS = {
    "Lasso": (A, A[:, 0], 10.0),
    "Ridge": (A, A[:, 0], 2.0),
    "ElasticNetRegression": (A, A[:, 0], 1.0, 2.0),
    "LogisticRegression": (A, Y),
    "SparseLogisticRegression": (A, Y, 1.0),
    "SoftmaxRegression": (A, np.array([0, 1, 2, 0])),
    "PoissonRegression": (A, Y),
    "HuberRegression": (A, A[:, 0]),
    "SquaredHingeClassifier": (A, Y),
    "GroupLasso": (A, A[:, 0], 1.0, [0, 0, 1]),
    "SparseGroupLasso": (A, A[:, 0], 1.0, 1.0, [0, 0, 1]),
    "FusedLasso": (A, A[:, 0], 1.0, 2.0),
    "SlopeRegression": (A, A[:, 0], [3.0, 2.0, 1.0]),
    "ScadRegression": (A, A[:, 0], 1.0),
    "McpRegression": (A, A[:, 0], 1.0),
    "NonnegativeLeastSquares": (A, A[:, 0]),
    "BoxLeastSquares": (A, A[:, 0], 0.0, 1.0),
    "SimplexLeastSquares": (A, A[:, 0]),
}


def plain(text):
    """A line that a reader takes in: short, with a name and a size."""
    assert "\n" not in text and len(text) < LONGEST + 60
    assert re.fullmatch(r"\w+\(.*\)", text)
    assert re.search(r"\d+ (unknowns|x \d+|residuals)", text), text
    return True


@pytest.mark.parametrize("name", KINDS.values())
def test_every_kind_is_one_line(name):
    with jax.enable_x64(True):
        problem = zoo.load(name)
    assert plain(repr(problem)) and repr(problem) == str(problem)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_its_usual_name(name):
    problem = getattr(bn, name)(*MODELS[name])
    assert repr(problem).startswith(f"{name}(") and plain(repr(problem))
    pair = type(problem.loss).__name__, type(problem.term).__name__
    assert inputs.USUAL[pair] == name


def test_the_names_are_those_of_all_models():
    public = {k for k, v in vars(models).items() if hasattr(v, "stack")}
    assert set(inputs.USUAL.values()) == public - {"GLM"} == set(MODELS)


def test_weights_of_terms_are_told():
    assert "L1(lam=10)" in repr(bn.Lasso(A, A[:, 0], 10.0))
    both = bn.Composite(bn.Smooth(lambda x: (x**2).sum(), np.ones(3)), bn.L1(2.0))
    assert repr(both) == "Composite(minimise <lambda>(x) + L1(x), 3 unknowns)"


def test_traced_problems_have_a_repr_too():
    seen = []

    @jax.jit
    def look(problem):
        seen.append(repr(problem))
        return problem.objective(np.zeros(3))

    look(bn.Lasso(A, A[:, 0], 10.0))
    jax.vmap(lambda p: look.__wrapped__(p), in_axes=(0,))(
        jax.tree.map(lambda v: np.stack([v, v]), bn.Ridge(A, A[:, 0], 2.0))
    )
    assert len(seen) == 2 and all(map(plain, seen))
    assert seen[0].startswith("Lasso(") and seen[1].startswith("Ridge(")


def test_a_problem_without_its_fields_has_a_repr():
    assert repr(object.__new__(bn.GLM)) == "GLM()"
    broken = eqx.tree_at(lambda p: p.A, bn.Lasso(A, A[:, 0], 1.0), None)
    assert repr(broken).startswith("Lasso(")


def test_a_long_formula_is_cut():
    def f(x):
        return (x**2).sum()

    f.__name__ = "loss_" * 80 + "\nend"
    text = repr(bn.Smooth(f, np.ones(3)))
    assert "..." in text and text.endswith("; 3 unknowns)") and plain(text)

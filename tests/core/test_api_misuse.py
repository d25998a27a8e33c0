"""Bad input: one clear error each, which names what was given and the cure."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import A, B, ridge

import banach as bn
from banach.core.problem import Misuse
from banach.methods.composite.fista import Fista
from banach.methods.smooth.lazy_newton import LazyNewton
from banach.methods.smooth.lbfgs import Lbfgs

LBFGS = Lbfgs(memory=5)
LABELS = np.where(B > 0, 1, -1)


def square(x):
    return jnp.sum(x**2)


def solve(**options):
    return bn.solve(ridge(), LBFGS, **options)


def nan_at(a, *index):
    a = a.copy()
    a[index] = np.nan
    return a


PROBLEMS = {
    "start with None": (lambda: bn.Smooth(square, [1, None]), "x0 must hold real"),
    "complex start": (lambda: bn.Smooth(square, np.ones(2) * 1j), "x0 must.*complex"),
    "empty start": (lambda: bn.Smooth(square, np.zeros(0)), "x0 has no entries"),
    "text start": (lambda: bn.Smooth(square, "abc"), "x0 must hold real numbers"),
    "NaN start": (lambda: bn.Smooth(square, [1.0, np.nan]), "x0 holds NaN"),
    "no function": (lambda: bn.Smooth(3.0, [1.0]), "must be a function.*got float"),
    "args": (lambda: bn.Smooth(square, [1.0], B), r"args=\(data,\)"),
    "vector value": (lambda: bn.Smooth(lambda x: x, [1.0, 2.0]), "scalar"),
    "negative L": (lambda: bn.Smooth(square, [1.0], L=-1.0), "L must be positive"),
    "no term": (lambda: bn.Composite(square, 0.1, [1.0]), r"bn\.L1\(0\.1\)"),
    "GLM shapes": (lambda: bn.Lasso(A, B[:5], 0.1), r"y has shape \(5,\).*12 rows"),
    "GLM vector": (lambda: bn.Lasso(B, B, 0.1), "A must be 2-D"),
    "GLM empty": (lambda: bn.Lasso(A[:0], B[:0], 0.1), "A is empty"),
    "GLM NaN data": (lambda: bn.Lasso(nan_at(A, 2, 1), B, 1.0), r"A.*NaN.*\[2, 1\]"),
    "GLM NaN target": (lambda: bn.Lasso(A, nan_at(B, 4), 1.0), r"y.*NaN.*\[4\]"),
    "labels": (lambda: bn.LogisticRegression(A, np.arange(12)), "two classes.*recode"),
    "counts": (lambda: bn.PoissonRegression(A, B), "counts y >= 0"),
    "weights": (lambda: bn.Ridge(A, B, sample_weight=-B * B), "negative entry"),
    "no root": (lambda: bn.Root(square, np.ones(3)), "(?i)root|shape|structure|many"),
}


@pytest.mark.parametrize("case", PROBLEMS, ids=[c.replace(" ", "_") for c in PROBLEMS])
def test_a_problem_is_refused_when_it_is_stated(case):
    state, words = PROBLEMS[case]
    with pytest.raises(Misuse, match=words):
        state()


CALLS = {
    "tol": (dict(tol=0.0), "tol must be positive and finite, got 0.0"),
    "tol NaN": (dict(tol=float("nan")), "tol must be positive"),
    "max_steps": (dict(max_steps=-1), "max_steps must be an integer >= 0, got -1"),
    "float steps": (dict(max_steps=1.5), "max_steps must be an integer"),
    "time_limit": (dict(time_limit=0), "time_limit must be positive"),
    "rows": (dict(rows=7), "rows must be an even integer"),
    "start shape": (dict(start=np.ones(4)), r"shape \(4,\).*\(5,\)"),
    "start kind": (dict(start=np.ones(5, int)), r"start\.astype\(float\)"),
    "start tree": (
        dict(start={"a": np.ones(5)}),
        r"start has structure.*array of shape \(5,\)",
    ),
    "start NaN": (dict(start=np.full(5, np.nan)), "start contains NaN"),
    "no check": (dict(check="gapp"), "gapp.*(checks are|mean)"),
    "check class": (dict(check=3), "check must be a name or a Check, got int"),
    "other check": (dict(check="frank_wolfe"), "frank_wolfe needs.*stationarity"),
    "host check": (dict(check="enclosure"), "bn.verify"),
    "resume": (dict(resume="/nowhere/run.json"), "no file /nowhere/run.json"),
}


@pytest.mark.parametrize("case", CALLS, ids=[c.replace(" ", "_") for c in CALLS])
def test_a_call_is_refused_before_anything_runs(case):
    options, words = CALLS[case]
    with pytest.raises((Misuse, ValueError), match=words):
        solve(**options)


def test_an_unknown_option_is_an_error_and_never_ignored():
    with pytest.raises(Misuse, match="no argument 'max_iter': use max_steps="):
        solve(max_iter=5)
    with pytest.raises(Misuse, match=r"no argument 'bounds'.*bn\.Constrained"):
        solve(bounds=[(0, 1)] * 2)
    with pytest.raises(Misuse, match="no hyperparameter 'learning_rate'"):
        Lbfgs(memory=5, learning_rate=0.1)


def test_methods_that_do_not_exist_or_apply():
    with pytest.raises(Misuse, match=r"'lbfsg'.*Did you mean lbfgs"):
        bn.solve(ridge(), "lbfsg")
    with pytest.raises(Misuse, match="Did you mean gradient_descent"):
        bn.solve(ridge(), "GradientDescend")
    bare = bn.Smooth(square, np.ones(3))
    with pytest.raises(Misuse, match=r"fista needs the oracle prox.*bn\.Composite"):
        bn.solve(bare, Fista)
    with pytest.raises(Misuse, match="fista needs the oracle prox"):
        bn.solve(bare, Fista(1.0))
    with pytest.raises(Misuse, match="would ignore the term.*drop the term"):
        bn.solve(bn.Lasso(A, B, 0.1), LazyNewton)
    with pytest.raises(Misuse, match=r"assumes convex.*convex=True"):
        bn.solve(bare, "accelerated_gradient")
    with pytest.raises(Misuse, match="declare L"):
        bn.solve(bn.Smooth(square, np.ones(3), convex=True), "accelerated_gradient")
    with pytest.raises(Misuse, match="int is not a banach method"):
        bn.solve(ridge(), int)
    with pytest.raises(Misuse, match="a name, a Method or a Method class, got int"):
        bn.solve(ridge(), 3)


def test_problems_that_do_not_exist():
    with pytest.raises(Misuse, match="Did you mean lasso:diabetes"):
        bn.solve("laso:diabetes")
    with pytest.raises(Misuse, match=r"bn\.minimize\(f, x0\)"):
        bn.solve(square)
    with pytest.raises(Misuse, match="no file missing.py"):
        bn.solve("missing.py:problem")
    with pytest.raises(Misuse, match=r"name the object too: missing\.py:problem"):
        bn.solve("missing.py")


def test_a_problem_file_that_fails_to_import(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import nothing_of_this_name\n")
    with pytest.raises(Misuse, match=r"failed to import: ModuleNotFoundError"):
        bn.solve(f"{file}:problem")
    file.write_text("def oops(:\n")
    with pytest.raises(Misuse, match=r"failed to import: SyntaxError"):
        bn.solve(f"{file}:problem")
    file.write_text("problem = 3\n")
    with pytest.raises(Misuse, match="is a int, not a problem"):
        bn.solve(f"{file}:problem")
    with pytest.raises(Misuse, match="no object 'nope'; it offers no problem"):
        bn.solve(f"{file}:nope")
    file.write_text("def problem():\n    raise RuntimeError('inside')\n")
    with pytest.raises(Misuse, match=r"problem\(\) failed: RuntimeError: inside"):
        bn.solve(f"{file}:problem")


def test_verify_and_sensitivity():
    r = solve(tol=1e-9)
    with pytest.raises(Misuse, match=r"verify\(problem, x\) needs the point"):
        bn.verify(ridge())
    with pytest.raises(Misuse, match=r"shape \(3,\)"):
        bn.verify(ridge(), np.ones(3))
    with pytest.raises(Misuse, match=r"cotangent has a leaf of shape \(2,\)"):
        bn.sensitivity(r, np.ones(2))
    got = bn.sensitivity(r, np.ones(5))
    assert got.residual < 1e-10 and got.condition == pytest.approx(
        np.linalg.cond(A.T @ A + 0.5 * np.eye(5)), rel=1e-8
    )


def test_a_name_that_the_package_lacks():
    with pytest.raises(AttributeError, match="has no attribute 'Lassoo'"):
        bn.Lassoo


def test_every_message_ends_with_advice():
    """What to do is part of each message: an imperative after the description."""
    cure = re.compile(
        r"pass|declare|use|state|write|give|drop|recode|reshape|cast|see|e\.g\.|start "
        r"at|encode|impute|instead|must|did you mean",
        re.IGNORECASE,
    )
    for state, _ in PROBLEMS.values():
        with pytest.raises(Misuse) as caught:
            state()
        assert cure.search(str(caught.value)), str(caught.value)


def _summed(b):
    return jnp.sum((jnp.arange(2.0) - b) ** 2)


@pytest.mark.parametrize(
    "door",
    [
        lambda b: bn.solve(bn.Ridge(np.eye(2), b, 1.0)).x,
        lambda b: list(bn.iterate(bn.Ridge(np.eye(2), b, 1.0)))[-1].x,
        lambda b: bn.minimize(lambda x: _summed(x * b), np.zeros(2)).x,
        lambda b: bn.solve_many([bn.Ridge(np.eye(2), b, 1.0)]).x,
        lambda b: bn.verify(bn.Ridge(np.eye(2), np.ones(2), 1.0), b).tol,
        lambda b: bn.solve(bn.Ridge(np.eye(2), np.ones(2), 1.0), tol=b[0]).x,
        lambda b: bn.race(bn.Ridge(np.eye(2), b, 1.0), ["lbfgs"]).best.x,
    ],
)
@pytest.mark.parametrize(
    "inside", [jax.jit, jax.vmap, lambda f: jax.grad(lambda b: jnp.sum(f(b)))]
)
def test_inside_a_traced_function_the_pure_door_is_named(door, inside):
    b = jnp.ones((1, 2)) if inside is jax.vmap else jnp.ones(2)
    with pytest.raises(Misuse, match=r"^bn\.\w+ works on values.*bn\.run\(problem, m"):
        inside(door)(b)


def test_inside_a_traced_function_an_answer_is_not_differentiated():
    result = bn.solve(bn.Ridge(np.eye(2), np.ones(2), 1.0))
    with pytest.raises(Misuse, match=r"bn\.sensitivity works on values"):
        jax.jit(lambda c: bn.sensitivity(result, c).gradient.y)(jnp.ones(2))

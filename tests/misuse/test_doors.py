"""Calls whose arguments do not fit: the nearest argument, or the other library's name.

Results and races are doors too: what is asked of them is read before it is done.
"""

import copy
import pickle

import jax
import numpy as np
import pytest
from table import ROWS
from values import ODD, X, Y, square

import banach as bn
from banach.engine import compile_cache

START = np.zeros(2)
SAYS = [
    (lambda: bn.minimize(square, START, bounds=[(0, 1)]), "each of the 2"),
    (lambda: bn.minimize(square, START, maxiter=5), "use max_steps="),
    (lambda: bn.minimize(square, START, jac=True), "JAX differentiates"),
    (lambda: bn.minimize(square, START, method="BFGS"), "mean bfgs or scipy:BFGS "),
    (lambda: bn.minimize(square, START, method="adam"), "mean optax:adam?"),
    (lambda: bn.minimize(square, START, options={"gtol": 1e-8}), "use tol="),
    (lambda: bn.minimize(square, START, constraints=3), "bn.Constrained"),
    (lambda: bn.minimize(square, START, callback=print), "progress="),
    (lambda: bn.minimize(square), "needs x0"),
    (lambda: bn.L1(weight=2.0), "L1 has no argument 'weight': it takes lam"),
    (lambda: bn.Box(3.0), "Box needs upper"),
    (lambda: bn.Nonnegative(0.0), "takes no argument by place, got 1"),
    (lambda: bn.L2Ball(1.0, radius=2.0), "by place and by name"),
    (lambda: bn.HuberLoss(detla=1.0), "did you mean delta="),
    (lambda: bn.Goal(), "Goal needs target"),
    (lambda: bn.Absolute(), "Absolute needs tol"),
    (lambda: bn.Transport(np.ones((2, 2)), START), "needs b, eps"),
    (lambda: bn.run(bn.Ridge(X, Y), bn.Lbfgs()), "needs check: .*check="),
    (lambda: bn.minimize(lambda x: [square(x)], START), "inside a container"),
    (lambda: bn.saddle(lambda x, y: {"v": x @ y}, START, START), "a container"),
    (lambda: bn.minimize(square, START, (), "lbfgs", 1), "by place"),
    (lambda: bn.minimize(square, START, fun=square), "by place and by name"),
    (lambda: bn.solve(bn.Ridge(X, Y), max_step=3), "did you mean max_steps="),
    (lambda: bn.solve(bn.Ridge(X, Y), metod="lbfgs"), "did you mean method="),
    (lambda: bn.solve(bn.Ridge(X, Y), zzzz=1), "it takes check, checkpoint"),
    (lambda: bn.solve(), "needs problem"),
    (lambda: bn.solve("laso:diabetes"), "Did you mean lasso:diabetes"),
    (lambda: bn.race(bn.Ridge(X, Y), ["lbfgs"], maxiter=3), "use max_steps="),
    (lambda: bn.race(bn.Ridge(X, Y), ["lbfgs", "lbfgz"]), "Did you mean lbfgs"),
    (lambda: bn.verify(bn.Ridge(X, Y), START, problem=bn.Ridge(X, Y)), "drop problem="),
    (lambda: bn.Lasso(X, Y, alpha=0.1), "lam / n"),
    (lambda: bn.LogisticRegression(X, Y, C=3.0), "1 / C"),
    (lambda: bn.Ridge(X, Y, fit_intercept=True), "use intercept="),
    (lambda: bn.Ridge(X, Y, sample_wieght=Y), "did you mean sample_weight="),
    (lambda: bn.Lasso(X, Y), "needs lam"),
    (lambda: bn.poisson_grid(3, 4), "takes 1 arguments"),
    (lambda: bn.iterate(bn.Ridge(X, Y), tolerance=1), "use tol="),
    (lambda: bn.solve(bn.Ridge(X, Y), digits=6, tol=1e-3), "drop tol="),
    (lambda: bn.solve(bn.Ridge(X, Y), digits=6, check="gap"), "bounds the distance"),
    (lambda: bn.solve(bn.Ridge(X, Y), digits=16), "float64 holds 15 digits"),
    (lambda: bn.solve(bn.Lasso(X, Y, 0.1), digits=6), "strong convexity"),
    (lambda: bn.uncertainty(bn.Ridge(X, Y)), "takes a Result of bn.solve"),
    (lambda: bn.uncertainty(None, alpha=0.05), "use level="),
    (lambda: bn.uncertainty(None, cov_type="HC3"), "use kind="),
    (lambda: bn.uncertainty(None, levl=0.9), "did you mean level="),
]


@pytest.mark.parametrize(("call", "says"), SAYS)
def test_what_does_not_fit_names_the_cure(call, says, monkeypatch):
    monkeypatch.setattr(compile_cache, "kernel_for", None)
    with pytest.raises(bn.Misuse, match=says.replace("(", r"\(").replace("?", r"\?")):
        call()


def test_doors_keep_their_signature_and_their_words():
    assert bn.solve.__name__ == "solve" and "certificate" in bn.solve.__doc__
    for name in ("solve", "race", "verify", "Lasso", "poisson_grid"):
        make, right, _ = ROWS[name]
        with pytest.raises(bn.Misuse, match=f"{name} has no argument 'nosuch'"):
            make(**right, nosuch=1)


@pytest.fixture(scope="module")
def answer():
    with jax.enable_x64(True):
        return bn.solve(bn.Ridge(X, Y))


def test_what_is_asked_of_a_result_is_read_first(answer, tmp_path):
    wrong = []
    for path in (3, None, 1.5, ODD, [1], True, "", "a\0b.json", "x.txt", tmp_path,
                 tmp_path / "no" / "x.json", b"x.json"):  # fmt: skip
        wrong += refused(f"save({path!r})", lambda p=path: answer.save(p))
    for axis in (3, None, ODD, "nosuch", ["step"]):
        wrong += refused(f"plot({axis!r})", lambda a=axis: answer.plot(against=a))
    for axes in (3, "ax", [1.0]):
        wrong += refused(f"plot(ax={axes!r})", lambda a=axes: answer.plot(ax=a))
    for name in ("nosuch", "x", "certified"):
        wrong += refused(f"replaced({name})", lambda n=name: answer.replaced(**{n: 1}))
    for cotangent in (3, None, "a", ODD, np.ones(3), 1j * np.ones(2), [1.0]):
        wrong += refused(
            f"sensitivity({cotangent!r})",
            lambda c=cotangent: bn.sensitivity(answer, c),
        )
    assert not wrong, "\n".join(wrong)
    assert not list(tmp_path.iterdir())


def refused(what, call):
    """[] where the call is one Misuse, else what it was."""
    try:
        call()
    except bn.Misuse as e:
        return [] if len(str(e)) > 15 else [f"{what}: {e}"]
    except BaseException as e:
        return [f"{what}: {type(e).__name__}: {str(e)[:90]}"]
    return [f"{what}: taken"]


def test_the_names_of_banach_are_what_users_call():
    names = set(dir(bn))
    assert {"Fista", "Lbfgs", "Gap", "Lasso", "methods", "solve", "race"} <= names
    # Modules, types that are returned, terms and parts are found elsewhere.
    other = {"importlib", "core", "np", "jax", "_listed", "Result", "L1", "Jacobi"}
    assert not other & names and not any(name.startswith("_") for name in names)
    assert {"L1", "Box"} <= set(dir(bn.terms)) and "Jacobi" in dir(bn.parts)
    for name in names | set(dir(bn.terms)) | set(dir(bn.parts)):
        assert getattr(bn, name) is not None


def test_an_instance_of_a_constructor_that_is_a_door_copies():
    term = bn.Box(np.array([-1.0, 2.0]), 7.0)
    for again in (pickle.loads(pickle.dumps(term)), copy.deepcopy(term)):
        assert type(again) is bn.Box
        np.testing.assert_array_equal(again.project(np.array([9.0, 0.0])), [7.0, 2.0])
    with pytest.raises(TypeError, match="abstract"):
        bn.Check()

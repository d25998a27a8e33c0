"""Arguments as SciPy's users write them: the same answer as SciPy's, or the cure."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, sparse

import banach as bn
from banach.core.problem import Misuse

X0 = np.array([-1.2, 1.0])


def rosen(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def slope(x):
    """The gradient by hand, in NumPy."""
    a = x[1] - x[0] ** 2
    return np.array([-400 * a * x[0] - 2 * (1 - x[0]), 200 * a])


def bend(x):
    return np.array(
        [[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200]]
    )


PAIRS = [(-2, 0.5), (None, 2)]
BOUNDS = optimize.Bounds([-2, -np.inf], [0.5, 2])
DISK = {"type": "ineq", "fun": lambda x: 1 - x @ x}
LINE = {"type": "eq", "fun": lambda x, a: x[0] + a * x[1] - 1, "args": (2.0,)}
CASES = {
    "pairs": {"bounds": PAIRS},
    "Bounds": {"bounds": BOUNDS},
    "disk": {"constraints": DISK},
    "line": {"constraints": [LINE]},
    "both": {"constraints": (DISK, LINE), "bounds": [(None, 0.2), (None, None)]},
    "matrix": {"constraints": optimize.LinearConstraint([[1, 2], [1, -1]], [1, -9],
                                                        [1, -0.5])},
    "one row": {"constraints": [optimize.LinearConstraint([1, 2], -np.inf, 0.5)]},
    "function": {"constraints": optimize.NonlinearConstraint(
        lambda x: jnp.stack([x @ x, x[0] * x[1]]), [0.25, 0.1], [0.5, 0.1])},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bounds_and_constraints_mean_what_they_mean_in_scipy(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optimize.OptimizeWarning)
        theirs = optimize.minimize(
            lambda x: float(rosen(x)), X0, jac=slope, method="SLSQP", tol=1e-12,
            **CASES[case],
        )  # fmt: skip
    ours = bn.minimize(rosen, X0, method="scipy:SLSQP", tol=1e-8, **CASES[case])
    assert ours.require().certificate.quantity == "KKT residual"
    np.testing.assert_allclose(ours.x, theirs.x, atol=2e-5)


def test_bounds_have_the_shape_of_x0_and_a_default_method():
    f = lambda x: jnp.sum((x - 2) ** 2)  # noqa: E731
    pairs = [(0, 1), (0, None), (None, None), (3, 4)]
    r = bn.minimize(f, np.ones((2, 2)), bounds=pairs).require()
    np.testing.assert_allclose(r.x, [[1, 2], [2, 3]], atol=1e-5)
    r = bn.minimize(lambda x: (x - 2) ** 2, 0.0, bounds=[(0, 1)]).require()
    np.testing.assert_allclose(r.x, 1, atol=1e-5)


def test_derivatives_of_ones_own_are_compared_and_may_be_there():
    f, tilt = (lambda x, a: rosen(x) + a @ x), np.array([0.1, -0.2])
    given = {
        "jac": lambda x, a: slope(x) + a,
        "hess": lambda x, a: bend(x),
        "hessp": lambda x, v, a: bend(x) @ v,
    }
    r = bn.minimize(f, X0, (tilt,), "lbfgs", **given).require()
    np.testing.assert_allclose(slope(r.x) + tilt, 0, atol=1e-4)
    both = lambda x: (rosen(x), jax.grad(rosen)(x))  # noqa: E731
    r = bn.minimize(both, X0, method="lbfgs", jac=True).require()
    np.testing.assert_allclose(r.x, 1, atol=1e-4)
    assert r.problem.fun.narrow.program.out_tree == jax.tree.structure(0.0)


WRONG = {
    "jac": ({"jac": lambda x: slope(x) * [1, 1.001]}, r"entry 1 is -88\.088, by JAX"),
    "hess": ({"hess": lambda x: bend(x).T * [[1, 1], [2, 1]]}, "entry 2 is 960"),
    "hessp": ({"hessp": lambda x, v: v}, "not the derivative"),
    "NaN": ({"jac": lambda x: slope(x) * np.nan}, "entry 0 is nan"),
    "shape": ({"jac": lambda x: slope(x)[:1]}, "1 numbers at x0, where 2"),
    "raises": ({"jac": lambda x, y: x}, "jac fails at x0.*JAX differentiates"),
    "word": ({"jac": "2-point"}, "got '2-point'.*not by differences"),
    "no pair": ({"jac": True}, r"returns \(value, gradient\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_derivatives_that_differ_are_found_out(case):
    given, words = WRONG[case]
    with pytest.raises(Misuse, match=words):
        bn.minimize(rosen, X0, **given)


REFUSED = {
    "too few pairs": ({"bounds": [(0, 1)]}, "one pair .* each of the 2 entries"),
    "no pairs": ({"bounds": 3.0}, "one pair"),
    "sides": ({"bounds": ([0, 0], [1, 1], [2, 2])}, "one pair"),
    "two arrays": ({"bounds": (np.zeros(2), np.ones(2))}, r"Bounds\(lower, upper\)"),
    "crossed": ({"bounds": [(1, 0), (0, 1)]}, "lower|exceed"),
    "NaN": ({"bounds": [(0, np.nan), (0, 1)]}, "NaN"),
    "feasible": (
        {"bounds": optimize.Bounds([0, 0], [1, 1], keep_feasible=True)},
        "keep_feasible",
    ),
    "type": ({"constraints": {"type": "le", "fun": rosen}}, "'eq' or 'ineq'"),
    "no function": ({"constraints": {"type": "eq"}}, "'eq' or 'ineq'"),
    "typo": ({"constraints": {"type": "eq", "func": 1, "fun": rosen}}, "'eq' or"),
    "number": ({"constraints": [3.0]}, r"bn\.Constrained"),
    "function": ({"constraints": rosen}, r"bn\.Constrained"),
    "empty": (
        {"constraints": optimize.LinearConstraint(np.eye(2), 1, 0)},
        "lb > ub",
    ),
    "callback": ({"callback": print}, "progress="),
    "maxiter": ({"maxiter": 3}, "max_steps="),
    "option": ({"options": {"gtol": 1e-3}}, r"check='stationarity'"),
    "own option": ({"options": {"maxcor": 3}}, r"bn\.Scipy\('L-BFGS-B'"),
    "noisy": ({"options": {"disp": True}}, "progress="),
    "twice": ({"options": {"maxiter": 3}, "max_steps": 3}, "once"),
    "no options": ({"options": 3}, "dict"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_names_the_cure(case):
    given, words = REFUSED[case]
    with pytest.raises(Misuse, match=words):
        bn.minimize(rosen, X0, **given)


def test_pytrees_have_bounds_of_their_own():
    with pytest.raises(Misuse, match=r"bn\.Constrained\(f, x0, lower="):
        bn.minimize(lambda p: p["a"] ** 2, {"a": 1.0}, bounds=[(0, 1)])
    with pytest.raises(Misuse, match=r"bn\.solve\(problem, start=x0\)"):
        bn.minimize(bn.Smooth(rosen, X0), X0)


def test_options_of_scipy_are_read():
    r = bn.minimize(rosen, X0, (), "lbfgs", options={"maxiter": 3, "disp": False})
    assert r.steps == 3 and r.status == "budget"


SCIPY = {
    "bounds": r"bn\.least_squares\(residual, x0\)\.value",
    "method": r"bn\.solve\(problem, method=",
    "tol": r"bn\.solve\(problem, tol=",
    "max_nfev": "max_steps=.*argument of bn.solve",
    "loss": r"bn\.minimize",
    "x_scale": "scale x",
    "jac": "JAX differentiates",
    "verbose": "progress=",
}


@pytest.mark.parametrize("name", SCIPY)
def test_least_squares_names_what_takes_its_arguments(name):
    with pytest.raises(Misuse, match=SCIPY[name]):
        bn.least_squares(lambda x: x - 1, X0, **{name: None})


def test_least_squares_in_a_box_as_its_cure_says():
    problem = bn.least_squares(lambda x: jnp.stack([x[0] - 3, 2 * x[1] + x[0]]), X0)
    boxed = bn.Constrained(problem.value, X0, lower=0.0, upper=1.0)
    theirs = optimize.least_squares(
        lambda x: [x[0] - 3, 2 * x[1] + x[0]], [0.5, 0.5], bounds=(0, 1)
    )
    np.testing.assert_allclose(bn.solve(boxed).require().x, theirs.x, atol=1e-5)
    for jac in ("2-point", slope):
        with pytest.raises(Misuse, match="leave out jac=: JAX differentiates"):
            bn.least_squares(lambda x: x - 1, X0, jac)
    with pytest.raises(AttributeError, match=r"bn\.solve\(problem\).*\.x"):
        problem.x


def test_models_name_what_takes_the_words_of_scikit_learn():
    A, y = np.eye(3), np.ones(3)
    for given, words in [
        ({"alpha": 1.0}, "lam=, l1= or l2="),
        ({"fit_intercept": True}, "use intercept="),
        ({"max_iter": 9}, "max_steps=.*argument of bn.solve"),
        ({"tol": 1e-3}, r"bn\.solve\(problem, tol="),
        ({"l1_ratio": 0.5}, r"bn\.ElasticNetRegression"),
        ({"random_state": 0}, "seed=.*argument of bn.solve"),
    ]:
        with pytest.raises(Misuse, match=words):
            bn.Ridge(A, y, **given)
    with pytest.raises(AttributeError, match=r"bn\.solve\(problem\) fits it"):
        bn.Ridge(A, y).fit


def test_kinds_and_methods_name_what_takes_the_words_of_solvers():
    for state, words in [
        (lambda: bn.Root(lambda x: x, X0, jac=True), "JAX differentiates"),
        (lambda: bn.Smooth(rosen, X0, tol=1e-3), r"bn\.solve\(problem, tol="),
        (lambda: bn.Smooth(rosen, X0, bounds=PAIRS), r"bn\.Constrained"),
        (lambda: bn.Lbfgs(fun=rosen), r"bn\.minimize\(f, x0, method="),
        (lambda: bn.Lbfgs(maxiter=9), "max_steps="),
        (lambda: bn.ElasticNet(alpha=1.0, l1_ratio=0.5), r"bn\.ElasticNetRegression"),
        (lambda: bn.solve(bn.Smooth(rosen, X0), x0=X0), "start="),
    ]:
        with pytest.raises(Misuse, match=words):
            state()


def test_words_of_other_results_lead_to_ours():
    r = bn.minimize(lambda x: jnp.sum((x - 1) ** 2), np.zeros(2))
    for word, ours in {
        "success": "certified", "nit": "steps", "message": "reason", "params": "x",
        "fun": r"problem\.objective", "jac": r"problem\.grad", "coef_": "coef",
    }.items():  # fmt: skip
        with pytest.raises(AttributeError, match=rf"result\.{ours}"):
            getattr(r, word)
    np.testing.assert_allclose(r.problem.grad(r.x), 0, atol=1e-5)


def _square(x):
    return jnp.sum((x - 1) ** 2)


def _square_of(x):
    return float(np.sum((x - 1) ** 2))


@pytest.mark.parametrize(
    "own",
    [
        {"bounds": optimize.Bounds([0, 0, 0], [1, 1, 1])},
        {"bounds": optimize.Bounds(["a", "b"], [1, 1])},
        {"bounds": optimize.Bounds(np.zeros((3, 2)), 1)},
        {"constraints": optimize.NonlinearConstraint(lambda x: x, [0, 0, 0], 1)},
        {"constraints": optimize.NonlinearConstraint(lambda x: x @ x, "a", 1)},
        {"constraints": {"type": "ineq", "fun": lambda x: 1 - x @ x,
                         "jac": lambda x: 5 * x}},
    ],
)  # fmt: skip
def test_sides_that_fit_nothing_are_misuse(own):
    with pytest.raises(Misuse):
        bn.minimize(_square, np.full(2, 0.5), **own)


def test_sides_of_one_number_and_sparse_rows_are_taken():
    result = bn.minimize(lambda x: (x - 3) ** 2, 0.0, bounds=optimize.Bounds(0, 1))
    assert result.certified and abs(result.x - 1) < 1e-6
    rows = optimize.LinearConstraint(sparse.csr_array([[1.0, 1.0]]), 0, 1)
    result = bn.minimize(_square, np.zeros(2), constraints=rows)
    assert result.certified and np.allclose(result.x, 0.5, atol=1e-5)
    ball = {"type": "ineq", "fun": lambda x: 1 - x @ x, "jac": lambda x: -2 * x}
    result = bn.minimize(_square, np.full(2, 0.1), constraints=ball)
    assert result.certified and np.allclose(result.x, 0.5**0.5, atol=1e-4)


@pytest.mark.parametrize("args", [[0.25, 2], (0.25, 2), np.array([0.25, 2])])
def test_arguments_of_a_constraint_are_handed_on_one_by_one_as_scipy_does(args):
    line = {"type": "ineq", "fun": lambda x, a, b: a - b * x[0], "args": args}
    theirs = optimize.minimize(_square_of, np.zeros(2), constraints=line)
    result = bn.minimize(_square, np.zeros(2), constraints=line)
    for x in (theirs.x, result.x):
        assert np.allclose(x, [0.125, 1], atol=1e-3)


@pytest.mark.parametrize("args", [None, "ab", {"a": 1.0}])
def test_arguments_of_a_constraint_that_are_no_tuple_are_refused(args):
    line = {"type": "eq", "fun": lambda x, *a: x[0], "args": args}
    with pytest.raises(Misuse, match=r"'args': \(data,\)"):
        bn.minimize(_square, np.zeros(2), constraints=line)


def test_a_matrix_of_a_constraint_is_read_by_its_entries():
    A = sparse.csr_array([[1.0, 1.0]])
    A.indices[1] = 2
    rows = optimize.LinearConstraint(A, 0, 1)
    with pytest.raises(Misuse, match="constraints' A is no matrix"):
        bn.minimize(_square, np.zeros(2), constraints=rows)


def test_a_constraint_that_fails_is_told_by_its_kind():
    bad = {"type": "ineq", "fun": lambda x: x.nosuch, "jac": lambda x: x}
    with pytest.raises(Misuse, match="nosuch"):
        bn.minimize(_square, np.full(2, 0.5), constraints=bad)

"""What SciPy, optax, JAXopt and scikit-learn call it, and what it is called here.

Plain words that need no library: they are read only where a name is not known, and
tests hold them against the bridges. An algorithm of another library is named with its
library, "scipy:BFGS", "optax:adam".
"""

import difflib
import re
from collections.abc import Iterable

# Of each bridge, every algorithm as it is spelled there.
PEERS: dict[str, tuple[str, ...]] = {
    "scipy": (
        "Nelder-Mead", "Powell", "CG", "BFGS", "Newton-CG", "L-BFGS-B", "TNC", "COBYLA",
        "COBYQA", "SLSQP", "trust-constr", "dogleg", "trust-ncg", "trust-exact",
        "trust-krylov",
    ),
    "optax": (
        "adabelief", "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamaxw",
        "adamw", "adan", "amsgrad", "fromage", "lamb", "lars", "lbfgs", "lion",
        "nesterov", "noisy_sgd", "novograd", "optimistic_adam", "optimistic_adam_v2",
        "optimistic_gradient_descent", "radam", "rmsprop", "rprop", "sgd", "sign_sgd",
        "signum", "sm3", "yogi",
    ),
    "optimistix": (
        "BFGS", "DFP", "GradientDescent", "LBFGS", "NelderMead", "NonlinearCG",
    ),
    "sklearn": (
        "coordinate-descent", "newton-cholesky", "lbfgs", "cholesky", "sparse_cg",
    ),
}  # fmt: skip

# Of SciPy's least_squares and root, of JAXopt and scikit-learn: the nearest here.
_NEAREST = {
    "trf": "levenberg_marquardt", "dogbox": "levenberg_marquardt",
    "lm": "levenberg_marquardt", "leastsq": "levenberg_marquardt",
    "hybr": "powell_hybrid", "fsolve": "powell_hybrid", "broyden1": "broyden",
    "broyden2": "broyden", "diagbroyden": "broyden", "linearmixing": "picard",
    "excitingmixing": "anderson", "krylov": "newton_root", "dfsane": "broyden",
    "newtonkrylov": "newton_root", "andersonacceleration": "anderson",
    "fixedpointiteration": "picard", "projectedgradient": "proximal_gradient",
    "blockcoordinatedescent": "sklearn:coordinate-descent", "armijosgd": "sgd",
    "polyaksgd": "sgd", "optaxsolver": "optax:adam", "scipyminimize": "scipy:BFGS",
    "scipyboundedminimize": "scipy:L-BFGS-B", "newton": "lazy_newton",
    "steepestdescent": "gradient_descent", "ista": "proximal_gradient",
    "minres": "conjugate_gradient", "momentum": "accelerated_gradient",
    "gd": "gradient_descent", "cholesky": "sklearn:cholesky",
    **dict.fromkeys(("brentq", "brenth", "ridder", "bisect", "toms748", "secant",
                     "halley"), "newton_root"),
    "fminbfgs": "scipy:BFGS", "fmincg": "scipy:CG", "fmin": "scipy:Nelder-Mead",
    "fminlbfgsb": "scipy:L-BFGS-B",
}  # fmt: skip

_PROBLEMS = {
    "LeastSquares": "the loss is bn.SquaredLoss, a fit bn.least_squares(r, x0)",
    "Squared": "the loss is bn.SquaredLoss",
    "Logistic": "the loss is bn.LogisticLoss, the model bn.LogisticRegression",
    "Softmax": "the loss is bn.SoftmaxLoss, the model bn.SoftmaxRegression",
    "Poisson": "the loss is bn.PoissonLoss, the model bn.PoissonRegression",
    "Huber": "the loss is bn.HuberLoss, the model bn.HuberRegression",
    "SquaredHinge": "the loss is bn.SquaredHingeLoss",
    "poisson": "the grid is bn.poisson_grid(solid)",
    "adadagrad": "the method is bn.Adadagrad, for optax bn.adadagrad_transform",
    "root": "state bn.Root(F, x0) and solve that",
    "fsolve": "state bn.Root(F, x0) and solve that",
    "fixed_point": "state bn.FixedPoint and solve that",
    "curve_fit": (
        "state bn.least_squares(lambda p, t, y: model(t, *p) - y, p0, (t, y)) and "
        "solve that; pcov is bn.uncertainty(result).covariance"
    ),
    "leastsq": "state bn.least_squares(residual, x0) and solve that",
    "lsq_linear": "state bn.BoxLeastSquares(A, b, lower, upper) and solve that",
    "nnls": "state bn.NonnegativeLeastSquares(A, b) and solve that",
    "lstsq": "state bn.GLM(A, b, bn.SquaredLoss()) and solve that",
    "linprog": (
        "state bn.Constrained(lambda x: c @ x, x0, linear=(A, b), lower=0) and solve "
        "that"
    ),
    "root_scalar": "state bn.Root(F, x0), x0 one number, and solve that",
    "newton": "state bn.Root(F, x0) and solve that",
    "brentq": "state bn.Root(F, x0), x0 one number, and solve that",
    "minimize_scalar": "bn.minimize takes an x0 of one number",
    "optimize": "the doors are bn.minimize, bn.least_squares and bn.solve",
    "linear_model": "the models are bn.Ridge, bn.Lasso, bn.LogisticRegression, ...",
    "OptimizeResult": "bn.solve and bn.minimize give a bn.Result",
    "Bounds": "bn.minimize takes those of SciPy, and pairs (low, high)",
    "LinearConstraint": "bn.minimize takes those of SciPy",
    "NonlinearConstraint": "bn.minimize takes those of SciPy",
    "LinearRegression": (
        "state bn.GLM(A, y, bn.SquaredLoss(), intercept=True) and solve that"
    ),
    "LinearSVC": "state bn.SquaredHingeClassifier(A, y, l2) and solve that",
    "SGDClassifier": "state bn.LogisticRegression(A, y, l2) and solve that",
    "RidgeClassifier": "state bn.Ridge or bn.LogisticRegression and solve that",
    "PoissonRegressor": "state bn.PoissonRegression(A, y, l2) and solve that",
    "HuberRegressor": "state bn.HuberRegression(A, y, delta, l2) and solve that",
    "ProximalGradient": "state bn.Composite(f, term, x0) and solve that",
    "ProjectedGradient": "state bn.Composite(f, set, x0) and solve that",
    "BoxCDQP": "state bn.Constrained(f, x0, lower=l, upper=u) and solve that",
    "OSQP": "state bn.Constrained(f, x0, linear=(A, b), ineq=c) and solve that",
    "GaussNewton": "bn.solve(bn.least_squares(residual, x0), 'gauss_newton')",
    "ScipyMinimize": "bn.minimize(f, x0, method='scipy:BFGS')",
    "OptaxSolver": "bn.minimize(f, x0, method='optax:adam')",
}  # fmt: skip


def plain(name: str) -> str:
    """A name without its case and its signs: "L-BFGS-B" and "lbfgsb" are one."""
    return re.sub("[^a-z0-9]", "", name.lower())


def methods(name: str, here: Iterable[str]) -> list[str]:
    """How methods of this name, or nearly, are spelled here; the best come first.

    Args:
        name: what somebody wrote.
        here: the names of all methods.
    """
    bare = plain(name)
    found = [own for own in here if plain(own) == bare]
    found += [
        f"{peer}:{own}"
        for peer, names in PEERS.items()
        for own in names
        if plain(own) == bare
    ]
    if bare in _NEAREST and _NEAREST[bare] not in found:
        found.append(_NEAREST[bare])
    if found:
        return found[:4]
    near = _near(bare, {plain(own): own for own in here}, 0.6)
    theirs = {plain(own): f"{peer}:{own}" for peer, names in PEERS.items()
              for own in names}  # fmt: skip
    return near or _near(bare, theirs, 0.75)


def _near(bare: str, known: dict[str, str], cutoff: float) -> list[str]:
    return [known[k] for k in difflib.get_close_matches(bare, known, 3, cutoff)]


def attribute(name: str, here: Iterable[str]) -> str:
    """What to write where banach has no attribute `name`; "" where nobody can say."""
    if name in _PROBLEMS:
        return _PROBLEMS[name]
    known = {plain(own): own for own in here}
    bare = plain(name)
    if bare in known:
        return f"it is spelled bn.{known[bare]}"
    of_peers = [m for m in methods(name, ()) if plain(m.partition(":")[2]) == bare]
    if of_peers:
        return f"as a method it is named method={of_peers[0]!r}"
    near = difflib.get_close_matches(bare, known, n=1, cutoff=0.8)
    return f"did you mean bn.{known[near[0]]}" if near else ""

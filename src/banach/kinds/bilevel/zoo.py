"""Ready bilevel problems by name; listing them imports no jax."""

from typing import Any, NamedTuple

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Bilevel")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


class Cleaning(NamedTuple):
    """Digits in three parts; `corrupted` marks the training rows with a wrong label."""

    train: tuple[np.ndarray, np.ndarray]
    held: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    corrupted: np.ndarray


def cleaning_data(train: int, held: int, share: float, seed: int = 0) -> Cleaning:
    """Digits (pixels over 16, a last column of ones) with a share of wrong labels."""
    rng = np.random.default_rng(seed)
    data = datasets.digits()
    order = rng.permutation(len(data.y))
    A = np.hstack([data.A / 16, np.ones((len(data.y), 1))])[order]
    y = data.y[order]
    cuts = [slice(0, train), slice(train, train + held), slice(train + held, None)]
    parts = [(A[c], y[c].copy()) for c in cuts]
    corrupted = rng.permutation(train) < round(share * train)
    wrong = (parts[0][1] + rng.integers(1, 10, train)) % 10
    parts[0][1][corrupted] = wrong[corrupted]
    return Cleaning(*parts, corrupted)


def hypercleaning(data: Cleaning, ridge: float = 0.01, prior: float = 1e-4) -> Any:
    """Weights of training rows, chosen so that the fit does well on clean rows.

    F = mean of the held-out cross-entropy of y + prior/2 ||x||^2,
    g = mean_j sigmoid(x_j) cross-entropy_j(y) + ridge/2 ||y||^2,

    y a 65 x 10 matrix, x one logit a training row. `prior` keeps the weights finite.
    """
    import jax
    import jax.numpy as jnp

    from banach.kinds.bilevel.problem import Bilevel

    def loss(y, a, label):
        logits = a @ y
        return jax.nn.logsumexp(logits) - logits[label]

    def upper(x, y, row):
        return loss(y, *row) + prior / 2 * jnp.sum(x**2)

    def lower(x, y, row):
        a, label, j = row
        return jax.nn.sigmoid(x[j]) * loss(y, a, label) + ridge / 2 * jnp.sum(y**2)

    n, p = data.train[0].shape
    return Bilevel(
        upper,
        lower,
        np.zeros(n),
        np.zeros((p, 10)),
        upper_rows=data.held,
        lower_rows=(*data.train, np.arange(n)),
        lower_mu=ridge,
    )


@_named("bilevel:hypercleaning", "digits, 300 rows of which 40% mislabelled, 300 clean")
def _hypercleaning():
    return hypercleaning(cleaning_data(300, 300, 0.4))


def _penalised(x: Any, y: Any, row: Any) -> Any:
    """One row of ridge regression with the penalty exp(x_k) / 2 on feature k."""
    import jax.numpy as jnp

    return (row[0] @ y - row[1]) ** 2 / 2 + jnp.sum(jnp.exp(x) * y**2) / 2


def _judged(x: Any, y: Any, row: Any) -> Any:
    """One row of the error, and what keeps useless penalties from growing for ever."""
    import jax.numpy as jnp

    return (row[0] @ y - row[1]) ** 2 / 2 + 5e-4 * jnp.sum(x**2)


@_named("bilevel:ridge", "a penalty a feature, diabetes, 221 rows to fit and to judge")
def _ridge():
    """g = mean (a'y - b)^2 / 2 + sum_k exp(x_k) y_k^2 / 2, F the mean on other rows.

    y*(x) and the hypergradient have closed forms. Features and target are
    standardised; F adds 1e-3/2 ||x||^2.
    """
    from banach.kinds.bilevel.problem import Bilevel

    data = datasets.diabetes()
    A = datasets.standardised(data.A)
    b = (data.y - data.y.mean()) / data.y.std()
    odd = np.arange(len(b)) % 2 == 1

    return Bilevel(
        _judged,
        _penalised,
        np.zeros(A.shape[1]),
        np.zeros(A.shape[1]),
        upper_rows=(A[odd], b[odd]),
        lower_rows=(A[~odd], b[~odd]),
        lower_strongly_convex=True,
    )


def ridge_tasks(
    tasks: int = 20,
    rows: int = 60,
    features: int = 10,
    noise: float = 1.0,
    seed: int = 3,
) -> Any:
    """Generated ridge regressions that share one penalty a feature.

    The true coefficients of a task have the standard deviation 2^-k in feature k,
    so that the best penalties differ by feature; g_i and F_i as in bilevel:ridge.
    """
    from banach.kinds.bilevel.problem import Bilevel

    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((tasks, features)) * 0.5 ** np.arange(features)

    def draw():
        A = rng.standard_normal((tasks, rows, features))
        b = np.einsum("mnp,mp->mn", A, truth)
        return A, b + noise * rng.standard_normal(b.shape)

    return Bilevel(
        _judged,
        _penalised,
        np.zeros(features),
        np.zeros((tasks, features)),
        upper_rows=draw(),
        lower_rows=draw(),
        blocks=True,
        lower_strongly_convex=True,
    )


@_named("bilevel:tasks", "20 generated ridge regressions with 10 shared penalties")
def _tasks():
    return ridge_tasks()

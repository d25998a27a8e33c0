"""Ready finite sums and networks by name; listing them imports no jax."""

from collections.abc import Callable
from typing import Any

from banach.zoo import datasets

_TABLE: dict[str, tuple[str, str, Callable[[], Any]]] = {}


def names() -> list[dict[str, str]]:
    """Name, title and kind of every problem here."""
    return [{"name": k, "title": v[0], "kind": v[1]} for k, v in _TABLE.items()]


def knows(name: str) -> bool:
    """Whether `load` has this name."""
    return name in _TABLE


def load(name: str) -> Any:
    """The problem of a name that `names` lists."""
    if name not in _TABLE:
        from banach.core.problem import Misuse

        raise Misuse(f"no problem is called {name!r}; it is one of {', '.join(_TABLE)}")
    return _TABLE[name][2]()


def _named(name: str, title: str, kind: str) -> Callable:
    def keep(build: Callable[[], Any]) -> Callable[[], Any]:
        _TABLE[name] = (title, kind, build)
        return build

    return keep


@_named(
    "finite_sum:logistic_breast_cancer",
    "mean of 569 logistic losses, 30 features, intercept, l2 = 1/569",
    "FiniteSum",
)
def _logistic_cancer():
    from banach.problems.glm_models import LogisticRegression

    data = datasets.breast_cancer()
    A = datasets.standardised(data.A)
    return LogisticRegression(A, data.y, 1.0).as_finite_sum()


@_named(
    "distributed:breast_cancer",
    "mean of 569 logistic losses on 8 workers, sorted by label, l2 = 0.1",
    "DistributedSum",
)
def _cancer_of_workers():
    import numpy as np

    from banach.problems.distributed_sum import DistributedSum
    from banach.problems.glm_models import LogisticRegression

    data = datasets.breast_cancer()
    A = datasets.standardised(data.A)
    n, workers = len(data.y), 8
    model = LogisticRegression(A, data.y, 0.1 * n, intercept=False)
    order = np.argsort(data.y, kind="stable")
    # l'' <= 1/4 in each shard.
    steepest = max(
        np.linalg.norm(A[piece], 2) ** 2 for piece in np.array_split(order, workers)
    )
    L = workers / n * steepest / 4 + 0.1
    return DistributedSum(model.as_finite_sum(), workers, order=order, L=L)


@_named(
    "training:digits",
    "64-32-10 tanh network, 1347 digits, 450 held out, l2 = 1e-3",
    "Training",
)
def _digits_network():
    import jax
    import jax.numpy as jnp
    import numpy as np

    from banach.problems.training import Training

    data = datasets.digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(data.y))
    A, y = data.A[order] / 16, data.y[order]

    def layer(m, k):
        return {"W": rng.normal(size=(m, k)) / np.sqrt(m), "b": np.zeros(k)}

    params = [layer(64, 32), layer(32, 10)]

    def model(params, x, key):
        first, second = params
        hidden = jnp.tanh(x @ first["W"] + first["b"])
        return hidden @ second["W"] + second["b"]

    def cross_entropy(z, label):
        return jax.nn.logsumexp(z) - z[label]

    fit, kept = slice(0, 1347), slice(1347, None)
    return Training(
        model,
        cross_entropy,
        params,
        A[fit],
        y[fit],
        held_out=(A[kept], y[kept]),
        l2=1e-3,
        reference=params,
    )

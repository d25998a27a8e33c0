"""Ready networks to train by name; listing them imports no jax."""

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Training")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named(
    "training:digits",
    "64-32-10 tanh network, 1347 digits, 450 held out, l2 = 1e-3",
)
def _digits_network():
    import jax
    import jax.numpy as jnp
    import numpy as np

    from banach.kinds.training.problem import Training

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

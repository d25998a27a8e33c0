"""log(1 + exp(t)) in vector instructions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

# (atanh(r) / r - 1) / r^2 as a polynomial of r^2 on [0, 1/9]: minimax, to 2e-18.
_TAIL = (
    0.33333333333333329281,
    0.20000000000007291337,
    0.14285714283554378581,
    0.11111111358713931495,
    0.090908947180664290846,
    0.076927850324793115517,
    0.066570721048274680752,
    0.060005364047953562676,
    0.044003692430723369411,
    0.080820228059717661105,
)


@jax.custom_jvp
def softplus(t: Array) -> Array:
    """max(t, 0) + log(1 + e) with e = exp(-|t|), within a few ulp.

    log(1 + e) = 2 atanh(s) with s = e / (2 + e) <= 1/3. On a CPU XLA's own log1p
    takes ten times as long in float64 and is wrong by up to 240 ulp.
    """
    e = jnp.exp(-jnp.abs(t))
    s = e / (2 + e)
    z = s * s
    tail = jnp.full_like(z, _TAIL[-1])
    for c in reversed(_TAIL[:-1]):
        tail = tail * z + c
    return jnp.maximum(t, 0) + (2 * s + 2 * s * z * tail)


@softplus.defjvp
def _slope(primals, tangents):
    (t,), (v,) = primals, tangents
    return softplus(t), jax.nn.sigmoid(t) * v

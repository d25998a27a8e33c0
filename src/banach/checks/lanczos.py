"""A probabilistic lower bound of the smallest eigenvalue by Lanczos."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.problem import Problem

# Safety on the size of HVP rounding, which is seen at one vector only.
_SAFETY = 20.0


def lanczos_lower_bound(
    problem: Problem, x: PyTree, key: Array, steps: int, delta: Array
) -> Float[Array, ""]:
    """s <= lambda_min(Hessian at x) with probability >= 1 - delta.

    Full reorthogonalisation from a start uniform on the sphere. With Ritz extremes
    lo and hi after k steps and eps = (ln(1.648 sqrt(n)/d) / (2k - 1))^2 < 1/2, d =
    delta/2: lambda_min >= lo - eps (hi - lo) / (1 - 2 eps). For eps >= 1/2 the
    answer is -inf: take more steps. Rounding of the products is estimated.
    """
    flat, back = tree.ravel(x)

    def product(v):
        return tree.ravel(problem.hvp(x, back(v)))[0]

    lo, hi, _ = ritz_extremes(product, flat.size, key, steps, flat.dtype)
    k = min(steps, flat.size)
    half = delta / 2
    eps = (jnp.log(1.648 * jnp.sqrt(flat.size) / half) / (2 * k - 1)) ** 2
    wide = jnp.maximum(hi - lo, 0)
    bound = lo - eps * wide / jnp.where(eps < 0.5, 1 - 2 * eps, 1)
    unit = jnp.finfo(flat.dtype).eps
    noise = _SAFETY * unit * (k + 2) * jnp.maximum(jnp.abs(lo), jnp.abs(hi))
    probe = jax.random.normal(jax.random.fold_in(key, 1), flat.shape, flat.dtype)
    probe = probe / jnp.linalg.norm(probe)
    shaken = probe * (1 + unit * jnp.sign(probe))
    jump = jnp.linalg.norm(product(shaken) - product(probe))
    return jnp.where(eps < 0.5, bound - noise - _SAFETY * jump, -jnp.inf)


def ritz_extremes(
    product, size: int, key: Array, steps: int, dtype
) -> tuple[Array, Array, Float[Array, "k k"]]:
    """Smallest and largest Ritz value after min(steps, size) Lanczos steps."""
    k = min(steps, size)
    q = jax.random.normal(key, (size,), dtype)
    q = q / jnp.linalg.norm(q)

    def one(carry, i):
        basis, q = carry
        basis = basis.at[i].set(q)
        w = product(q)
        alpha = jnp.vdot(q, w)
        w = w - basis.T @ (basis @ w)
        w = w - basis.T @ (basis @ w)
        beta = jnp.linalg.norm(w)
        # An invariant subspace: its Ritz values are exact, zeros are appended.
        alive = beta > 10 * size * jnp.finfo(dtype).eps * (jnp.abs(alpha) + 1e-30)
        q = jnp.where(alive, w / jnp.where(alive, beta, 1), 0)
        return (basis, q), (alpha, jnp.where(alive, beta, 0))

    start = (jnp.zeros((k, size), dtype), q)
    _, (alphas, betas) = jax.lax.scan(one, start, jnp.arange(k))
    T = jnp.diag(alphas) + jnp.diag(betas[:-1], 1) + jnp.diag(betas[:-1], -1)
    # Rows after a breakdown are zero: give them a Ritz value that is present.
    seen = jnp.cumsum(jnp.concatenate([jnp.zeros(1, dtype), betas[:-1] == 0])) == 0
    T = T + jnp.diag(jnp.where(seen, 0, alphas[0]))
    ritz = jnp.linalg.eigvalsh(jnp.where(jnp.isfinite(T), T, 0))
    bad = ~jnp.all(jnp.isfinite(T))
    return jnp.where(bad, -jnp.inf, ritz[0]), jnp.where(bad, jnp.inf, ritz[-1]), T

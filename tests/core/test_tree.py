"""Norms over the whole range of both dtypes, alone and under vmap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_norm_neither_vanishes_nor_overflows(dtype):
    info = np.finfo(dtype)
    k = np.arange(info.minexp, info.maxexp - 2, 3 if info.bits == 64 else 1)
    size = np.ldexp(np.ones(1, dtype), k).astype(dtype)[:, None]
    x = np.concatenate([size * np.asarray([3, 4, 0], dtype),
                        size * np.asarray([1, 1, -1], dtype)])  # fmt: skip
    ends = np.asarray([[info.max, 0, 0], [0, -info.tiny, 0], [0, 0, 0]], dtype)
    x = np.concatenate([x, ends])
    # 80-bit numbers hold the squares of the smallest and of the largest.
    want = np.sqrt((x.astype(np.longdouble) ** 2).sum(axis=1)).astype(dtype)
    for norm in (jax.vmap(tree.norm), jax.jit(jax.vmap(tree.norm))):
        np.testing.assert_allclose(np.asarray(norm(x)), want, rtol=4 * info.eps)
    alone = [float(tree.norm(jnp.asarray(v))) for v in x[:: len(x) // 20]]
    np.testing.assert_allclose(alone, want[:: len(x) // 20], rtol=4 * info.eps)


def test_a_norm_of_what_is_not_finite_and_its_derivative():
    assert float(tree.norm(jnp.asarray([jnp.inf, 1.0]))) == np.inf
    assert np.isnan(float(tree.norm(jnp.asarray([jnp.nan, 1.0]))))
    slope = jax.grad(tree.norm)
    assert (np.asarray(slope(jnp.zeros(3))) == 0).all()
    np.testing.assert_allclose(slope(jnp.asarray([3e200, 4e200])), [0.6, 0.8])
    np.testing.assert_allclose(slope(jnp.asarray([3e-200, 4e-200])), [0.6, 0.8])

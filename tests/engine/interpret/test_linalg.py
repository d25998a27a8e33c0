"""Factorisations: JAX's conventions, and NaN where they fail."""

import jax
import jax.numpy as jnp
import numpy as np
from agree import both, numpy_of, same
from jax import lax

RNG = np.random.default_rng(5)
S = RNG.standard_normal((3, 4, 4))
SPD = S @ S.transpose(0, 2, 1) + np.eye(4)
TALL, WIDE = RNG.standard_normal((2, 5, 3)), RNG.standard_normal((3, 5))
B = RNG.standard_normal((3, 4, 2))
BIG = RNG.standard_normal((60, 60)) / 30 + np.eye(60)
POOR = SPD.copy()
POOR[1] = -np.eye(4)
POOR[2, 0, 0] = np.nan


def triangular(a, b, **options):
    """Both halves of a hold numbers, and only one may be read."""
    return lambda a, b: lax.linalg.triangular_solve(a, b, **options), (a, b)


def solves():
    cases = {}
    for left in (True, False):
        b = B if left else B.transpose(0, 2, 1).copy()
        for lower in (True, False):
            for turned in (True, False):
                for unit in (True, False):
                    name = f"triangle {left} {lower} {turned} {unit}"
                    cases[name] = triangular(
                        SPD, b, left_side=left, lower=lower, transpose_a=turned,
                        unit_diagonal=unit,
                    )  # fmt: skip
    cases["one triangle"] = triangular(SPD[0], B[0], left_side=True, lower=True)
    for turned in (True, False):
        cases[f"large triangle {turned}"] = triangular(
            BIG, BIG[:, :3].copy(), left_side=True, lower=True, transpose_a=turned
        )
    cases["large triangle from the right"] = triangular(
        BIG, BIG[:3], left_side=False, lower=False
    )
    none = np.eye(4)
    none[2, 2] = 0
    cases["singular triangle"] = triangular(none, B[0], left_side=True, lower=True)
    return cases


def factors():
    def spectrum(x, lower=True):
        vectors, values = lax.linalg.eigh(x, lower=lower, symmetrize_input=False)
        return values, jnp.abs(vectors)

    def singular(x, full):
        u, s, v = jnp.linalg.svd(x, full_matrices=full)
        return s, jnp.abs(u[..., :3]), jnp.abs(v[..., :3, :])

    def orthogonal(x, full):
        q, r = lax.linalg.qr(x, full_matrices=full)
        return jnp.abs(q[..., :3]), jnp.abs(r)

    def packed(x):
        a, taus = jnp.linalg.qr(x, mode="raw")
        a = jnp.swapaxes(a, -1, -2)
        q = lax.linalg.householder_product(a, taus)
        return q, q @ jnp.triu(a[..., :3, :]), a, taus

    half = np.tril(SPD) + 9 * np.triu(np.ones((4, 4)), 1)
    return {
        "cholesky": (lambda x: lax.linalg.cholesky(x, symmetrize_input=False), (half,)),
        "cholesky of the mean": (lax.linalg.cholesky, (SPD,)),
        "cholesky of poor ones": (lax.linalg.cholesky, (POOR,)),
        "cholesky of a poor one": (lax.linalg.cholesky, (POOR[1],)),
        "eigh": (spectrum, (half,)),
        "eigh of the upper half": (lambda x: spectrum(x, False), (half,)),
        "svd": (lambda x: singular(x, False), (TALL,)),
        "full svd": (lambda x: singular(x, True), (WIDE,)),
        "singular values": (lambda x: jnp.linalg.svd(x, compute_uv=False), (TALL,)),
        "qr": (lambda x: orthogonal(x, False), (TALL,)),
        "full qr": (lambda x: orthogonal(x, True), (TALL[0],)),
        "raw qr": (packed, (TALL,)),
        "lu": (lax.linalg.lu, (S,)),
        "lu of wide": (lax.linalg.lu, (WIDE,)),
        "lu of tall": (lax.linalg.lu, (TALL[0],)),
        "large lu": (lax.linalg.lu, (BIG,)),
        "singular lu": (lax.linalg.lu, (np.ones((3, 3)),)),
        "permutation": (
            lambda p: lax.linalg.lu_pivots_to_permutation(p, 5),
            (np.array([[3, 3, 2], [1, 4, 4]], np.int32),),
        ),
        "solve": (jnp.linalg.solve, (S, B)),
        "inverse": (jnp.linalg.inv, (BIG[:5, :5].copy(),)),
        "determinant": (jnp.linalg.det, (S,)),
        "least squares": (lambda a, b: jnp.linalg.lstsq(a, b)[0], (TALL[0], TALL[1])),
        "float32": (lax.linalg.cholesky, (SPD.astype(np.float32),)),
        "conjugate gradients": (
            lambda a, b: jax.scipy.sparse.linalg.cg(lambda x: a @ x, b)[0],
            (SPD[0], B[0, :, 0].copy()),
        ),
        "gradient of a solve": (
            jax.grad(lambda a, b: jnp.sum(jnp.linalg.solve(a, b) ** 2)),
            (SPD[0], B[0]),
        ),
    }


def test_factorisations():
    for name, (ours, theirs) in both(solves() | factors()).items():
        close = 1e-4 if name == "float32" else 1e-9
        if name.startswith(("triangle", "singular triangle")):
            same(ours, theirs, close, name)
            continue
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=close, atol=close, err_msg=name)


def test_failures_are_nan_and_stay_with_their_matrix():
    bad = np.stack([np.full((3, 3), np.nan), np.eye(3), np.full((3, 3), np.inf)])

    def all_of(x):
        return jnp.linalg.eigh(x)[0], jnp.linalg.svd(x)[1], lax.linalg.cholesky(x)

    for part in numpy_of(all_of, bad):
        assert np.isnan(part[0]).any() and np.isnan(part[2]).any()
        np.testing.assert_allclose(part[1], np.ones(3) if part.ndim == 2 else np.eye(3))
    for part in numpy_of(all_of, bad[0]):
        assert np.isnan(part).any()

"""One rule of acceptance: NumPy records and traced ones agree, in both dtypes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core.check import Certificate, Part, single

SPECIAL = [-5.0, -1e-12, 0.0, 5e-324, 1e-30, 1e-7, 1.0, 1e300, np.nan, np.inf, -np.inf]
TOLS = [1e-300, 1e-7, 1.0]


def table(dtype):
    """All triples of special numbers, as one batched certificate."""
    grid = np.meshgrid(SPECIAL, SPECIAL, SPECIAL, indexing="ij")
    with np.errstate(over="ignore"):
        return [np.ravel(g).astype(dtype) for g in grid]


def certificate(value, slack, scale, signed=False):
    part = Part("q", value, slack, scale)
    return Certificate((part,), "q", "bound", signed=signed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("signed", [False, True])
def test_numpy_and_traced_records_agree(dtype, signed):
    value, slack, scale = table(dtype)

    def traced(v, s, c, tol):
        cert = certificate(v, s, c, signed)
        return cert.within(tol), cert.refuted(), cert.ratio

    many = jax.jit(jax.vmap(traced, in_axes=(0, 0, 0, None)))
    for tol in TOLS:
        tol = dtype(max(tol, 1e-37)) if dtype == np.float32 else tol
        got = jax.device_get(many(value, slack, scale, tol))
        with np.errstate(all="ignore"):
            want = [
                (c.within(tol), c.refuted(), c.ratio)
                for c in (
                    certificate(*row, signed)
                    for row in zip(value, slack, scale, strict=True)
                )
            ]
        within, refuted, ratio = (np.array(w) for w in zip(*want, strict=True))
        # XLA flushes subnormals; every decision above them is the same.
        plain = np.ones_like(within)
        for v in (value, slack, scale):
            plain &= (v == 0) | ~(np.abs(v) < np.finfo(dtype).tiny)
        np.testing.assert_array_equal(got[0][plain], within[plain])
        np.testing.assert_array_equal(got[1][plain], refuted[plain])
        assert got[2].dtype == dtype
        # Flushing never turns a refusal into an acceptance by more than it flushed.
        assert not np.any(got[0] & (np.isnan(ratio) | (ratio == np.inf)))


def test_acceptance_is_exactly_finite_nonnegative_and_below():
    for value, slack, scale in zip(*table(np.float64), strict=True):
        for tol in TOLS:
            with np.errstate(all="ignore"):
                got = bool(certificate(value, slack, scale).within(tol))
                finite = bool(np.isfinite([value, slack, scale]).all())
                total, limit = max(value, 0) + slack, tol * scale
            if not (finite and slack >= 0 and scale > 0 and value >= -slack):
                assert not got
            elif total > 0 and np.isfinite(limit):
                # Strictly inside, by one unit on either side.
                assert got == (np.nextafter(total, 1e308) <= np.nextafter(limit, -1.0))


def test_the_worst_part_speaks():
    parts = [(1e-3, 1e-6, 1.0), (2.0, 0.0, 1e4), (1e-10, 1e-12, 1e-6)]
    made = tuple(
        Part(f"p{i}", *(jnp.asarray(v) for v in p)) for i, p in enumerate(parts)
    )
    cert = Certificate(made, "q", "residual")
    assert int(cert.worst) == 0
    assert float(cert.ratio) == pytest.approx(1.001e-3)
    assert (float(cert.value), float(cert.scale)) == (1e-3, 1.0)
    absolute = cert.absolute()
    assert int(absolute.worst) == 1 and float(absolute.ratio) == 2.0
    broken = dataclasses.replace(made[2], slack=jnp.asarray(jnp.nan))
    cert = Certificate((*made[:2], broken), "q", "residual")
    assert int(cert.worst) == 2 and float(cert.ratio) == np.inf
    assert not bool(cert.within(1e6))


def test_numbers_take_the_dtype_of_the_value():
    cert = single("q", jnp.float32(0.5), 0.1, 1.0, grade="bound")
    assert {v.dtype for v in jax.tree.leaves(cert.parts)} == {np.dtype(np.float32)}
    # 0.6 in float32 lies above 0.6: the tolerance is rounded like the rest.
    assert not bool(cert.within(0.6)) and bool(cert.within(0.6001))

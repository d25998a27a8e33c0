"""float64 in, float64 out, and JAX's global flags stay as the user left them."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import A, B, ridge, ridge_solution

import banach as bn
from banach.methods.smooth.lbfgs import Lbfgs

LBFGS = Lbfgs(memory=5)


@pytest.fixture
def single():
    """JAX as it comes: 64 bits off."""
    with jax.enable_x64(False):
        yield


def kinds(tree):
    return {(type(v), np.asarray(v).dtype) for v in jax.tree.leaves(tree)}


def test_numpy_double_in_numpy_double_out(single):
    # Stated, solved, printed, saved as a dict and verified without any context.
    problem = ridge()
    r = bn.solve(problem, LBFGS, tol=1e-11)
    assert r.certified and kinds(r.x) == {(np.ndarray, np.dtype(np.float64))}
    np.testing.assert_allclose(r.x, ridge_solution(), rtol=1e-9)
    assert "certified" in str(r) and r.to_dict()["manifest"]["dtype"] == "float64"
    assert np.asarray(r.certificate.value).dtype == np.float64
    assert r.trace.ratio.dtype == np.float64
    assert all(np.asarray(v).dtype != np.float32 for v in jax.tree.leaves(r.carry))
    assert bn.verify(r).certified
    got = bn.sensitivity(r, np.ones(5))
    assert np.asarray(got.gradient.args[0]).dtype == np.float64
    assert got.residual < 1e-10
    assert jnp.zeros(1).dtype == jnp.float32
    assert not jax.config.jax_enable_x64


def test_glm_constants_are_converted_in_double(single):
    r = bn.solve(bn.Lasso(A, B, 0.1), "fista", tol=1e-10)
    assert r.certified and r.x.dtype == np.float64
    # 0.1 in float32 would move the solution by 1e-9 relative.
    on = r.x != 0
    g = A.T @ (A @ r.x - B) + 0.1 * np.sign(r.x)
    scale = np.abs(A.T @ B).max()
    assert on.any() and np.abs(g[on]).max() < 1e-4 * scale


def test_single_precision_stays_single(single):
    r = bn.solve(ridge(dtype=np.float32), LBFGS, tol=1e-4)
    assert r.certified and kinds(r.x) == {(np.ndarray, np.dtype(np.float32))}
    pure = bn.run(ridge(dtype=np.float32), LBFGS, check=r.check, tol=1e-4)
    assert pure.x.dtype == jnp.float32 and bool(pure.certified)


def test_the_pure_run_never_narrows_silently(single):
    check = bn.solve(ridge(), LBFGS).check
    with pytest.raises(bn.Misuse, match=r"float64 but 64 bits are off.*enable_x64"):
        bn.run(ridge(), LBFGS, check=check, tol=1e-4)


def test_many_problems(single):
    out = bn.solve_many([ridge(0.5), ridge(1.0)], LBFGS, tol=1e-9)
    assert [r.x.dtype for r in out] == [np.float64] * 2
    np.testing.assert_allclose(out[1].x, ridge_solution(1.0), rtol=1e-7)
    assert "certified" in str(out[0]) and out[0].problem_id != out[1].problem_id


def test_no_flag_is_touched_in_a_process_of_its_own():
    code = """
import warnings; warnings.simplefilter("error")
import jax
names = [n for n in jax.config.values]
before = {n: jax.config.values[n] for n in names}
import numpy as np, jax.numpy as jnp, banach as bn
r = bn.minimize(lambda x: jnp.sum((x - 0.1) ** 2), np.zeros(3), method="lbfgs")
assert r.certified and r.x.dtype == np.float64, r
str(r), r.to_dict()
changed = [n for n in names if jax.config.values[n] != before[n]]
assert not changed, changed
assert jnp.ones(1).dtype == jnp.float32
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""What certificates, outcomes of pure runs, traces and facts print: the verdict."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn

A = jnp.asarray(np.sin(np.arange(24.0)).reshape(8, 3), jnp.float32)
Y = A @ jnp.arange(3.0)


def run(y, most=500):
    ridge = bn.Ridge(A, y, 0.1)
    how = {"check": bn.Gap(), "tol": 1e-3, "max_steps": most}
    return bn.run(ridge, bn.Lbfgs(memory=5), **how)


@pytest.fixture(scope="module")
def compiled():
    return jax.jit(run)


def test_an_outcome_says_its_verdict_first(compiled):
    out = compiled(Y, 500)
    lines = str(out).splitlines()
    assert lines[0].startswith("certified: f(x)-f* <= ") and len(lines) == 4
    assert (
        f"steps       {int(out.steps)}; calls: grad {int(out.calls['grad'])}"
        in (lines[2])
    )
    assert lines[3].endswith("float32 (3,)")
    assert repr(compiled(Y, 0)).startswith("NOT CERTIFIED (budget): f(x)-f* <= ")


def test_lanes_are_counted_and_what_is_traced_is_said_to_be():
    said = []

    def told(y, most):
        out = run(y, most)
        said.extend([repr(out), repr(out.certificate)])
        return out

    out = jax.jit(jax.vmap(told))(jnp.stack([Y, Y, 0 * Y]), jnp.array([0, 500, 500]))
    steps = np.asarray(out.steps)
    want = f"3 lanes: 2 certified, 1 budget; f(x)-f*, {steps.min()} to {steps.max()}"
    assert repr(out) == f"{want} steps"
    assert repr(out.certificate).startswith("Certificate(f(x)-f* in 3 lanes; bound")
    assert "not known before" in said[0] and "not known yet" in said[1]


def test_the_parts_of_a_result_are_one_line_each():
    problem = bn.Ridge(np.eye(2), np.ones(2), l2=1.0)
    r = bn.solve(problem, "gradient_descent", tier="numpy")
    assert repr(r.certificate).startswith("Certificate(f(x)-f* <= ")
    assert repr(r.trace).startswith(f"TraceView({len(r.trace)} rows, steps 0 to ")
    facts = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2), L=2.0, convex=True).facts()
    assert "convex (declared)" in repr(facts) and "L=2 (declared)" in repr(facts)

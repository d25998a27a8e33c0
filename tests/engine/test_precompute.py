"""What is worked out once before a run: one program, kept by structure."""

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.engine import compile_cache, disk_cache, precompute
from banach.engine.precompute import evaluated

A = np.random.default_rng(4).standard_normal((5, 3))


@pytest.fixture
def compilations():
    """Seconds of every compilation of XLA, in order."""
    seen = []

    def hear(event, seconds, **said):
        if event.endswith("backend_compile_duration"):
            seen.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(hear)
    yield seen
    jax.monitoring.unregister_event_duration_listener(hear)


def moments(tree):
    """Several operations on a pytree."""
    X, y = tree["X"], tree["y"]
    return {"mean": jnp.mean(X, axis=0), "size": jnp.sqrt(jnp.vdot(y, y))}


def test_no_operation_is_compiled_alone(compilations):
    found = evaluated(moments, {"X": A, "y": A[0]})
    again = evaluated(moments, {"X": A + 1, "y": A[1]})
    assert compilations == []
    np.testing.assert_allclose(found["mean"], A.mean(0), rtol=1e-14)
    np.testing.assert_allclose(again["mean"], A.mean(0) + 1, rtol=1e-14)
    np.testing.assert_allclose(again["size"], np.linalg.norm(A[1]), rtol=1e-14)
    assert isinstance(found["size"], np.ndarray) and found["size"].dtype == A.dtype


def test_data_come_from_one_program_of_xla(compilations):
    given = {"X": A[:4], "y": A[0]}
    counts = dict(disk_cache.COUNTS)
    found = [evaluated(moments, given, data=True) for _ in range(2)]
    assert disk_cache.COUNTS["compiled"] - counts["compiled"] == 1 == len(compilations)
    exact = compile_cache.compiled(moments, (given,))(given)
    for name, value in exact.items():
        assert np.asarray(value).tobytes() == found[0][name].tobytes()
        assert found[1][name].tobytes() == found[0][name].tobytes()


def test_a_traced_argument_stays_in_its_program():
    @jax.jit
    def size(y):
        return evaluated(moments, {"X": A, "y": y})["size"] ** 2

    np.testing.assert_allclose(jax.grad(size)(A[0]), 2 * A[0], rtol=1e-14)


def test_precisions_and_shapes_are_programs_of_their_own(monkeypatch):
    monkeypatch.setattr(precompute, "_KEPT", {})
    monkeypatch.setattr(precompute, "_MOST", 2)
    for X in (A, A.astype(np.float32), A[:2]):
        assert evaluated(moments, {"X": X, "y": X[0]})["size"].dtype == X.dtype
    assert len(precompute._KEPT) == 2


def test_what_precedes_a_solve_compiles_nothing(compilations):
    """The penalty of a convex ReLU network, bounds of a start, rows of zeros."""
    y = np.array([1.0, -1, 1, 2, 0])
    relu = bn.ConvexRelu(A, y, beta=0.25, patterns=3)
    del compilations[:]
    expected = 0.25 * np.sqrt(np.mean(np.sum(A**2, axis=1))) / np.sqrt(np.mean(y**2))
    np.testing.assert_allclose(relu.penalty(), expected, rtol=1e-14)
    boxed = bn.Constrained(
        lambda x: jnp.vdot(x, x), np.array([-3.0, 0.5, 9.0]), lower=-1.0, upper=2.0
    )
    del compilations[:]
    np.testing.assert_array_equal(boxed.start().x, [-1.0, 0.5, 2.0])
    singular = np.diag([1.0, 0.0, 2.0])
    linear = bn.Linear(singular, np.ones(3))
    del compilations[:]
    assert linear.unsolvable()[0] == "infeasible"
    assert compilations == []

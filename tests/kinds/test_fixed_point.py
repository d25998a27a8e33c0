"""FixedPoint and GraphFixedPoint: bad input, the map, facts, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn


def half(x):
    return x / 2


@pytest.mark.parametrize("q", [1.0, 1.5, np.inf, np.nan, -0.5, 0.0])
def test_a_factor_outside_0_1_is_misuse(q):
    with pytest.raises(bn.Misuse) as error:
        bn.FixedPoint(half, np.ones(2), contraction=q)
    if q in (1.0, 1.5):
        assert "bn.Root" in str(error.value) and "nonexpansive" in str(error.value)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: bn.FixedPoint(lambda x: x[:1], np.ones(2)), "same shapes"),
        (lambda: bn.FixedPoint(half, np.ones(2), norm="1"), "norm must be one of"),
        (lambda: bn.FixedPoint(half, np.ones(2), weights=[1.0, 0.0]), "positive"),
        (lambda: bn.FixedPoint(half, np.ones(2), weights=[1.0]), "weights"),
        (lambda: bn.FixedPoint(half, np.array([1, 2j])), "real numbers"),
        (lambda: bn.FixedPoint(half, np.array([np.nan])), "NaN"),
    ],
)
def test_bad_input_is_misuse_with_the_cure(build, words):
    with pytest.raises(bn.Misuse, match=words):
        build()


def graph(scores=None, bias=None, senders=(0, 1), receivers=(1, 0), gamma=0.5):
    scores = np.zeros((1, 2)) if scores is None else scores
    bias = np.ones((1, 2, 1)) if bias is None else bias
    return bn.GraphFixedPoint(
        scores, bias, np.array(senders), np.array(receivers), gamma
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gamma": 1.0}, "below 1"),
        ({"gamma": 0.0}, "positive"),
        ({"gamma": None}, "0, 1"),
        ({"senders": (0, 2)}, "nodes"),
        ({"receivers": (-1, 0)}, "from -1"),
        ({"senders": (0.0, 1.0)}, "integers"),
        ({"senders": (0,)}, "edges"),
        ({"bias": np.ones((2, 2, 1))}, "heads"),
        ({"scores": np.full((1, 2), np.inf)}, "infinity"),
    ],
)
def test_bad_graphs_are_misuse_with_the_cure(change, words):
    with pytest.raises(bn.Misuse, match=words):
        graph(**change)


def test_the_graph_map_is_a_weighted_average_plus_the_bias():
    rng = np.random.default_rng(0)
    adjacency = rng.random((6, 6)) < 0.5
    adjacency[3] = False
    scores = rng.standard_normal((2, 6, 6))
    bias = rng.standard_normal((2, 6, 3))
    p = bn.GraphFixedPoint.from_adjacency(scores, bias, adjacency, 0.7)
    A = np.exp(scores) * adjacency
    total = A.sum(-1, keepdims=True)
    A = A / np.where(total > 0, total, 1)
    x = rng.standard_normal((2, 6, 3))
    np.testing.assert_allclose(p.map(x), 0.7 * A @ x + bias, rtol=1e-12)
    assert p.facts().get("q") == 0.7
    assert p.facts().says("q") == "q: by construction"


def test_huge_scores_stay_finite():
    p = graph(scores=np.array([[1e300, -1e300]]))
    assert np.isfinite(p.map(p.start().x)).all()


def test_sensitivity_is_implicit():
    p = bn.FixedPoint(
        lambda x, a: a * jnp.cos(x), np.zeros(1), (np.array(0.5),), contraction=0.5
    )
    r = bn.solve(p, tol=1e-12)
    s = bn.sensitivity(r, np.ones(1))
    x = float(r.x[0])
    want = np.cos(x) / (1 + 0.5 * np.sin(x))
    assert float(s.gradient.args[0]) == pytest.approx(want, rel=1e-9)


def test_a_pytree_variable():
    def T(x):
        return {"a": 0.3 * jnp.sin(x["b"]), "b": 0.2 + 0.4 * x["a"]}

    x0 = {"a": np.zeros(2), "b": np.ones(2)}
    p = bn.FixedPoint(T, x0, contraction=0.4)
    r = bn.solve(p, tol=1e-10)
    assert r.certified and r.certificate.assumes == ("q: declared",)
    off = jax.tree.map(lambda a, b: np.abs(a - b).max(), r.x, p.map(r.x))
    assert max(jax.tree.leaves(off)) < 1e-9


def test_many_lanes_have_a_verdict_each():
    def one(a):
        return bn.FixedPoint(
            lambda x, a: a * jnp.cos(x), np.zeros(2), (np.array(a),), contraction=0.8
        )

    results = bn.solve_many([one(a) for a in (0.1, 0.5, 0.79)])
    assert all(r.certified for r in results)

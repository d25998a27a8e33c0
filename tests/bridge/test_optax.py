"""optax through FromOptax: exact iterates, no recompilation, counts, every alias."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small

import banach as bn
from banach.bridge._from_optax import FromOptax
from banach.bridge.optax import Optax, names
from banach.core.method import Refusal
from banach.core.problem import Misuse
from banach.engine import compile_cache, driver
from banach.engine.loop import STATUSES, leaves_in, run
from banach.engine.plan import Limits, Manner, Plan


def drive(problem, method, steps):
    method = leaves_in(jnp.float64, method)
    key = jax.random.key(0)
    state = method.init(problem, problem.start(), key)
    step = jax.jit(lambda m, s: m.step(problem, s, key))
    out = []
    for _ in range(steps):
        state = step(method, state)
        out.append(method.point(state).x)
    return out, state


def test_adam_iterates_equal_a_plain_optax_loop():
    problem = small.log_quadratic()
    ours, _ = drive(problem, FromOptax(optax.adam, learning_rate=0.05), 12)
    tx = optax.adam(0.05)
    x = jax.tree.map(jnp.asarray, problem.start().x)
    s = tx.init(x)
    for mine in ours:
        u, s = tx.update(jax.grad(problem.value)(x), s, x)
        x = optax.apply_updates(x, u)
        assert jax.tree.all(
            jax.tree.map(lambda p, q: np.allclose(p, q, rtol=1e-12), mine, x)
        )
    assert mine["b"].shape == (2,) and mine["b"].dtype == np.float64


def test_a_new_learning_rate_never_recompiles():
    problem, check = small.quadratic(), small.GradientNorm()
    results = []
    compile_cache.clear()
    for rate in (1 / small.L, 0.5 / small.L):
        method = FromOptax(optax.sgd, learning_rate=rate)
        before = compile_cache.COUNTS["kernel"]
        plan = Plan(problem, method, check, problem.start())
        *_, result = driver.iterate(plan, Limits(1e-8), Manner(tier="fused"))
        results.append((result, compile_cache.COUNTS["kernel"] - before))
    assert [r.status for r, _ in results] == ["certified"] * 2
    assert [n for _, n in results] == [1, 0]
    assert results[1][0].steps > 1.5 * results[0][0].steps
    np.testing.assert_allclose(results[0][0].point.x, small.ANSWER, rtol=1e-6)


def test_lbfgs_gets_its_extra_arguments_and_counts_its_line_search():
    problem = small.log_quadratic()
    seen = []

    def value(x):
        jax.debug.callback(lambda: seen.append(1))
        return problem.value(x)

    class Counted(type(problem)):
        def value(self, x):
            return value(x)

    counted = Counted(lambda x: jnp.sum(x["b"]), problem.x0)
    method = Optax("lbfgs")
    xs, state = drive(counted, method, 6)
    jax.effects_barrier()
    calls = {k: int(v) for k, v in method.calls(state).items()}
    assert calls["value"] == calls["grad"] == len(seen)
    assert calls["value"] > 6
    assert abs(float(xs[-1]["a"]) - 1) < 1e-3


@pytest.mark.parametrize("name", ["lbfgs", "nesterov"])
def test_raced_variants_certify_a_quadratic(name):
    problem = small.quadratic()
    method = Optax.variant(name, problem, problem.facts())
    out = run(problem, method, check=small.GradientNorm(), tol=1e-9, max_steps=2000)
    assert STATUSES[int(out.status)] == "certified"
    np.testing.assert_allclose(out.x, small.ANSWER, rtol=1e-7)
    assert method.label() == f"optax:{name}"


def test_a_tiny_learning_rate_is_not_certified():
    problem = small.quadratic(np.ones(4))
    method = FromOptax(optax.sgd, learning_rate=1e-300)
    out = run(problem, method, check=small.GradientNorm(), tol=1e-6, max_steps=500)
    # No step moves the point: stalled after a hundred, never certified.
    assert STATUSES[int(out.status)] == "stalled"
    assert float(out.certificate.ratio) > 0.9


def test_every_alias_keeps_the_structure_of_its_state():
    problem = small.quadratic()
    assert {"adam", "adamw", "lion", "sgd", "lbfgs", "nesterov"} <= set(names())
    for name in names():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            method = Optax.variant(name, problem, problem.facts())
            method = leaves_in(jnp.float64, method)
            state = jax.eval_shape(
                method.init, problem, problem.start(), jax.random.key(0)
            )
            again = jax.eval_shape(method.step, problem, state, jax.random.key(0))
        assert jax.tree.structure(state) == jax.tree.structure(again), name
        for p, q in zip(jax.tree.leaves(state), jax.tree.leaves(again), strict=True):
            assert p.shape == q.shape, name


def test_what_does_not_fit_is_refused_with_the_cure():
    problem = small.quadratic(L=None)
    no = Optax.variant("sgd", problem, problem.facts())
    assert isinstance(no, Refusal) and "learning_rate" in no.cure
    assert Optax.variants(problem, problem.facts()) == ("adam", "lbfgs")
    with pytest.raises(Misuse, match=r"did you mean .*adam"):
        Optax.variant("adm", problem, problem.facts())
    with pytest.raises(Misuse, match=r"FromOptax\(optax.adam"):
        FromOptax(optax.adam(1e-2))
    with pytest.raises(Misuse, match="hyperparameter eps_root"):
        FromOptax(optax.adam, learning_rate=1e-3, eps_root={"a": True})
    wrong = FromOptax(functools.partial(dict, a=1))
    with pytest.raises(Misuse, match="not a gradient transformation"):
        drive(problem, wrong, 1)
    assert isinstance(FromOptax.suggest(problem, problem.facts()), Refusal)


def pull(name):
    """How far a zero gradient moves x = 2 beyond x = 1, after three steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transform = Optax(name, learning_rate=0.01).inner._transform()
        transform = optax.with_extra_args_support(transform)
        x = start = jnp.array([1.0, 2.0])
        state = transform.init(x)
        more = {"value": jnp.zeros(()), "grad": 0 * x, "value_fn": lambda p: 0 * p[0]}
        for _ in range(3):
            moved, state = transform.update(0 * x, state, x, **more)
            x = optax.apply_updates(x, moved)
    u = x - start
    return float(u[1] - u[0])


def test_who_decays_the_weights_is_said_by_a_warning():
    # Noise moves x too, without a pull; a line search has nothing to search here.
    quiet = set(names()) - {"noisy_sgd", "lbfgs"}
    pulls = {name for name in quiet if abs(pull(name)) > 1e-7}
    assert {"lion", "adamw", "fromage"} <= pulls and "adam" not in pulls
    for name in sorted(set(names()) - {"lbfgs"}):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            Optax(name, learning_rate=0.01)
        told = any("ends elsewhere" in str(w.message) for w in heard)
        assert told == (name in pulls), name


def test_a_decay_can_be_turned_off_or_on():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FromOptax(optax.adamw, learning_rate=1e-3, weight_decay=0.0)
        Optax("lion", learning_rate=1e-3, weight_decay=0.0)
    for factory in (optax.lamb, optax.lars, optax.adafactor):
        name = "weight_decay_rate" if factory is optax.adafactor else "weight_decay"
        with pytest.warns(UserWarning, match=rf"{factory.__name__} .*{name}=0.01"):
            FromOptax(factory, learning_rate=1e-3, **{name: 0.01})


def test_a_run_of_optax_is_resumed_with_its_method_given_again(tmp_path):
    A = np.sin(np.arange(24.0)).reshape(8, 3)
    problem, path = bn.Ridge(A, A @ np.arange(3.0), 0.3), tmp_path / "run.json"
    how = {"tol": 1e-12, "tier": "numpy"}

    def decaying(rate):
        return FromOptax(
            optax.adam, learning_rate=optax.exponential_decay(rate, 9, 0.5)
        )

    for method in (Optax("adam", learning_rate=0.1), decaying(0.1)):
        whole = bn.solve(problem, method, max_steps=30, **how)
        bn.solve(problem, method, max_steps=20, checkpoint=path, **how)
        rest = {"tol": 1e-12, "max_steps": 30, "resume": path}
        again = bn.solve(problem, method, **rest)
        assert (again.steps, again.calls) == (30, whole.calls)
        np.testing.assert_array_equal(again.x, whole.x)
        with pytest.raises(Misuse, match=r"bn\.solve\(problem, method, resume="):
            bn.solve(problem, **rest)
        with pytest.raises(Misuse, match=f"by {method.label()}, not lbfgs"):
            bn.solve(problem, "lbfgs", **rest)
    # The rate is in the program alone.
    with pytest.raises(Misuse, match="other functions or hyperparameters"):
        bn.solve(problem, decaying(0.2), **rest)


def test_of_a_method_with_functions_no_array_is_left_in_the_file(tmp_path):
    problem = bn.Ridge(np.eye(3), np.ones(3), 0.3)
    method = FromOptax(lambda rates: optax.scale(-rates[0]), rates=np.full(9000, 0.1))
    path = tmp_path / "run.json"
    first = bn.solve(problem, method, max_steps=5, checkpoint=path, tier="numpy")
    again = bn.solve(problem, method, max_steps=5, resume=path)
    np.testing.assert_array_equal(again.x, first.x)

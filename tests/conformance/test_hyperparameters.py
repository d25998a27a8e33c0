"""Hyperparameters of every method: read at the door, decided by the problem."""

import dataclasses
import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beds import BEDS
from listing import BRIDGES, INDEX, NATIVE, applicable

import banach as bn
from banach import catalogue
from banach.core import hyperparameters
from banach.core.card import method
from banach.core.facts import Facts, given
from banach.core.method import Method, Refusal, decided, open_fields
from banach.doors import defaults

NAN, INF = float("nan"), float("inf")
# What is neither a number, nor a flag, nor a word, nor a component.
NEVER = [1j, "1e", b"1", object(), [1.0, 2.0], np.array([1.0, 2.0]), {}, NAN,
         np.ma.masked_values([1.0, -9.0], -9.0), np.ma.masked, np.array(1j),
         np.float32("nan"), -INF, jnp.array([1.0, 2.0])]  # fmt: skip


def fields(name):
    return dataclasses.fields(catalogue.load_method(name))


def wrong(field):
    """Values that this field must refuse, from what it declares."""
    read = field.metadata["read"]
    bad = [v for v in NEVER if not callable(v)]
    if isinstance(read, hyperparameters._Real):
        bad += [True, False, np.True_, *([] if read.optional else [None])]
        bad += [] if read.infinite else [INF, np.inf]
        bad += [-1.0, -1, jnp.array(-1.0)] if read.low else []
        bad += [0, 0.0, -0.0] if read.low == "positive" else []
        bad += [read.below, read.below + 1] if np.isfinite(read.below) else []
        bad += [np.nextafter(read.most, INF)] if np.isfinite(read.most) else []
    elif isinstance(read, hyperparameters._Count):
        bad += [True, 0.5, 2.0, np.float64(3), read.low - 1, -(2**40), INF]
        bad += [] if read.optional else [None]
        bad += [] if read.static else [2**31]
    elif isinstance(read, hyperparameters._Flag):
        bad += [None, 1, 0, 1.0, "yes", np.array([True])]
    else:
        bad += [True, 0, -1, 0.5] + ([None] if field.name != "metric" else [])
    return bad


@pytest.mark.parametrize("name", NATIVE)
def test_every_field_refuses_what_it_cannot_hold(name):
    cls = catalogue.load_method(name)
    for field in fields(name):
        assert "read" in field.metadata, (
            f"{name}.{field.name}: declare it by banach.core.hyperparameters"
        )
        for value in wrong(field):
            with pytest.raises(bn.Misuse, match=field.name):
                cls(**{field.name: value})


@pytest.mark.parametrize("name", NATIVE)
def test_unknown_repeated_and_superfluous_arguments_are_misuse(name):
    cls, names = catalogue.load_method(name), [f.name for f in fields(name)]
    with pytest.raises(bn.Misuse, match="no hyperparameter 'no_such'"):
        cls(no_such=1)
    with pytest.raises(bn.Misuse, match=f"{len(names)} hyperparameters"):
        cls(*[1.0] * (len(names) + 1))
    for value in [hyperparameters.OPEN] * bool(names):
        with pytest.raises(bn.Misuse, match="twice"):
            cls(value, **{names[0]: value})


@pytest.mark.parametrize("name", INDEX)
def test_a_class_without_arguments_is_what_suggest_makes(name):
    cls = catalogue.load_method(name)
    for problem in (BEDS[b].problem for b in applicable(name)):
        whole = defaults.method_for(cls, problem)
        bare = defaults.method_for(cls(), problem)
        own = getattr(bare, "bare", lambda bare=bare: bare)()
        assert not open_fields(own) and type(own) is cls
        assert jax.tree.structure(bare) == jax.tree.structure(whole)
        ours, theirs = jax.tree.leaves(bare), jax.tree.leaves(whole)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", NATIVE)
def test_one_field_given_stays_and_the_rest_is_decided(name):
    cls = catalogue.load_method(name)
    for problem in (BEDS[b].problem for b in applicable(name)):
        whole = defaults.method_for(cls, problem).bare()
        for field in fields(name):
            value = getattr(whole, field.name)
            more = {"base": whole.base} if name == "refined_schedule" else {}
            given = cls(**more | {field.name: value})
            partly = defaults.method_for(given, problem).bare()
            assert not open_fields(partly)
            got = getattr(partly, field.name)
            if isinstance(value, float | int | str | bool | None):
                assert got == value and type(got) is type(value)
            else:
                assert jax.tree.structure(got) == jax.tree.structure(value)


def test_what_was_left_open_is_solved_and_a_flag_is_obeyed():
    problem = BEDS["lasso"].problem
    r = bn.solve(problem, bn.Fista(restart=False))
    assert r.certified and not r.method.restart
    assert float(r.method.lipschitz) == float(problem.facts().L)
    both = bn.solve_many([problem, BEDS["lasso"].moved(1.1)], bn.Fista(restart=False))
    assert all(r.certified for r in both)


def test_a_fact_that_is_missing_is_named_with_the_cure():
    plain = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(3), convex=True)
    for asked in (bn.AcceleratedGradient(), bn.GradientDescent(search=False)):
        with pytest.raises(bn.Misuse, match="L=") as error:
            bn.solve(plain, asked)
        assert "declare L" in str(error.value)
    # What is given needs no fact.
    made = defaults.method_for(bn.GradientDescent(0.25, search=False), plain)
    assert made.step_size == 0.25 and not made.search


def test_nothing_open_reaches_a_run():
    problem = BEDS["lasso"].problem
    check = defaults.check_for(None, problem)
    with pytest.raises(bn.Misuse, match=r"Fista leaves lipschitz open.*suggest"):
        bn.run(problem, bn.Fista(restart=True), check=check)
    with pytest.raises(bn.Misuse, match="a hyperparameter is still open"):
        jnp.asarray(bn.Fista().lipschitz)
    again = pickle.loads(pickle.dumps(bn.Fista()))
    assert open_fields(again) == ("lipschitz", "restart", "grow")


def test_values_may_be_traced_and_take_the_dtype_of_the_run():
    sizes = jnp.array([1.0, 2.0, 4.0])
    made = jax.vmap(lambda v: bn.Fista(v, v > 1.5))(sizes)
    assert np.array_equal(made.lipschitz, sizes)
    assert made.restart.tolist() == [False, True, True]
    slope = jax.grad(lambda v: 1 / bn.Picard(relaxation=v).relaxation)(2.0)
    assert slope == -0.25
    assert jax.jit(lambda n: bn.LazyNewton(period=n).period)(3) == 3
    with pytest.raises(bn.Misuse, match="complex"):
        jax.jit(lambda v: bn.Fista(v).lipschitz)(1j)
    with pytest.raises(bn.Misuse, match="one number"):
        jax.jit(lambda v: bn.Fista(v).lipschitz)(jnp.ones(2))
    # Any real scalar becomes a Python number, which has no dtype of its own.
    for value in (2, np.float32(2), np.longdouble(2), np.int8(2)):
        assert type(bn.Fista(value).lipschitz) is float


def test_a_run_of_a_method_left_open_is_resumed(tmp_path):
    spec, path = BEDS["lasso"].spec, tmp_path / "run.json"
    bn.solve(spec, bn.Fista(restart=False), max_steps=20, checkpoint=path)
    r = bn.solve(spec, bn.Fista(restart=False), max_steps=60, resume=path)
    assert r.steps > 20 and not r.method.restart
    with pytest.raises(bn.Misuse, match="other hyperparameters"):
        bn.solve(spec, bn.Fista(restart=True), resume=path)


def test_the_signature_shows_the_fields():
    import inspect

    shown = inspect.signature(bn.Fista)
    assert list(shown.parameters) == ["lipschitz", "restart", "grow"]
    assert shown.parameters["restart"].default is True
    assert repr(shown.parameters["lipschitz"].default) == "fact('L')"


@method(name="two_facts", family="test", problem="Smooth", needs={"grad"}, paper="x")
class TwoFacts(Method):
    """A method of facts and constants, without a `suggest` of its own."""

    length: float = hyperparameters.fact("L", lambda L: 1 / L, instead="lbfgs")
    damping: float = hyperparameters.fact("cocoercive", upper=False)
    memory: int = hyperparameters.count(4, static=True)

    def init(self, problem, start, key):
        return start

    def step(self, problem, state, key):
        return state


def test_the_default_suggest_reads_facts_and_constants():
    def of(**constants):
        known = Facts(bowl.facts().properties, constants=given(constants))
        return TwoFacts.suggest(bowl, known)

    bowl = bn.Smooth(lambda x: jnp.vdot(x, x), np.ones(2))

    made = of(L=4.0, cocoercive=0.5)
    assert (made.length, made.damping, made.memory) == (0.25, 0.5, 4)
    assert of(L=0.0, cocoercive=0.5).length == 1.0  # any L bounds a constant gradient
    for constants, missing in [
        ({"cocoercive": 1.0}, "L"), ({"L": NAN, "cocoercive": 1.0}, "L"),
        ({"L": 1.0}, "cocoercive"), ({"L": 1.0, "cocoercive": 0.0}, "cocoercive"),
    ]:  # fmt: skip
        no = of(**constants)
        assert isinstance(no, Refusal) and no.missing == missing
        assert f"two_facts needs {missing}: declare {missing}=..." in no.cure
    assert "or use lbfgs" in of().cure
    # A fact is not asked for where its field is given, and the point is the first
    # field of the state.
    no_fact = Facts(constants=given({"L": 4.0}))
    made = decided(TwoFacts(damping=2.0), None, no_fact)
    assert (made.length, made.damping, made.memory) == (0.25, 2.0, 4)
    state = SimpleState(np.ones(2), 3)
    assert made.point(state).x is state.x and not made.stuck(state)


class SimpleState(eqx.Module):
    x: np.ndarray
    k: int


@pytest.mark.parametrize("name", BRIDGES)
def test_peers_take_names_and_real_numbers(name):
    cls = catalogue.load_method(name)
    for value in (1j, 3, True, b"adam", ["adam"], np.nan):
        with pytest.raises(bn.Misuse):
            cls(value)


def test_from_optax_reads_its_hyperparameters():
    import optax

    for value in (1j, NAN, INF, -0.1, 0.0, True, "0.1", np.ma.masked,
                  np.array([0.1, NAN])):  # fmt: skip
        with pytest.raises(bn.Misuse, match="learning_rate"):
            bn.FromOptax(optax.adam, learning_rate=value)
        with pytest.raises(bn.Misuse, match="learning_rate"):
            bn.Optax("adam", learning_rate=value)
    with pytest.raises(bn.Misuse, match="b1"):
        bn.FromOptax(optax.adam, learning_rate=0.1, b1=NAN)
    with pytest.raises(bn.Misuse, match="optax factory"):
        bn.FromOptax()
    with pytest.raises(bn.Misuse, match="belong to an optimiser"):
        bn.Optax(learning_rate=0.1)
    made = bn.FromOptax(optax.adam, learning_rate=0.1, b1=np.float64(0.8))
    assert made.hyper == {"learning_rate": 0.1, "b1": 0.8}

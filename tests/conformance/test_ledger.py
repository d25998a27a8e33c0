"""The ledger: what its hash sees, and what it does not."""

import jax
import jax.numpy as jnp
import ledger
import numpy as np
import pytest
from listing import one_a_kind, one_a_method, pairs

X = np.arange(3.0)


def told(f, *args):
    return ledger.text(jax.make_jaxpr(f)(*(args or (X,))))


def plain(x):
    return jnp.sum(jnp.where(x > 1, x, 2 * x))


def test_how_it_was_written_is_not_seen():
    @jax.jit
    def inner(t):
        return jnp.where(t > 1, t, 2 * t)

    def other(renamed):
        unused = inner(renamed)  # the same, behind a jit of another name

        return unused.sum()

    first = told(plain)
    assert told(other) == first
    jax.clear_caches()
    assert told(plain) == first and "0x" not in first


@pytest.mark.parametrize(
    "changed",
    [
        lambda x: jnp.sum(jnp.where(x > 1, x, 3 * x)),
        lambda x: jnp.sum(jnp.where(x >= 1, x, 2 * x)),
        lambda x: jnp.max(jnp.where(x > 1, x, 2 * x)),
        lambda x: jnp.sum(jnp.where(x > 1, x, 2 * x) * np.array([1.0, 1.0, 1.001])),
        lambda x: jax.lax.fori_loop(0, 3, lambda i, v: v + 1, plain(x)),
    ],
)
def test_what_it_computes_is_seen(changed):
    assert told(changed) != told(plain)


def test_inside_loops_branches_and_rules_too():
    def loop(factor):
        def body(v):
            return jax.lax.cond(v[0] > 1, lambda v: factor * v, jnp.sin, v)

        return lambda x: jax.lax.while_loop(lambda v: v[0] < 9, body, x)

    assert told(loop(2.0)) == told(loop(2.0)) != told(loop(2.5))
    assert told(plain) != told(plain, X.astype(np.float32)) != told(plain, X[:2])


def test_a_ledger_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "ledger.toml"
    whole = {
        "jax": "9.9",
        "proved": {("a", "x"): "00", ("a", "y"): "11", ("b", "x"): "22"},
        "not_interpreted": {("b", "x"): "move: no rule for the primitive qr"},
    }
    ledger.write(whole, file)
    assert ledger.read(file) == whole
    assert ledger.read(tmp_path / "none.toml")["proved"] == {}


class Asked(Exception):
    """Layers B and C were begun."""


def test_only_what_changed_is_proved_again(tmp_path, monkeypatch):
    from programs_of import Case

    def law(case, folder):
        raise Asked(case.name)

    monkeypatch.setattr("laws.COMPILED", (law,))
    case = Case("halpern", "cocoercive")
    good = {
        "jax": jax.__version__,
        "proved": {("halpern", "cocoercive"): ledger.digest(case)},
    }
    ledger.proved(case, tmp_path, good)
    pair = {("halpern", "cocoercive"): "another"}
    for bad in (good | {"jax": "0"}, good | {"proved": pair}, good | {"proved": {}}):
        with pytest.raises(Asked, match="halpern"):
            ledger.proved(case, tmp_path, bad)


def test_layers_take_in_every_method_family_and_kind():
    from beds import BEDS
    from listing import INDEX

    every = set(pairs())
    assert {name for name, _ in one_a_method()} == {name for name, _ in every}
    assert {*one_a_method(), *one_a_kind()} <= every

    def ends(found):
        kinds = {BEDS[b].problem.kind for _, b in found}
        return kinds, {INDEX[n]["family"] for n, _ in found}

    assert ends(one_a_kind()) == ends(every)
    # Not many more: what is compiled anew in every run of the suite.
    assert len(one_a_kind()) <= sum(map(len, ends(every)))


def test_the_ledger_names_pairs_that_exist():
    assert set(ledger.LEDGER["proved"]) <= set(pairs())

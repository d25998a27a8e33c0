"""Against optax.adafactor, whose settings are matched."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import banach as bn


def test_it_is_that_of_optax_for_matched_settings():
    rng = np.random.default_rng(0)

    def drawn():
        shapes = {"w": (5, 3), "b": (4,)}
        return {
            k: jnp.asarray(rng.normal(size=s), "float32") for k, s in shapes.items()
        }

    ours = theirs = drawn()
    tx = bn.train.adafactor(0.1, relative=False)
    other = optax.adafactor(0.1, min_dim_size_to_factor=1)
    state, that = tx.init(ours), other.init(theirs)
    for _ in range(4):
        g = drawn()
        u, state = tx.update(g, state, ours)
        v, that = other.update(g, that, theirs)
        ours, theirs = optax.apply_updates(ours, u), optax.apply_updates(theirs, v)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6)
    assert sum(v.size for v in jax.tree.leaves(state.kept)) == 5 + 3 + 4

#!/usr/bin/env bash
# jax 0.10.2, jaxlib 0.10.2, optax 0.2.8, numpy 2.4.6 (CPU).
#
# Behaviour: an optimiser's step with donated parameters and state is to write both in
# place. Where an update and the new moment both read the old moment, and neither reads
# the other (lion), XLA makes two fusions, and copies the old moment first: one of the
# fusions writes over it. Where the update reads the new moment (adam, momentum) nothing
# is copied, though more is kept.
#
# One would guess: lion keeps half of what adam keeps, so that its step moves fewer bytes
# and takes less time. Seen: the compiled step of lion holds a copy of every leaf of the
# moment, that of adam and of momentum SGD none, and it takes about twice as long as the
# same update written of the new moment, longer than adam.
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    jax==0.10.2 jaxlib==0.10.2 optax==0.2.8 numpy==2.4.6
cd "$folder"
cat >ask.py <<'PY'
import jax
import jax.numpy as jnp
import optax

params = {name: jnp.ones(50_000 + i) for i, name in enumerate("abc")}


def copies(tx):
    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    made = jax.jit(step, donate_argnums=(0, 1))
    text = made.lower(params, tx.init(params), params).compile().as_text()
    return sum(" copy(" in line and "f32[50" in line for line in text.splitlines())


def moved(b1=0.9, b2=0.99):
    """Lion's update, of the new moment and the gradient."""

    def update(grads, m, params=None):
        new = jax.tree.map(lambda m, g: b2 * m + (1 - b2) * g, m, grads)
        u = jax.tree.map(
            lambda m, g: -jnp.sign(b1 / b2 * (m - (1 - b2) * g) + (1 - b1) * g),
            new, grads,
        )
        return u, new

    return optax.GradientTransformation(
        lambda params: jax.tree.map(jnp.zeros_like, params), update
    )


print("adam", copies(optax.adam(1e-3)))
print("momentum", copies(optax.sgd(1e-3, momentum=0.9)))
print("lion", copies(optax.lion(1e-3, weight_decay=0.0)))
print("lion of the new moment", copies(moved()))
PY
JAX_PLATFORMS=cpu env/bin/python ask.py | tee said
cat >want <<'TEXT'
adam 0
momentum 0
lion 3
lion of the new moment 0
TEXT
diff said want

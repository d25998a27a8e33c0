#!/usr/bin/env bash
# jax 0.10.2, jaxlib 0.10.2 (CPU), numpy 2.4.6, float64.
#
# Behaviour: a vector divided by one scalar is compiled as a product with the scalar's
# reciprocal. Above about 4.5e307 that reciprocal is smaller than the smallest normal
# number, subnormal results are written as 0, and so the whole quotient is 0.
#
# One would guess: v / max|v| has a largest entry of 1 for every finite v that is not 0
# (IEEE division is correctly rounded). NumPy does so.
# Seen: it is exactly 0 in every entry, with jit and without, once max|v| is large
# enough. A norm that guards against overflow by scaling with its largest entry is then
# 0 for the longest of vectors. Scaling by a fixed power of two has no such gap.
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 env/bin/python - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np


def unit(v):
    return v / jnp.max(jnp.abs(v))


def scaled(v):  # by a power of two
    return v * 2.0**-600


below, above = np.array([4e307, 1e307]), np.array([9e307, 1e307])
rows = {
    "numpy, above": above / np.max(np.abs(above)),
    "jit, below": np.asarray(jax.jit(unit)(below)),
    "jit, above": np.asarray(jax.jit(unit)(above)),
    "no jit, above": np.asarray(unit(jnp.asarray(above))),
    "jit, power of two": np.asarray(jax.jit(scaled)(above)) * 2.0**600,
}
for name, row in rows.items():
    print(f"{name:18s} {row}")
assert np.max(rows["numpy, above"]) == 1
assert abs(np.max(rows["jit, below"]) - 1) < 1e-15
assert (rows["jit, above"] == 0).all() and (rows["no jit, above"] == 0).all()
assert (rows["jit, power of two"] == above).all()
PY

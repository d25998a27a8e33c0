#!/usr/bin/env bash
# jax 0.10.2, jaxlib 0.10.2 (CPU), numpy 2.4.6.
#
# Behaviour: a subnormal float32 number is read as 0 by every operation on a CPU, the
# conversion to float64 and the comparison with 0 included.
#
# One would guess: widening is exact, since float64 holds every float32 number as a
# normal one, and that x > 0 holds for a positive x. NumPy does so.
# Seen: float64(x) is 0 and x > 0 is false for x = 1e-40. Lifting float32 data to float64
# before judging them therefore loses the small ones, unless it is done by NumPy or from
# their bits; and a weight that is positive on the host is no weight on the device.
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

x = np.float32(1e-40)
widened = jax.jit(lambda v: v.astype(jnp.float64))(x)
positive = jax.jit(lambda v: v > 0)(x)
kept = jax.jit(lambda v: v)(x)
print("numpy   ", np.float64(x), bool(x > 0))
print("jax, CPU", float(widened), bool(positive))
print("the bits that come back untouched:", np.asarray(kept))
assert np.float64(x) > 0 and x > 0
assert float(widened) == 0 and not bool(positive)
assert np.asarray(kept) == x
PY

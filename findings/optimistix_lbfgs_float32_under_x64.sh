#!/usr/bin/env bash
# optimistix 0.1.0, jax 0.10.2, jaxlib 0.10.2 (CPU).
#
# Behaviour: with 64 bits enabled, optimistix.LBFGS raises a TypeError at its start on a
# point and a function of float32: the arrays of its history are made in JAX's default
# dtype, float64, and the carry of its two loops is float32.
#
# One would guess: the history takes the dtype of the point, as in optimistix.BFGS and
# NonlinearCG, which minimise the same function in float32.
# Seen: BFGS and NonlinearCG end at the minimiser, in float32; LBFGS says that the input
# and output of a scan differ in type. With 64 bits off all three agree.
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    jax==0.10.2 jaxlib==0.10.2 optimistix==0.1.0
cd "$folder"
cat >ask.py <<'PY'
import jax
import jax.numpy as jnp
import optimistix as optx


def f(x, args):
    return jnp.sum((x - 1) ** 2)


start = jnp.zeros(2, jnp.float32)
for name in ("BFGS", "NonlinearCG", "LBFGS"):
    solver = getattr(optx, name)(1e-3, 1e-3)
    try:
        found = optx.minimise(f, solver, start).value
        said = f"{found.dtype} {bool(jnp.allclose(found, 1, atol=1e-2))}"
    except TypeError as error:
        said = "TypeError" + (" in scan" if "scan" in str(error) else "")
    print(jax.config.jax_enable_x64, name, said)
PY
JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 env/bin/python ask.py | tee said
JAX_PLATFORMS=cpu JAX_ENABLE_X64=0 env/bin/python ask.py | tee -a said
cat >want <<'TEXT'
True BFGS float32 True
True NonlinearCG float32 True
True LBFGS TypeError in scan
False BFGS float32 True
False NonlinearCG float32 True
False LBFGS float32 True
TEXT
diff said want

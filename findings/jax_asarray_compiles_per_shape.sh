#!/usr/bin/env bash
# jax 0.10.2, jaxlib 0.10.2, numpy 2.4.6 (CPU).
#
# Behaviour: outside any trace, jnp.asarray of a NumPy array goes through an identity
# primitive that XLA compiles, once for every shape and dtype; jax.device_put of the
# same array compiles nothing. In a warm process asarray is the faster of the two (about
# 10 us against 17), so that a loop that is timed warm recommends the one that costs a
# fresh process a compilation for each array it is given.
#
# One would guess: moving an array onto the device is a copy, whichever name it has.
# Seen: five new shapes are five compilations by jnp.asarray, none by jax.device_put,
# and none by jnp.asarray for shapes that were seen before; values are the same.
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
cat >ask.py <<'PY'
import jax
import jax.numpy as jnp
import numpy as np

compiled = []


def heard(event, *more, **named):
    if event.endswith("backend_compile_duration"):
        compiled.append(event)


jnp.zeros(1).block_until_ready()  # the backend is up
jax.monitoring.register_event_duration_secs_listener(heard)
arrays = [np.arange(n, dtype=np.float32) for n in (3, 5, 7, 11, 13)]
ways = {
    "device_put": jax.device_put,
    "asarray": jnp.asarray,
    "asarray again": jnp.asarray,
}
for name, way in ways.items():
    compiled.clear()
    found = [way(a) for a in arrays]
    same = all(np.array_equal(a, b) for a, b in zip(arrays, found))
    print(name, len(compiled), same)
PY
JAX_PLATFORMS=cpu env/bin/python ask.py | tee said
cat >want <<'TEXT'
device_put 0 True
asarray 5 True
asarray again 0 True
TEXT
diff said want

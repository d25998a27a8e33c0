"""BSVRB, version 2: Hu, Qiu, Guo, Zhang and Yang (2023)."""

import jax
import numpy as np
from reference import _bilevel

from banach.methods.bilevel._block_estimators import draw_blocks

_steps = {"eta": 0.05, "tau": 0.1, "tau_v": 0.15, "a": 0.4, "b": 0.3}
_quick = _bilevel.problem(lower_L=5.0)


def _own():
    L = float(_quick.facts().get("upper_L"))
    own = {"eta": 0.25 / L / 4, "tau": 0.5 / 5 / 4, "tau_v": 0.5 / 5 / 4, "a": 0.5}
    return own | {"b": 0.5, "sampled": 1, "half_life": 1000.0}


_given = [
    dict(sampled=2, batch=3),
    dict(sampled=4, batch=10, half_life=5.0),
    dict(sampled=1, batch=4, v_radius=0.01),
]
CASES = [_bilevel.case(_bilevel.problem(), 8, **_steps, **more) for more in _given] + [
    _bilevel.case(_bilevel.single(), 8, **_steps, sampled=1, batch=10),
    _bilevel.case(_quick, 8, _own),
]


def iterates(
    o, _, steps, *, keys, eta, tau, tau_v, a, b, sampled, batch=32,
    v_radius=np.inf, half_life=np.inf,
):  # fmt: skip
    m, out = len(o.y0), []

    def look(w, blocks, key):
        x, y, v = w
        split = jax.random.split(key, 3)
        up, lo, cr = (_bilevel.drawn(k, len(blocks), batch) for k in split)
        s, u, h = [], [], 0
        for j, i in enumerate(blocks):
            fx, fy = o.upper_grad(x, y[i], i, up[j])
            s.append(o.lower_grad(x, y[i], i, lo[j]))
            u.append(o.lower_hvp(x, y[i], v[i], i, lo[j]) - fy)
            h = h + (fx - o.cross(x, y[i], v[i], i, cr[j])) / len(blocks)
        return np.array([s, u]), h

    w = old = (o.x0, o.y0, np.zeros_like(o.y0))
    t, z = look(w, range(m), keys[0])
    for k in range(steps):
        first, second = jax.random.split(keys[k + 1])
        blocks = np.asarray(draw_blocks(first, sampled, m))
        (q, h), (q_old, h_old) = look(w, blocks, second), look(old, blocks, second)
        c = (m - sampled) / (sampled * (1 - a)) + 1 - a
        t[:, blocks] = (1 - a) * t[:, blocks] + a * q + c * (q - q_old)
        z = h + (1 - b) * (z - h_old)
        x, y, v = old = w
        v = v - tau_v * t[1]
        size = np.linalg.norm(v, axis=1, keepdims=True)
        v = v * np.minimum(1, v_radius / np.maximum(size, 1e-300))
        w = x - eta / 2 ** (k / half_life) * z, y - tau * t[0], v
        out.append(np.concatenate([w[0], w[1].ravel()]))
    return out

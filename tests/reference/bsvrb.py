"""BSVRB, version 2: Hu, Qiu, Guo, Zhang and Yang (2023)."""

import jax
import numpy as np
from reference import _bilevel
from reference._case import Case

from banach.methods.bilevel._block_estimators import draw_blocks, draw_rows

OPEN = {"v_radius": np.inf, "half_life": np.inf}


def _case(problem, told=None, **given):
    """The draws of init and of each step go to the reference alone."""
    m = problem.counts()[0]
    every = given | (told or {})
    sampled, batch = every["sampled"], every["batch"]

    def rows(key, count):
        split = jax.random.split(key, 3)
        return [np.asarray(draw_rows(k, count, batch, _bilevel.N)) for k in split]

    def drawn(keys):
        steps = [jax.random.split(k) for k in keys[1:]]
        blocks = [np.asarray(draw_blocks(k, sampled, m)) for k, _ in steps]
        found = [(b, rows(k, len(b))) for b, (_, k) in zip(blocks, steps, strict=True)]
        known = OPEN | (told or {})
        if "eta" not in given:
            known["eta"] = 0.25 / float(problem.facts().get("upper_L")) / 4
        known = {k: v for k, v in known.items() if k not in given}
        return {"start_rows": rows(keys[0], m), "drawn": found} | known

    oracles = _bilevel.with_start(problem)
    return Case(problem, oracles, given, drawn, steps=8)


_own = {"tau": 0.5 / 5 / 4, "tau_v": 0.5 / 5 / 4, "a": 0.5, "b": 0.5}
_own |= {"sampled": 1, "batch": 32, "half_life": 1000.0}
_steps = {"eta": 0.05, "tau": 0.1, "tau_v": 0.15, "a": 0.4, "b": 0.3}
CASES = [
    _case(_bilevel.problem(), **_steps, sampled=2, batch=3),
    _case(_bilevel.problem(), **_steps, sampled=4, batch=10, half_life=5.0),
    _case(_bilevel.problem(), **_steps, sampled=1, batch=4, v_radius=0.01),
    _case(_bilevel.single(), **_steps, sampled=1, batch=10),
    _case(_bilevel.problem(lower_L=5.0), _own),
]


def iterates(
    o, _, steps, *, eta, tau, tau_v, a, b, v_radius, half_life, start_rows, drawn,
    **sizes,
):  # fmt: skip
    x, y = o.x0, o.y0
    m = len(y)

    def look(w, blocks, rows):
        x, y, v = w
        s, u, h = [], [], 0
        for j, i in enumerate(blocks):
            up, lo, cr = (r[j] for r in rows)
            fx, fy = o.upper_grad(x, y[i], i, up)
            s.append(o.lower_grad(x, y[i], i, lo))
            u.append(o.lower_hvp(x, y[i], v[i], i, lo) - fy)
            h = h + (fx - o.cross(x, y[i], v[i], i, cr)) / len(blocks)
        return np.array([s, u]), h

    w = old = (x, y, np.zeros_like(y))
    t, z = look(w, range(m), start_rows)
    out = []
    for k, (blocks, rows) in enumerate(drawn):
        (q, h), (q_old, h_old) = look(w, blocks, rows), look(old, blocks, rows)
        c = (m - len(blocks)) / (len(blocks) * (1 - a)) + 1 - a
        t[:, blocks] = (1 - a) * t[:, blocks] + a * q + c * (q - q_old)
        z = h + (1 - b) * (z - h_old)
        x, y, v = old = w
        v = v - tau_v * t[1]
        size = np.linalg.norm(v, axis=1, keepdims=True)
        v = v * np.minimum(1, v_radius / np.maximum(size, 1e-300))
        w = x - eta / 2 ** (k / half_life) * z, y - tau * t[0], v
        out.append(np.concatenate([w[0], w[1].ravel()]))
    return out

"""BSVRB, version 2: Hu, Qiu, Guo, Zhang and Yang (2023)."""

import numpy as np


def iterates(o, x, y, hyper, start_rows, drawn):
    """`drawn[k] = (blocks, (upper, tracker, h) rows by position in blocks)`."""
    m, a = len(y), hyper["a"]

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
    for blocks, rows in drawn:
        (q, h), (q_old, h_old) = look(w, blocks, rows), look(old, blocks, rows)
        c = (m - len(blocks)) / (len(blocks) * (1 - a)) + 1 - a
        t[:, blocks] = (1 - a) * t[:, blocks] + a * q + c * (q - q_old)
        z = h + (1 - hyper["b"]) * (z - h_old)
        x, y, v = old = w
        w = x - hyper["eta"] * z, y - hyper["tau"] * t[0], v - hyper["tau_v"] * t[1]
        out.append(w[0])
    return out

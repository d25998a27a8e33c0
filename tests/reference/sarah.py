"""SARAH: Nguyen, Liu, Scheinberg and Takac (2017), algorithm 1; a batch a step."""

from reference._terms import cases, drawn_in_epoch


def told(L, batch):
    return {"step_size": 1 / (2 * L), "inner": 80 // batch}


OWN = {"step_size": 0.3, "inner": 4, "batch": 3, "last": False}
CASES = cases(8, told, **OWN)


def iterates(oracles, x0, steps, *, keys, step_size, inner, batch, last=True):
    out, first = [], x0
    for s in range(steps):
        # Points w_0 .. w_{m+1}: the last one, or a uniform one of w_0 .. w_m.
        take, end = drawn_in_epoch(keys[s], batch, inner + 1, last)
        v = oracles.each(first).mean(axis=0)
        ws = [first, first - step_size * v]
        for t in range(1, inner + 1):
            j = take(t)
            change = oracles.each(ws[-1])[j] - oracles.each(ws[-2])[j]
            v = change.mean(axis=0) + v
            ws.append(ws[-1] - step_size * v)
        first = ws[end]
        out.append(first)
    return out

"""SVRG: Johnson and Zhang (2013), options I and II; a batch a step."""

from reference._terms import cases, drawn_in_epoch


def told(L, batch):
    return {"step_size": 0.1 / L, "inner": 80 // batch}


OWN = {"step_size": 0.3, "inner": 7, "batch": 3, "last": False}
CASES = cases(4, told, **OWN)


def iterates(oracles, x0, steps, *, keys, step_size, inner, batch, last=True):
    snapshot, out = x0, []
    for s in range(steps):
        take, end = drawn_in_epoch(keys[s], batch, inner, last)
        old, w = oracles.each(snapshot), snapshot
        for t in range(end):
            j = take(t)
            g = (oracles.each(w)[j] - old[j]).mean(axis=0) + old.mean(axis=0)
            w = w - step_size * g
        snapshot = w
        out.append(w)
    return out

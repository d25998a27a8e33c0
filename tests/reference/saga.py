"""SAGA: Defazio, Bach and Lacoste-Julien (2014), smooth part; a batch a step."""

from reference._terms import cases, drawn


def told(L, batch):
    return {"step_size": 1 / (3 * L)}


CASES = cases(30, told, step_size=0.2, batch=15)


def iterates(oracles, x0, steps, *, keys, step_size, batch):
    x, out, table = x0, [], oracles.each(x0)
    for t in range(steps):
        j = drawn(keys[t], batch)
        new = oracles.each(x)
        x = x - step_size * ((new[j] - table[j]).mean(axis=0) + table.mean(axis=0))
        table[j] = new[j]
        out.append(x)
    return out

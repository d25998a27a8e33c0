"""SGD: Robbins and Monro (1951); steps of Bottou, Curtis and Nocedal (2018)."""

import jax
import numpy as np
import sum_case as case
from reference._case import Case


def told(batch, **values):
    """Orders without replacement; a rest that is smaller than a batch is dropped."""

    def draws(keys):
        order, used, found = np.asarray(jax.random.permutation(keys[0], case.N)), 0, []
        for key in keys[1:]:
            if used + batch > case.N:
                fresh, _ = jax.random.split(key)
                order, used = np.asarray(jax.random.permutation(fresh, case.N)), 0
            found.append(order[used : used + batch])
            used += batch
        return {"draws": found, **values}

    return draws


STRONG = {"step_size": 1 / case.L, "decay": case.L2 / (2 * case.L)}
CASES = [
    # Of 40 terms an eighth is 5; l2 makes the sum strongly convex.
    Case(case.problem(), case.term_gradients, told=told(5, **STRONG)),
    Case(
        case.problem(l2=0.0), case.plain_gradients,
        told=told(5, step_size=1 / case.L, decay=5 / case.N),
    ),
    Case(
        case.problem(), case.term_gradients,
        given={"step_size": 0.5, "batch": 7}, told=told(7, decay=0.0),
    ),
]  # fmt: skip


def iterates(term_gradients, x0, steps, *, draws, step_size, decay, batch=5):
    x, out = x0, []
    for t, index in enumerate(draws):
        g = term_gradients(x)[index].mean(axis=0)
        x = x - step_size / (1 + decay * t) * g
        out.append(x)
    return out

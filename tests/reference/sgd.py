"""SGD: Robbins and Monro (1951); steps of Bottou, Curtis and Nocedal (2018)."""

import sum_case as case
from reference._case import Case
from reference._draws import taker


def told(**values):
    return lambda keys: {"take": taker(keys), **values}


# Of 40 terms an eighth is 5; l2 makes the sum strongly convex.
STRONG = told(step_size=1 / case.L, decay=case.L2 / (2 * case.L), batch=5)
PLAIN = told(step_size=1 / case.L, decay=5 / case.N, batch=5)
OWN = {"step_size": 0.5, "batch": 7}
CASES = [
    Case(case.problem(), case.term_gradients, told=STRONG),
    Case(case.problem(l2=0.0), case.plain_gradients, told=PLAIN),
    Case(case.problem(), case.term_gradients, OWN, told(decay=0.0)),
]


def iterates(term_gradients, x0, steps, *, take, step_size, decay, batch):
    x, out = x0, []
    for t in range(steps):
        g = term_gradients(x)[take(t, batch)].mean(axis=0)
        x = x - step_size / (1 + decay * t) * g
        out.append(x)
    return out

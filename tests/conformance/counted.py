"""A problem that counts its oracles: when they are traced, and when they run."""

import functools
from collections import Counter
from typing import Any

import equinox as eqx
import jax

from banach.core.problem import Problem

ORACLES = {
    "value": ("value",),
    "grad": ("grad",),
    "value_and_grad": ("value", "grad"),
    "hvp": ("hvp",),
    "hess": ("hess",),
    "prox": ("prox",),
    "project": ("project",),
    "lmo": ("lmo",),
    "matvec": ("matvec",),
    "residual": ("residual",),
    "objective": ("objective",),
    "optimality": ("optimality",),
}
# What passes over the data; a program traces few of them.
PASSES = {"value", "grad", "matvec", "residual"}


class Tally:
    """Calls by oracle: `traced` while Python runs, `run` by compiled programs."""

    def __init__(self):
        self.traced: Counter = Counter()
        self.passes = 0
        self.run: Counter = Counter()

    def ran(self, names, *_):
        self.run.update(names)


def _counting(oracle: str) -> Any:
    names = ORACLES[oracle]

    def call(self, *args):
        self.tally.traced.update(names)
        self.tally.passes += bool(PASSES & set(names))
        jax.debug.callback(functools.partial(self.tally.ran, names))
        return getattr(self.inner, oracle)(*args)

    call.__name__ = oracle
    return call


class Counted(Problem):
    """Everything is the inner problem's; `only` restricts the oracles offered."""

    inner: Problem
    tally: Tally = eqx.field(static=True)
    only: frozenset[str] | None = eqx.field(static=True, default=None)

    for _name in ORACLES:
        locals()[_name] = _counting(_name)

    @property
    def kind(self):
        return self.inner.kind

    def oracles(self):
        offered = self.inner.oracles()
        return offered if self.only is None else offered & self.only

    def essential(self):
        return self.inner.essential() & self.oracles()

    def space(self):
        return self.inner.space()

    def start(self):
        return self.inner.start()

    def facts(self):
        return self.inner.facts()

    def reference_point(self):
        return self.inner.reference_point()

    def formula(self):
        return self.inner.formula()

    def default_check(self):
        return self.inner.default_check()

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def call(*args):
            # A problem made from the inner one is counted too.
            made = found(*args)
            own = isinstance(made, Problem)
            return Counted(made, self.tally, self.only) if own else made

        return call

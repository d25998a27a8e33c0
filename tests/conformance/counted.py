"""A problem that counts its oracles: when they are traced, and when they run."""

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax

from banach import catalogue
from banach.core.problem import Problem
from banach.engine.interpret.table import RULES, Rule

# Those of every kind"s card, each counted as itself; and what counts as others.
ORACLES = {
    **{name: (name,) for entry in catalogue.kinds().values()
       for name in entry["oracles"]},
    "value_and_grad": ("value", "grad"),
    "jacobian_transpose_product": ("jacobian",),
    "evaluate": ("value", "grad", "constraints", "jacobian"),
    "lagrangian_grad": ("grad", "jacobian"),
    "lagrangian_hess": ("hess",),
    "constraint_hess": ("hess",),
    "gauss_newton": ("gauss_newton",),
    "objective": ("objective",),
    "optimality": ("optimality",),
    "gradient_moments": ("stochastic_grad",),
    "upper_value_and_grad": ("upper_value", "upper_grad"),
    "lower_products": ("lower_hvp", "cross"),
    "sample_lower_products": ("sample_lower_hvp", "sample_cross"),
    "split_adjoint": ("split",),
    "normal_factor": ("normal",),
    "normal_solve": ("normal",),
    "normal_product": ("normal",),
    "strongest": ("plan",),
    "sums": ("plan",),
}  # fmt: skip
# What passes over the data; a program traces few of them.
PASSES = set(
    """value grad stochastic_grad local_grad coded_grad operator upper_grad lower_grad
    sample_upper_grad sample_lower_grad normal map linear_part plan transform matvec
    residual project_operations""".split()
)


def one_call(*args, **named):
    """An ordinary oracle counts calls."""
    return 1


def terms_kept(x, index, mask=None, key=None):
    """A stochastic gradient counts its terms."""
    return index.size if mask is None else mask.sum()


# Oracles that are counted by the size of what they are asked for.
AMOUNT = {
    "sample": lambda x, key, size: size,
    "stochastic_grad": terms_kept,
    "gradient_moments": terms_kept,
    "component": lambda z, batch: batch.size,
}


class Tally:
    """Calls by oracle: `traced` while Python runs, `run` by compiled programs."""

    def __init__(self):
        self.traced: Counter = Counter()
        self.passes = 0
        self.run: Counter = Counter()

    def ran(self, names, amount):
        self.run.update(dict.fromkeys(names, int(amount)))


@contextlib.contextmanager
def callbacks() -> Iterator[None]:
    """Inside, NumPy runs what calls back: where a program comes to it, and as often.

    Whoever solves by NumPy refuses effects as a whole, here as elsewhere.
    """

    def make(eqn):
        call = eqn.params["callback"]

        def called(*args):
            call(*args)
            return ()

        return called

    RULES["debug_callback"] = Rule(make, None, many=True, keys=False)
    try:
        yield
    finally:
        del RULES["debug_callback"]


def _counting(oracle: str) -> Any:
    names = ORACLES[oracle]

    def call(self, *args, **named):
        self.tally.traced.update(names)
        self.tally.passes += bool(PASSES & set(names))
        amount = AMOUNT.get(oracle, one_call)(*args, **named)
        jax.debug.callback(functools.partial(self.tally.ran, names), amount)
        return getattr(self.inner, oracle)(*args, **named)

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

    @property
    def card(self):
        return self.inner.card

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

    def prices(self):
        return self.inner.prices()

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

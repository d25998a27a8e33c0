"""A program in two: what a few of its arguments decide alone, and the rest.

The calls are those of the whole program in its order, so that the bits are too. What
comes of arguments that stay the same arrays (a matrix, with other targets) is worked
out once while they live.
"""

import math
import weakref
from typing import Any

import numpy as np

from banach.core.compat import ClosedJaxpr
from banach.engine.interpret.translate import Flat, Form, Meter, Program, live

LARGEST = 2**16
"""Entries of a result that is kept; larger ones are made again."""
KEPT = 5
"""Times that what is kept may take longer (ours): paths and races ask again."""
# Of these a result may be a view, which would hold its whole array.
_VIEWS = frozenset(
    "reshape squeeze expand_dims transpose rev slice dynamic_slice broadcast_in_dim "
    "split real imag copy".split()
)


class Staged:
    """A jaxpr that NumPy runs, of which arguments `early` are often the same arrays."""

    def __init__(self, closed: ClosedJaxpr, early: tuple[int, ...]):
        self._form = Form(closed)
        self._early = early
        with np.errstate(all="ignore"):
            flat = Flat()
            given = flat.fresh(len(closed.jaxpr.invars))
            wanted = flat.add(closed.jaxpr, closed.consts, given)
            calls = live(flat.calls, wanted)
            alone = {given[i] for i in early} | set(flat.values)
            late: list[Any] = []
            used = set(wanted)
            for call in calls:
                eqn, ins, outs = call
                if eqn.effects or not alone.issuperset(ins):
                    late.append(call)
                    used.update(ins)
                else:
                    alone.update(outs)
            # What is not kept is made again, of what is.
            again = set()
            for k in range(len(calls) - 1, -1, -1):
                eqn, ins, outs = calls[k]
                if alone.issuperset(outs) and not used.isdisjoint(outs) and _left(eqn):
                    again.add(k)
                    used.update(ins)
            late = [
                call for k, call in enumerate(calls)
                if k in again or not alone.issuperset(call[2])
            ]  # fmt: skip
            made = {i for call in late for i in call[2]}
            kept = [
                i for k, call in enumerate(calls) if k not in again
                for i in call[2] if i in alone and i in used and i not in made
            ]  # fmt: skip
            firsts = [c for c in calls if alone.issuperset(c[2])]
            inputs = [given[i] for i in early]
            self._first = Program.of(flat, inputs, kept, live(firsts, kept))
            self._rest = Program.of(flat, [*given, *kept], wanted, late)
        self._known: list[tuple[tuple[Any, ...], list[Any], float]] = []

    def __call__(
        self, leaves: list[Any], arrays: tuple[Any, ...], limit: float = math.inf
    ) -> list[np.ndarray]:
        """The results for these leaves; `arrays` are what the early ones are seen of.

        They must never be written to. Work that was known counts as done: whether
        `limit` is passed depends on no history. Of what is kept a share counts.
        """
        given = self._form.taken(leaves)
        meter = Meter(limit)
        with np.errstate(all="ignore"):
            found = self._find(arrays)
            if found is None:
                first = Meter(limit * KEPT)
                kept = self._first.run(first, [given[i] for i in self._early])
                found = kept, first.spent
                refs = tuple(map(weakref.ref, arrays))
                self._known[:] = [(refs, *found), *self._known[:1]]
            kept, spent = found
            meter.spent = spent / KEPT
            meter.look()
            return self._form.owned(self._rest.run(meter, [*given, *kept]))

    def _find(self, arrays: tuple[Any, ...]) -> tuple[list[Any], float] | None:
        for refs, kept, spent in self._known:
            if all(ref() is v for ref, v in zip(refs, arrays, strict=True)):
                return kept, spent
        return None


def _left(eqn: Any) -> bool:
    if eqn.primitive.name in _VIEWS:
        return True
    return any(math.prod(v.aval.shape) > LARGEST for v in eqn.outvars)

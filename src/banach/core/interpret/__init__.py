"""Jaxprs run by NumPy: no compiler, and nothing to wait for.

    reason = interpret.refusal(closed)      # None, or why XLA has to run it
    program = interpret.compile(closed)     # once; a millisecond for 200 equations
    results = program(leaves)               # a list of owned NumPy arrays

A program of NumPy is what XLA's is up to rounding: it neither contracts products and
sums into one operation nor reads subnormal numbers as zero, sums in another order,
and has other elementary functions (`banach.checks.rounding` bounds both). Decide by
`refusal` before the first run: nothing is handed to JAX inside one.
"""

import banach.core.interpret.elementwise
import banach.core.interpret.indexing
import banach.core.interpret.keys
import banach.core.interpret.linear
import banach.core.interpret.moves
import banach.core.interpret.special
import banach.core.interpret.sums
import banach.core.interpret.windows  # noqa: F401
from banach.core.compat import ClosedJaxpr
from banach.core.interpret.translate import Exhausted, Interpreted
from banach.core.interpret.verdict import NAMES, refusal, work

__all__ = ["NAMES", "Exhausted", "Interpreted", "compile", "refusal", "work"]


def compile(closed: ClosedJaxpr) -> Interpreted:
    """Translate a jaxpr that `refusal` has nothing against."""
    return Interpreted(closed)

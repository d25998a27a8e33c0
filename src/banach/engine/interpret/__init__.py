"""Jaxprs run by NumPy: no compiler, and nothing to wait for.

    reason = interpret.refusal(closed)      # None, or why XLA has to run it
    program = interpret.compile(closed)     # once; a millisecond for 200 equations
    results = program(leaves)               # a list of owned NumPy arrays

A program of NumPy is what XLA's is up to rounding: it neither contracts products and
sums into one operation nor reads subnormal numbers as zero, sums in another order,
and has other elementary functions (`banach.checks.rounding` bounds both). Decide by
`refusal` before the first run: nothing is handed to JAX inside one.
"""

import banach.engine.interpret.elementwise
import banach.engine.interpret.indexing
import banach.engine.interpret.keys
import banach.engine.interpret.linalg
import banach.engine.interpret.moves
import banach.engine.interpret.special
import banach.engine.interpret.sums
import banach.engine.interpret.windows  # noqa: F401
from banach.core.compat import ClosedJaxpr
from banach.engine.interpret.partial_eval import Staged
from banach.engine.interpret.translate import Exhausted, Interpreted, scattered
from banach.engine.interpret.verdict import NAMES, refusal, work

__all__ = [
    "NAMES",
    "Exhausted",
    "Interpreted",
    "Staged",
    "compile",
    "refusal",
    "scattered",
    "work",
]


def compile(closed: ClosedJaxpr) -> Interpreted:
    """Translate a jaxpr that `refusal` has nothing against."""
    return Interpreted(closed)

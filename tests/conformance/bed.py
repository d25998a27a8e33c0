"""What a bed is: a small problem whose answer no method of ours found.

Each file of `beds/` holds the beds of one kind of problem, as module-level problems
(so that file.py:object names them and runs on them can be saved) and the list `BEDS`.
A new kind is a new file there.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from banach.core.problem import Problem


def nothing(start: Any) -> None:
    """No constants: no method's rate applies."""


@dataclasses.dataclass(frozen=True)
class Bed:
    """A problem with one parameter theta (1 as stated) by which its data move."""

    name: str
    file: str
    problem: Problem
    moved: Callable[[Any], Problem]
    """The problem with its data at theta; traced under vmap and grad."""
    poisoned: Callable[[], Problem]
    """One number of its data replaced by NaN."""
    narrow: Callable[[], Problem]
    """The problem in float32."""
    solution: Callable[[float], Any]
    """x at theta, by a NumPy algorithm that is finite or of second order."""
    measures: Mapping[str, Callable[[Any], float]]
    """True values in NumPy, zero at the solution and only there, by the name that a
    certificate's quantity or a card's rate_of has. The first is the bed's error."""
    constants: Callable[[Any], SimpleNamespace | None] = nothing
    """What rates are functions of, from the start; None: no rate applies."""
    smooth_path: bool = True
    """False: rounding may be amplified into another number of steps, and a
    certificate cannot speak of the solution (nonconvex)."""
    derivative: bool = True
    """False: the answer has no derivative in theta to compare."""

    dual: Callable[[float], Any] = nothing
    """Multipliers at theta, where x alone has no residual; None: it has."""

    @property
    def spec(self) -> str:
        """The problem as file.py:object."""
        return f"{self.file}:{self.name}"

    def error(self, x: Any) -> float:
        """The first measure."""
        return next(iter(self.measures.values()))(x)


def gap(objective: Callable[[Any], float], best: Any) -> dict[str, Any]:
    """Measures of a minimisation: f(x) - f*, by each of its names."""
    least = objective(best)

    def above(x):
        return objective(x) - least

    return dict.fromkeys(("f(x)-f*", "f(x) - f*", "F(x) - F*"), above)


def distance(best: Any) -> dict[str, Any]:
    """Measures of a problem with one solution: the distance to it."""
    import jax

    flat = np.concatenate([np.ravel(v) for v in jax.tree.leaves(best)])

    def away(x):
        at = np.concatenate([np.ravel(v) for v in jax.tree.leaves(x)])
        return float(np.linalg.norm(at - flat))

    return dict.fromkeys(("||x-x*||", "||x - x*||", "||z-z*||", "||z - z*||"), away)

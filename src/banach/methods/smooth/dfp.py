"""Davidon-Fletcher-Powell (DFP), the first quasi-Newton method."""

from typing import Any

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.smooth._inverse_matrix import InverseMatrix, too_large
from banach.parts.line_search_methods import Composed, Searched, UnitWolfe


class DfpDirection(InverseMatrix):
    """H+ = H - H y y'H / y'H y + s s' / s.y."""

    def corrected(self, matrix, s, y):
        moved = jnp.matmul(matrix, y, precision=tree.PRECISION)
        bend = jnp.vdot(y, moved)
        # H may have lost its definiteness by rounding alone.
        lost = jnp.outer(moved, moved) / jnp.where(bend > 0, bend, 1)
        return matrix - jnp.where(bend > 0, lost, 0) + jnp.outer(s, s) / jnp.vdot(s, y)


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="fletcher1963rapidly",
)
class Dfp(Composed):
    """Quasi-Newton steps from the dual of BFGS: the least change of H^-1.

    x+ = x - a H g,  H+ = H - H y y'H / y'H y + s s' / s.y

    where s = x+ - x and y = g+ - g. With exact searches it is BFGS, step for step
    (Dixon 1972). The step a satisfies the approximate Wolfe conditions; the search
    is nearly exact by default (`curvature`), which DFP needs and BFGS does not.

    Fails slowly where H has eigenvalues that are too large, which it corrects less
    than BFGS does: use bfgs, or lbfgs for many unknowns.
    """

    curvature: Any = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return too_large("dfp", problem) or cls(curvature=0.1)

    def composition(self):
        """DFP along approximate Wolfe steps from 1."""
        return Searched(DfpDirection(), UnitWolfe(curvature=self.curvature))

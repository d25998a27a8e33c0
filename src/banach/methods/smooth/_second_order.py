"""What methods share that keep value and gradient and ask for second derivatives."""

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core.method import Method


class NewtonState(eqx.Module):
    """Iterate, value and gradient there, what the method knows besides, and counts.

    `seconds` counts Hessians, or products with them.
    """

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    known: PyTree
    evaluations: Int[Array, ""]
    seconds: Int[Array, ""]
    stuck: Bool[Array, ""]


class NewtonMethod(Method):
    """A method that evaluates value and gradient together."""

    def calls(self, state):
        """As counted in the state."""
        n, second = state.evaluations, "hvp" if "hvp" in self.card.needs else "hess"
        return {"value": n, "grad": n, second: state.seconds}

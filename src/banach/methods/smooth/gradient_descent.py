"""Gradient descent with the step 1 / L, or with a line search where L is unknown."""

from typing import Any

from banach.core.card import method
from banach.core.hyperparameters import flag, real, upper
from banach.core.method import Refusal
from banach.parts.line_search_methods import Composed, Fixed, Searched, Steepest, Wolfe


@method(
    problem="Smooth",
    needs={"grad"},
    assumes={"smooth"},
    paper="cauchy1847methode",
    rate_of="f(x) - f*",
    rate=lambda c, t: c.L * c.radius**2 / (4 * t + 2),
)
class GradientDescent(Composed):
    """Steps along the negative gradient.

    x+ = x - a grad f(x)

    With `search` false the step a is `step_size`; for a convex f and a = 1 / L the
    rate is exact (Drori and Teboulle 2014, theorem 2: some f attains it), and the
    distance to the solution shrinks by 1 - mu / L a step where f is strongly
    convex. With `search` true an approximate Wolfe search chooses a; its first
    trial is `step_size`, later ones a (g.g) / (g+.g+), which expects the same
    decrease again (Nocedal and Wright 2006, equation 3.60).

    Fails when `step_size` is above 2 / L and `search` is false: it may diverge.
    Needs about L / mu steps a digit, hopeless on ill-conditioned problems.
    """

    step_size: Any = real()
    search: bool = flag(static=True)

    @classmethod
    def suggest(cls, problem, facts, search=None):
        L = upper(facts, "L")
        if L is not None:
            return cls(step_size=1 / L, search=bool(search))
        if search is False or "value" not in problem.oracles():
            return Refusal(
                "L, or the oracle value",
                "gradient_descent takes 1 / L for its step: declare L on the problem, "
                "e.g. bn.Smooth(f, x0, L=...); a line search in its place (search=True)"
                " needs values",
            )
        return cls(step_size=1.0, search=True)

    def composition(self):
        """The steepest direction, along a search or by a fixed step."""
        if self.search:
            return Searched(Steepest(), Wolfe(first=self.step_size))
        return Searched(Steepest(), Fixed(self.step_size))

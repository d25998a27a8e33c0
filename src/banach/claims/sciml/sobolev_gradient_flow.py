"""Descent in a Sobolev metric contracts, whatever the grid.

Marwah, Lipton, Lu and Risteski follow u+ = u - eta (I - laplace)^-1 E'(u), whose energy
falls exponentially, to bound the size of networks that represent u. Reduced: two
dimensions, finite elements. Step and factor are those of strong monotonicity: the
number of their lemma could not be verified.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, out_of_reach, proved
from banach.claims.sciml import _instances
from banach.methods.sciml.sobolev_gradient_flow import SobolevGradientFlow


@proved("Marwah et al. 2023, exponential descent", at_most(1 + 1e-9))
def contraction():
    """e_t over rho^t e_0, the largest of the steps that the bound needs for 1e-8."""
    worst, curves = {}, {}
    for name, problem in _instances.energies().items():
        low, high = (float(v) for v in problem.ellipticity(1.0))
        rho = (high - low) / (high + low)
        steps = int(np.ceil(np.log(1e-8) / np.log(rho)))
        method, watch = runs.suggested(SobolevGradientFlow, problem), {"x": runs.where}
        rows = runs.trace(problem, method, 3 * steps, g=runs.gradient_norm, **watch)
        # The last point is the minimiser: nothing is left of the gradient.
        np.testing.assert_array_less(rows["g"][-1], 1e-11 * rows["g"][0])
        e = _instances.distance(problem, rows["x"][: steps + 1], rows["x"][-1])
        bound = rho ** np.arange(len(e)) * e[0]
        worst[name] = np.max(((e - 1e-12 * e[0]) / bound)[1:])
        curves[name] = {"distance": e, "bound": bound}
    few = {k: curves[k] for k in ("h = 1/128", "c = 0.145")}
    return Seen(worst, few, ("steps", "|u - u*|"))


headline = out_of_reach(
    "Marwah et al. 2023, the theorem of the abstract",
    "u is within epsilon of a function of Barron norm polynomial in the dimension",
    "nothing: Barron norms are not computed here, and grids end at dimension 2",
)

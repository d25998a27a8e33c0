"""SR1 finds the Hessian of a quadratic in n steps, whatever the steps.

The theorem is one of exact arithmetic: rounding, which small denominators r.p amplify,
leaves 1e-5 on some quadratics, hence 1e-3. Reduced: at most 40 unknowns.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.bfgs import Bfgs
from banach.methods.smooth.sr1 import Sr1

SR1, BFGS, norm = Sr1(np.inf), Bfgs(0.9), np.linalg.norm


@proved("Nocedal and Wright 2006, theorem 6.1", at_most(1e-3))
def hessian():
    """||B - H|| / ||H|| after n steps on a quadratic of n unknowns."""
    found = {}
    for name, problem in instances.bowls(8, 100.0).items():
        B, H = _states.states(SR1, problem, 8).matrix[-1], problem.args[0]
        found[name] = norm(B - H, 2) / norm(H, 2)
    return found


@reported("Conn, Gould and Toint 1991", at_most(1.0, "mean"))
def matrices():
    """||B - H|| over that of BFGS's matrix, each where its gradient fell by 1e-10."""
    found, small = {}, runs.gradient_norm
    for name, problem in _instances.functions(*_instances.SMALL).items():
        end, other = (runs.until(problem, m, small, 1e-10, 120) for m in (SR1, BFGS))
        B, H = _states.states(SR1, problem, end.steps).matrix[-1], problem.hess(end.x)
        inverse = _states.states(BFGS, problem, other.steps).known.matrix[-1]
        found[name] = norm(B - H, 2) / norm(np.linalg.inv(inverse) - H, 2)
    return found


@reported("Khalfan, Byrd and Schnabel 1993, abstract", at_most(1.0, "mean"))
def evaluations():
    """Evaluations until ||g|| fell by 1e-8 over those of BFGS."""
    return _instances.over(_instances.DENSE, SR1, BFGS)

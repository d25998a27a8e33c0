"""SCAFFOLD: local steps that heterogeneous data neither stall nor slow down.

Reduced: four real tables of scikit-learn and a drawn one, sorted by label over 8
workers, in place of EMNIST; exact local gradients, 10 a round, all workers in each.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import at_least, at_most, ours, proved, reported, tuned
from banach.claims.distributed._instances import logistic, over_descent, tables
from banach.methods.distributed.local_sgd import LocalSgd
from banach.methods.distributed.scaffold import Scaffold
from banach.methods.smooth.gradient_descent import GradientDescent

SOURCE = "Karimireddy et al. 2020, "
WORKERS, MU, K = 8, 0.1, 10


def scaffold(step):
    """Ten local steps a round."""
    return Scaffold(step, 1.0, K)


def local(step):
    """FedAvg, all taking part."""
    return LocalSgd(step, 0.0, K)


def descent(step):
    """One step a round, of all data."""
    return GradientDescent(step, search=False)


@proved(SOURCE + "theorem III, strongly convex, no noise", at_least(1.0))
def linear():
    """The rate of ||x - x*||^2 a round, rounds 500 to 1,000, over the theorem's.

    exp(-min(1/30, mu / (162 L)) R), at its steps min(1 / (81 L K), 1 / (15 mu K)).
    """
    found = {}
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, MU)
        L = float(problem.facts().get("L_worker"))
        m = scaffold(min(1 / (81 * L * K), 1 / (15 * MU * K)))
        x = runs.trace(problem, m, 1000, every=500, x=runs.where)["x"]
        e = np.sum((x - best) ** 2, axis=1)
        found[name] = np.log(e[1] / e[2]) / 500 / min(1 / 30, MU / (162 * L))
    return found


@functools.cache
def rounds():
    """Rounds to 1e-3 of F0 - F*, steps the best of 2^j / L, by table and method."""
    makes = {"SCAFFOLD": scaffold, "FedAvg": local, "SGD": descent}
    return {
        name: {k: fewest(*logistic(*table, WORKERS, MU), m) for k, m in makes.items()}
        for name, table in tables().items()
    }


def fewest(problem, best, make):
    """Rounds of one method on one problem."""
    least, L = float(problem.value(best)), float(problem.facts().get("L"))

    def gap(problem, point):
        return problem.value(point.x) - least

    def cost(s):
        return runs.until(problem, make(s / L), gap, 1e-3, 1000).price("steps")

    return tuned([2.0**j for j in range(-8, 7)], cost)[1]


@reported(SOURCE + "table 3: fewer rounds than FedAvg on unlike data", at_most(1.0))
def against_fedavg():
    """Rounds of SCAFFOLD over those of FedAvg."""
    return runs.ratios(rounds(), "SCAFFOLD", "FedAvg")


@reported(SOURCE + "table 3: fewer rounds than SGD on unlike data", at_most(1.0))
def against_descent():
    """Rounds of SCAFFOLD over those of one exact step of gradient descent each."""
    return runs.ratios(rounds(), "SCAFFOLD", "SGD")


@ours("tuned, bits beside gradient descent", at_most(0.5))
def bits():
    """Bits sent to 1e-6 of F0 - F*, two vectors a round, over gradient descent's."""
    return over_descent(lambda problem, s: scaffold(s))

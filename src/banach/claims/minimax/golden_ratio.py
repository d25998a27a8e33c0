"""aGRAAL converges with one evaluation a step, no constant and no search.

Malitsky (2020): for monotone F, Lipschitz only near the iterates, an energy never
rises, and on Nash-Cournot equilibria of 1,000 firms the residual falls below that of
Tseng's method with a search. Reduced: 5,000 steps of 50,000, five draws of ten in each
scenario. The energy was derived from the algorithm, and agrees with the accounts of
the proof; the upper bound of the step is left out, as in the author's code.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, ours, proved, reported
from banach.claims.minimax import _instances as instances
from banach.core import tree
from banach.kinds.inclusion.problem import Inclusion
from banach.methods.minimax.backtracking_extragradient import BacktrackingExtragradient
from banach.methods.minimax.golden_ratio import GoldenRatio
from banach.terms.sets import Nonnegative

PHI = 1.5
OURS = GoldenRatio(PHI)
STEPS = 5000
# Of the unit costs' exponents, and of the demand: Malitsky's two scenarios.
SCENARIOS = {"scenario 1": (0.5, 2.0, 1.1), "scenario 2": (0.3, 4.0, 1.5)}


def field(problem, point):
    """F(z), as one vector."""
    return tree.ravel(problem.operator(point.x))[0]


@proved("Malitsky 2020, the energy of the proof for aGRAAL", at_most(1e-12))
def energy():
    """Largest rise of phi / (phi - 1) ||a - z*||^2 + theta / 2 ||z - z-||^2."""
    found = {}
    for kind in (instances.cubic, instances.bilinear, instances.boxed):
        for name, problem in instances.drawn(kind).items():
            step = float(OURS.init(problem, problem.start(), None).step)
            rows = runs.trace(problem, OURS, 300, z=runs.where, F=field)
            star, _ = tree.ravel(problem.reference)
            seen = energies(rows["z"] - np.asarray(star), rows["F"], step)
            found[f"{kind.__name__}, {name}"] = np.max(np.diff(seen)) / seen[0]
    return found


def energies(z, F, step):
    """After each step but the first, from the iterates and the first step's length."""
    mean, theta, found = z[0], 1.0, []
    for k in range(1, len(z)):
        mean = ((PHI - 1) * z[k] + mean) / PHI
        moved, rose = (np.sum((v[k] - v[k - 1]) ** 2) for v in (z, F))
        found.append(PHI / (PHI - 1) * np.sum(mean**2) + theta / 2 * moved)
        if rose == 0:
            break
        told = PHI * theta / (4 * step) * moved / rose
        old, step = step, min((1 / PHI + 1 / PHI**2) * step, told)
        theta = PHI * step / old
    return np.array(found)


def marginal(q, firm):
    """Marginal cost less marginal revenue of every firm at the supplies q."""
    c, L, beta, gamma = firm
    total = jnp.sum(q)
    price = (5000 / total) ** (1 / gamma)
    return c + (L * q) ** (1 / beta) - price + q * price / (gamma * total)


def market(rng, low, high, gamma):
    """Malitsky's Nash-Cournot equilibrium of 1,000 firms, monotone by assumption."""
    n = 1000
    costs = rng.uniform(1, 100, n), rng.uniform(0.5, 5, n), rng.uniform(low, high, n)
    data = (*(v[None] for v in costs), np.array([gamma]))
    return Inclusion(marginal, np.ones(n), data, term=Nonnegative(), monotone=True)


@reported("Malitsky 2020, section on Nash-Cournot equilibria, figure", at_most(1.0))
def markets():
    """Residual of aGRAAL over that of Tseng's method after as many steps."""
    found, curves = {}, {}
    for scenario, (low, high, gamma) in SCENARIOS.items():
        drawn = instances.drawn(market, low=low, high=high, gamma=gamma)
        for name, problem in drawn.items():
            lines = {}
            for label, m in (("aGRAAL", OURS), ("Tseng", instances.Tseng())):
                rows = runs.trace(problem, m, STEPS, every=50, r=instances.residual)
                lines[label] = rows["r"]
            found[f"{scenario}, {name}"] = lines["aGRAAL"][-1] / lines["Tseng"][-1]
        at = np.arange(0, STEPS + 1, 50)
        curves[scenario] = {k: (at, v) for k, v in lines.items()}
    return Seen(found, curves, ("steps", "residual"))


@ours("a user's question", at_most(1.0, "mean"))
def searching():
    """Evaluations to 1e-6 over those of extragradient with backtracking."""
    found = {}
    for kind in (instances.cubic, instances.bilinear, instances.boxed):
        problems = instances.drawn(kind)
        makes = {
            "ours": lambda _: OURS,
            "search": lambda _: BacktrackingExtragradient(0.9, 0.7, 1.5),
        }
        table = runs.prices(
            problems, makes, instances.residual, 1e-6, 50_000, "operator"
        )
        rows = runs.ratios(table, "ours", "search")
        found |= {f"{kind.__name__}, {name}": v for name, v in rows.items()}
    return found

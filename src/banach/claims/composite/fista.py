"""FISTA is as simple as ISTA and provably and practically much faster.

Beck and Teboulle (2009): F(x_k) - F* <= 2 L R^2 / (k + 1)^2 (theorem 4.4), and on
wavelet deblurring ISTA after 10,000 steps is still above what FISTA reaches after
275. Measured on deblurring of handwritten digits (64 x 64 instead of 256 x 256,
periodic edges, 1,000 ISTA steps instead of 10,000) and on the Lasso of the diabetes
data, both without restart; the restart of O'Donoghue and Candes is reported beside
it. F* is the least value that restarted FISTA reaches in many more steps.

What is seen: the bound and the deblurring hold with room. The half on the Lasso does
not: once its few coefficients are identified ISTA converges linearly, down to the
rounding of F in a hundred steps, and momentum without restart only oscillates there.
That part was required by us, not by the paper, and stays as it was written.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "2 L R^2 / (k + 1)^2 holds at every step on both problems; FISTA needs at most a "
    "fifth of ISTA's 1,000 steps for the same value on deblurring, half on the Lasso"
)
STEPS = 1000
SHARE = {"deblurring": 0.2, "lasso": 0.5}


def measure() -> dict[str, Any]:
    """Values of ISTA, FISTA and restarted FISTA, and the bound."""
    from banach.claims.composite import _shared
    from banach.methods.composite.fista import Fista
    from banach.methods.composite.proximal_gradient import ProximalGradient

    rows = {}
    with jax.enable_x64(True):
        cases = {"deblurring": _shared.deblurring(), "lasso": _shared.lasso()}
        for name, problem in cases.items():
            L = float(problem.facts().L)
            least, x = _shared.reference(problem, 15 * STEPS)
            gaps = {
                kind: _shared.trajectory(problem, method, STEPS)[0] - least
                for kind, method in {
                    "ISTA": ProximalGradient(L, backtrack=False),
                    "FISTA": Fista(L, restart=False),
                    "restarted": Fista(L, restart=True),
                }.items()
            }
            k = np.arange(1, STEPS + 1)
            bound = 2 * L * _shared.radius(problem, x) ** 2 / (k + 1) ** 2
            # The rounding of F itself, a sum over the data.
            noise = 1e-13 * float(problem.objective(problem.start().x))
            target = max(gaps["ISTA"][-1], noise)
            rows[name] = {
                "worst": float(np.max((gaps["FISTA"] - noise) / bound)),
                "ista_gap": float(target),
                "needs": {
                    kind: int(np.argmax(gap <= target)) + 1
                    for kind, gap in gaps.items()
                },
                "ista_needs": int(np.argmax(gaps["ISTA"] <= target)) + 1,
                "gaps": {
                    kind: np.maximum(g, noise).tolist() for kind, g in gaps.items()
                },
                "bound": bound.tolist(),
            }
    return rows


def verdict(numbers: dict[str, Any]) -> bool:
    """The bound holds, and the steps needed are few enough."""
    return all(
        row["worst"] <= 1 and row["needs"]["FISTA"] <= SHARE[name] * row["ista_needs"]
        for name, row in numbers.items()
    )


def measured(numbers: dict[str, Any]) -> str:
    """Steps needed for the value that ISTA ends with."""
    return "; ".join(
        f"{name}: FISTA {r['needs']['FISTA']} and restarted {r['needs']['restarted']} "
        f"steps for the value of {r['ista_needs']} ISTA steps "
        f"(gap {r['ista_gap']:.1e}), at most {r['worst']:.2g} of the bound"
        for name, r in numbers.items()
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Gaps against steps with the bound."""
    from banach.claims.figures import canvas

    with canvas(path, 1, len(numbers), figsize=(10, 3.6)) as axes:
        for ax, (name, row) in zip(axes, numbers.items(), strict=True):
            for kind, gap in row["gaps"].items():
                ax.loglog(np.arange(1, len(gap) + 1), gap, label=kind)
            k = np.arange(1, len(row["bound"]) + 1)
            ax.loglog(k, row["bound"], "k--", lw=1, label="bound of FISTA")
            ax.set(title=name, xlabel="step", ylabel="F - F*")
        axes[0].legend()

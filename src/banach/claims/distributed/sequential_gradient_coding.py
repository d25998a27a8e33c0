"""Sequential gradient codes beat one-round codes where stragglers come in bursts.

Krishnan, Ebrahimi and Khisti (2023): M-SGC bears bursts of stragglers with much less
redundant work than a gradient code that has to decode every round; training on 256
workers took 16 % less time than with GC.

Measured on a simulated clock: 16 workers, Gilbert-Elliott stragglers (5 % become slow
a round, half of them recover, slow is 5 times), 400 gradients of logistic regression
on breast_cancer. GC's s, SR-SGC's and M-SGC's (burst, window, stragglers) are each the
best of a small grid on other draws than those that are reported. The gradients are
computed and decoded; the times are drawn. Reduced: 16 simulated workers in place of
256 real ones.

What is seen: M-SGC saves a quarter of GC's time, and decoding is exact. GC itself is no
faster than no code at all: a round's time is nearly all load here, and to bear three
stragglers every worker does four times the work, while a slow one takes five times as
long. That half was required by us, not by the paper, and stays as it was written.
"""

from typing import Any

import jax
import numpy as np

REQUIRED = (
    "decoded gradients exact to 1e-10 in every round; simulated time M-SGC < GC < "
    "uncoded"
)
WORKERS, JOBS = 16, 400
GRID = {
    "uncoded": [(0,)],
    "GC": [(1,), (2,), (3,), (5,)],
    "SR-SGC": [(1, 2, 2), (1, 2, 4), (1, 2, 6)],
    "M-SGC": [(1, 2, 2), (1, 2, 4), (1, 2, 6), (2, 3, 4)],
}


def measure() -> dict[str, Any]:
    """Simulated seconds, loads, decoding errors, and the best settings."""
    from banach.claims.distributed import _shared
    from banach.methods.distributed.sequential_gradient_coding import (
        SequentialGradientCoding,
    )

    rows = {}
    with jax.enable_x64(True):
        problem, best = _shared.logistic(WORKERS, 0.1)
        L = float(problem.facts().L)
        for name, settings in GRID.items():
            tuned = {s: float(_clock(_scheme(name, s), seed=1)[-1]) for s in settings}
            chosen = min(tuned, key=lambda s: tuned[s])
            scheme = _scheme(name, chosen)
            clocks = [_clock(scheme, seed).tolist() for seed in (2, 3, 4, 5, 6)]
            method = SequentialGradientCoding(1 / L, scheme)
            e, state = _shared.errors(problem, method, best, JOBS)
            rows[name] = {
                "settings": list(chosen),
                "load": scheme.load,
                "seconds": float(np.mean([c[-1] for c in clocks])),
                "spread": float(np.std([c[-1] for c in clocks])),
                "decoding": float(state.error),
                "error": float(e[-1]),
                "clock": clocks[0],
            }
    return rows


def _scheme(name: str, settings: tuple[int, ...]) -> Any:
    from banach.methods.distributed import _coding_schemes as schemes

    make = {"SR-SGC": schemes.sr_sgc, "M-SGC": schemes.m_sgc}.get(name, schemes.gc)
    return make(WORKERS, *settings)


def _clock(scheme: Any, seed: int) -> Any:
    """The clock after each of JOBS rounds, without the gradients."""
    import jax.numpy as jnp

    from banach.engine.loop import leaves_in
    from banach.methods.distributed.sequential_gradient_coding import (
        SequentialGradientCoding,
    )

    method = leaves_in(np.float64, SequentialGradientCoding(1.0, scheme))

    def step(carry, key):
        slow, history, clock = carry
        slow, seconds = method.bursts.round(slow, scheme.load, key, clock.dtype)
        _, took, history = method.waited(history, seconds)
        return (slow, history, clock + took), clock + took

    first = (
        jnp.zeros(WORKERS, bool),
        jnp.zeros((scheme.memory, WORKERS), bool),
        jnp.zeros(()),
    )
    keys = jax.random.split(jax.random.key(seed), JOBS)
    return np.asarray(jax.jit(lambda c, k: jax.lax.scan(step, c, k)[1])(first, keys))


def verdict(numbers: dict[str, Any]) -> bool:
    """Exact, and in this order."""
    time = {k: v["seconds"] for k, v in numbers.items()}
    exact = all(v["decoding"] <= 1e-10 for v in numbers.values())
    return exact and time["M-SGC"] < time["GC"] < time["uncoded"]


def measured(numbers: dict[str, Any]) -> str:
    """One line."""
    parts = [
        f"{k}{tuple(v['settings'])} load {v['load']:.3f}: {v['seconds']:.1f} s"
        for k, v in numbers.items()
    ]
    worst = max(v["decoding"] for v in numbers.values())
    saved = 1 - numbers["M-SGC"]["seconds"] / numbers["GC"]["seconds"]
    return f"{'; '.join(parts)}; M-SGC saves {saved:.0%} of GC; decoding {worst:.1e}"


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Gradients done against simulated seconds."""
    from banach.claims.figures import canvas

    with canvas(path, figsize=(6, 4)) as ax:
        for name, row in numbers.items():
            label = f"{name} {tuple(row['settings'])}, load {row['load']:.3f}"
            ax.plot(row["clock"], np.arange(1, JOBS + 1), label=label)
        ax.set(
            xlabel="simulated seconds", ylabel="gradients", title="16 workers in bursts"
        )
        ax.legend()

"""One step of the optimisers of bn.train and of optax, over a step of optax's adam.

    python -m benchmarks optimizers [--quick]

Ten million parameters in about sixty leaves, float32, parameters and state donated, all
in turns in one process. Bytes are of the state, a parameter. A full run writes
OPTIMIZERS.md beside this file.
"""

import functools
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import banach as bn
from banach import catalogue
from benchmarks import measure

PAGE = Path(__file__).parent / "OPTIMIZERS.md"
ELEMENTWISE = 1.2
"""What a step of an elementwise rule of ours may take of adam's."""
OPTAX = {
    "adam": optax.adam,
    "lion": optax.lion,
    "adafactor": optax.adafactor,
    "schedule_free_adamw": optax.contrib.schedule_free_adamw,
}
# Rules that mix the entries of a leaf: no goal of elementwise ones.
MIXING = frozenset(
    "adafactor apollo blockwise_8bit_state subset_norm_subspace_momentum".split()
)
# What factorises matrices of a thousand rows, or keeps many copies: not run here.
LEFT_OUT = frozenset(
    "fira m_fac non_euclidean_trust_region online_subspace_descent psgd_lie "
    "scalable_shampoo shampoo turbo_muon".split()
)


def parameters(size: int, leaves: int = 60) -> Any:
    """Matrices, and every third a vector; from thousands to a million entries."""
    rng = np.random.default_rng(0)
    shares = np.exp(rng.uniform(np.log(1e3), np.log(1e6), leaves))
    found = {}
    for i, n in enumerate(shares / shares.sum() * size):
        rows = int(max(8, np.sqrt(n) // 8 * 8))
        shape = (rows, max(8, int(n // rows)))
        values = rng.standard_normal(shape if i % 3 else shape[0] * shape[1])
        found[f"leaf {i}"] = jnp.asarray(values, jnp.float32)
    return found


class Contender:
    """A transformation with parameters and state of its own."""

    def __init__(self, tx: Any, params: Any, extra: dict[str, Any]):
        @functools.partial(jax.jit, donate_argnums=(0, 1))
        def step(params, state, grads, extra):
            updates, state = tx.update(grads, state, params, **extra)
            return optax.apply_updates(params, updates), state

        self.step, self.extra = step, extra
        self.params = jax.tree.map(jnp.copy, params)
        self.state = tx.init(self.params)

    def __call__(self, grads: Any) -> float:
        """Seconds of one step."""
        began = time.perf_counter()
        self.params, self.state = self.step(self.params, self.state, grads, self.extra)
        jax.block_until_ready(self.params)
        return time.perf_counter() - began

    def bytes_of_state(self) -> int:
        return sum(v.nbytes for v in jax.tree.leaves(self.state))


def contenders(params: Any) -> dict[str, Contender]:
    """By name; what needs more than a gradient is given what it asks for."""
    known = {"curvature": jax.tree.map(jnp.ones_like, params), "value": jnp.float32(1)}
    found = {
        f"optax {name}": Contender(
            optax.with_extra_args_support(make(1e-3)), params, {}
        )
        for name, make in OPTAX.items()
    }
    index = catalogue.load_index()
    for name in sorted(n for n, entry in index.items() if entry["rule"]):
        rule = catalogue.load_method(name)
        if name in LEFT_OUT or not set(rule.extra) <= set(known):
            continue
        extra = {key: known[key] for key in rule.extra}
        tx = getattr(bn.train, name)(learning_rate=1e-3)
        found[name] = Contender(tx, params, extra)
    return found


def run(quick: bool = False) -> measure.Report:
    params = parameters(200_000 if quick else 10_000_000)
    grads = jax.tree.map(lambda v: v / 10, params)
    size = sum(v.size for v in jax.tree.leaves(params))
    field = contenders(params)
    seconds: dict[str, list[float]] = {name: [] for name in field}
    for each in field.values():
        each(grads)
    for i in range(3 if quick else 15):
        for name in field if i % 2 == 0 else reversed(field):
            seconds[name].append(field[name](grads))
    rows, goals = [], []
    for name, each in field.items():
        ratio = measure.ratio(seconds, name, "optax adam")
        time_of = 1e3 * statistics.median(seconds[name])
        rows.append([name, time_of, ratio, each.bytes_of_state() / size])
        if not name.startswith("optax") and name not in MIXING:
            goals.append(measure.Goal(f"{name} over optax adam", ratio, ELEMENTWISE))
    report = measure.Report(
        "optimizers", "A step of each optimiser",
        f"{size:,} parameters in {len(params)} leaves, float32, donated; in turns.",
        ["optimiser", "ms a step", "over optax adam", "bytes of state a parameter"],
        rows, goals,
    )  # fmt: skip
    if not quick:
        machine = measure.machine()
        head = f"{machine['cpu']}, {machine['cores']} cores, {machine['date']}."
        PAGE.write_text(
            f"# Optimisers of networks\n\n    python -m benchmarks optimizers\n\n{head}"
            f"\n\n{report.markdown()}",
            encoding="utf-8",
        )
    return report

"""Statistical checks under the worst stopping rule: try until one passes.

Every mean lies above its target by a hair, so that each certificate is false. Of n
runs at most delta n + 3 sqrt(n delta (1 - delta)) may end with one.
"""

import time
from typing import Any, ClassVar

import numpy as np

from fuzz.engine import Count, Fault

DELTA, HAIR, RUNS = 0.05, 1e-6, 250
MEANS = (0.02, 0.1, 0.5)


def _square(x):
    return x @ x


def fresh(problem, x, key, n):
    """n coin flips; every x sees its own."""
    import jax
    import jax.numpy as jnp

    del problem
    key = jax.random.fold_in(key, x[0].astype(jnp.int32))
    return (jax.random.uniform(key, (n,), x.dtype) < x[1]).astype(x.dtype)


def column(problem, x, data):
    """The losses of candidate x[0] on the held-out rows."""
    import jax.numpy as jnp

    del problem
    return jnp.take(data, x[0].astype(jnp.int32), axis=1)


class Coverage:
    """Failures of one statistical check in many runs."""

    truth_is: ClassVar[str] = "the mean exceeds the target; share of runs that pass"
    weight: ClassVar[float] = 1.25
    dtypes: ClassVar[tuple[Any, ...]] = (np.float64,)

    def __init__(self, name: str, check: str, shape: str, tries: int):
        self.name, self.check, self.shape, self.tries = name, check, shape, tries

    def cover(self, dtype: Any, runs: int, seed: int) -> tuple[Count, list[Fault]]:
        """Counts: lanes are runs, certified are failures; false if too many."""
        import jax

        from banach.core import compat

        began = time.perf_counter()
        count = Count(self.name, str(np.dtype(dtype)))
        failed, total = {m: 0 for m in MEANS}, {m: 0 for m in MEANS}
        with compat.double():
            many = jax.jit(jax.vmap(self._run, in_axes=(0, None)))
            at = 0
            while count.lanes < runs:
                mean = MEANS[at % len(MEANS)]
                keys = jax.random.split(jax.random.key(seed * 1_000_003 + at), RUNS)
                passed = np.asarray(many(keys, mean))
                failed[mean] += int(passed.sum())
                total[mean] += RUNS
                count.lanes += RUNS
                at += 1
        faults = []
        for mean, n in total.items():
            most = DELTA * n + 3 * np.sqrt(n * DELTA * (1 - DELTA))
            count.certified += failed[mean]
            if n and failed[mean] > most:
                count.false += failed[mean]
                faults.append((mean, failed[mean], n))
        count.seconds = time.perf_counter() - began
        return count, faults

    def _run(self, key, mean):
        """Whether any of the tries of one run passed."""
        import jax
        import jax.numpy as jnp

        import banach as bn
        from banach.checks import by_name
        from banach.core.point import Point

        data_key, check_key = jax.random.split(key)
        problem = bn.Smooth(_square, np.zeros(2))
        if self.check == "held_out":
            flips = jax.random.uniform(data_key, (400, self.tries)) < mean + HAIR
            rows = flips.astype(jnp.float64)
            check = by_name(
                "held_out", losses=column, data=rows, target=mean, delta=DELTA
            )
        else:
            check = by_name(
                "mean", draw=fresh, target=mean, delta=DELTA, batch=64, epochs=4
            )

        def step(state, i):
            look, passed = state
            x = jnp.stack([i.astype(jnp.float64), mean + HAIR])
            cert, _ = check(problem, Point(x), check_key, look)
            return (jnp.asarray(cert.look, jnp.int32), passed | cert.within(1e-6)), None

        start = (jnp.zeros((), jnp.int32), jnp.asarray(False))
        (_, passed), _ = jax.lax.scan(step, start, jnp.arange(self.tries))
        return passed


def kinds() -> list[Any]:
    """Fresh samples, and one held-out set for many candidates."""
    return [
        Coverage("mean_coverage", "mean", "64 draws", 30),
        Coverage("held_out_coverage", "held_out", "400 rows", 20),
    ]

"""What workers hold and send, a row each, and what that weighs."""

from collections.abc import Callable

import jax
from jax.sharding import Mesh
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.problem import Problem
from banach.methods.distributed._compressors import Compressor
from banach.parts import worker_map

Rows = Float[Array, "workers n"]


def flat(stacked: PyTree) -> Rows:
    """What an oracle stacked over workers, a row a worker."""
    return jax.vmap(lambda one: tree.ravel(one)[0])(stacked)


def received(mesh: Mesh | None, compress: Callable, rows: Rows, key: Array) -> Rows:
    """compress(row, key) of every worker, whose keys are split from `key`."""
    keys = jax.random.split(key, rows.shape[0])
    return worker_map.each(mesh, lambda _, v, k: compress(v, k), None, rows, keys)


def bits(problem: Problem, compressor: Compressor | None = None) -> int:
    """Of one message, compressed or not."""
    n, word = problem.size(), 8 * tree.word(problem.start().x)
    return n * word if compressor is None else compressor.sent(n, word)


def sent(problem: Problem, steps: int, up: float) -> dict[str, int]:
    """Bytes: `up` bits from each worker in all, an iterate a step to each."""
    workers = problem.workers
    down = workers * steps * bits(problem) // 8
    return {"up": int(workers * up) // 8, "down": down}

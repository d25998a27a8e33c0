"""Thousands of problems of one structure at once, finished lanes compacted away."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import programs, store
from banach.core import run as loop
from banach.core.plan import Limits
from banach.core.run import Settings

CHUNK_SECONDS = 0.2


class Lanes(NamedTuple):
    """Carries of all lanes (leaves with a leading axis), and seconds."""

    carry: Any
    compile: float
    run: float
    timed_out: bool


_BATCHED: dict[Any, Any] = {}


def run_lanes(
    stacked: Any,
    settings: Settings,
    limits: Limits,
    *,
    raw_keys: np.ndarray,
    began: float,
    progress: Callable[[int, int], None] | None = None,
) -> Lanes:
    """Run (problem, method, check, start) stacked along axis 0 until all lanes end.

    Lanes are independent: each has its own carry, key and verdict. After each chunk
    the lanes still running move into the smallest power-of-two bucket that holds
    them, so a straggler does not keep the others' arithmetic alive.
    """
    leaves, treedef = programs.flat(stacked)
    total = leaves[0].shape[0]
    solo = [jax.ShapeDtypeStruct(v.shape[1:], v.dtype) for v in leaves]
    struct, tree = _struct(treedef, solo, settings)
    dtype = struct.last.parts[0].value.dtype
    zero = jax.tree.leaves(loop.fill(struct, np.zeros))
    final = [np.broadcast_to(z, (total, *np.shape(z))).copy() for z in zero]
    lanes = np.arange(total)
    device = [jnp.asarray(v) for v in leaves]
    keys = jnp.asarray(raw_keys)
    carry = [jnp.asarray(v) for v in final]
    fresh, blocks = True, 8
    compile_seconds = run_seconds = 0.0
    timed_out = False
    status_at = _index_of(tree)
    while True:
        call, seconds = _program(treedef, tree, settings, device, keys, carry, dtype)
        compile_seconds += seconds
        t0 = time.perf_counter()
        carry = call(
            device, keys, carry, np.bool_(fresh), np.int32(blocks),
            np.int32(limits.steps), np.asarray(limits.tol, dtype),
        )  # fmt: skip
        status = np.asarray(carry[status_at])
        took = time.perf_counter() - t0
        run_seconds += took
        fresh = False
        # A bucket is padded by repeating its first lane: the padding is not read.
        running = np.flatnonzero(status[: len(lanes)] == 0)
        timed_out = bool(
            limits.time is not None and time.perf_counter() - began >= limits.time
        )
        if progress is not None:
            progress(total - len(running), total)
        bucket = 1 << max(len(running) - 1, 0).bit_length()
        if len(running) and not timed_out and bucket > len(status) // 2:
            blocks = _grow(blocks, took)
            continue
        for out, now in zip(final, carry, strict=True):
            out[lanes] = np.asarray(now)[: len(lanes)]
        if not len(running) or timed_out:
            break
        pick = np.concatenate([running, np.repeat(running[:1], bucket - len(running))])
        device = [v[pick] for v in device]
        keys, carry = keys[pick], [v[pick] for v in carry]
        lanes = lanes[running]
        blocks = _grow(blocks, took)
    return Lanes(
        jax.tree.unflatten(tree, final), compile_seconds, run_seconds, timed_out
    )


def _grow(blocks: int, took: float) -> int:
    return max(1, int(blocks * min(4.0, CHUNK_SECONDS / max(took, 1e-6))))


def _struct(treedef: Any, solo: list[Any], settings: Settings) -> tuple[Any, Any]:
    problem, method, check, start = jax.tree.unflatten(treedef, solo)
    key = jax.eval_shape(lambda: jax.random.key(0))
    struct = loop.carry_like(problem, method, check, start, key, settings)
    return struct, jax.tree.structure(struct)


def _index_of(tree: Any) -> int:
    marked = jax.tree.unflatten(tree, list(range(tree.num_leaves)))
    return marked.status


def _program(treedef, tree, settings, device, keys, carry, dtype):
    key = (treedef, programs.signature(device), settings, jax.default_backend())
    if key in _BATCHED:
        return _BATCHED[key], 0.0
    began = time.perf_counter()

    def one(leaves, raw, carry_leaves, fresh, blocks, max_steps, tol):
        problem, method, check, start = jax.tree.unflatten(treedef, leaves)
        out = loop.kernel(
            problem, method, check, start, jax.random.wrap_key_data(raw),
            jax.tree.unflatten(tree, carry_leaves), fresh, blocks, max_steps, tol,
            settings,
        )  # fmt: skip
        return jax.tree.leaves(out)

    many = jax.vmap(one, in_axes=(0, 0, 0, None, None, None, None))
    shapes = jax.tree.map(
        lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), (device, keys, carry)
    )
    count = jax.ShapeDtypeStruct((), np.int32)
    rest = (jax.ShapeDtypeStruct((), np.bool_), count, count)
    last = jax.ShapeDtypeStruct((), dtype)
    call = store.compiled(jax.jit(many).lower(*shapes, *rest, last))
    _BATCHED[key] = call
    return call, time.perf_counter() - began

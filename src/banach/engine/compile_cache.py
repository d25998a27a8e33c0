"""Compiled kernels, kept in memory by structure: a new value never compiles again."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import mesh
from banach.core.point import Point
from banach.core.tree import size
from banach.engine import executors, loop
from banach.engine.loop import Carry, Settings
from banach.engine.packing import Packing, Place

COUNTS = {"kernel": 0}
STREAM_FROM = 2**25  # bytes of a carry that no cache holds (ours)


class Kernel(NamedTuple):
    """A chunk of the outer loop; the carry is packed (see `packing`).

    call(leaves, raw_key, packed, [fresh, blocks, max_steps], tol) -> packed

    For a large state the limits end in `careful`, and the buffers of `scratch` follow:
    what is returned lies in them (`large.Turns` calls it).
    """

    call: Any
    tree: Any
    packing: Packing
    zero: list[Any]
    dtype: Any
    status: Place
    step: Place
    best: tuple[list[Place], Any]  # places and structure of the best point
    place: Any  # the mesh that the carry lies on, None: the default device
    scratch: list[Any] | None = None  # of the arrays `packing.alone()`, in order
    deferred: bool = False  # see `loop.kernel`: not every step is looked at

    def carry(self, packed: list[Any]) -> Carry:
        """The structured carry, small leaves as NumPy arrays."""
        leaves = self.packing.unpack(self._seen(packed))
        return jax.tree.unflatten(self.tree, leaves)

    def point(self, packed: list[Any]) -> Point:
        """The best point, as NumPy arrays."""
        seen, (places, treedef) = self._seen(packed), self.best
        leaves = [np.asarray(self.packing.leaf(seen, p)) for p in places]
        return jax.tree.unflatten(treedef, leaves)

    def packed(self, carry: Carry) -> list[Any]:
        """The reverse of `carry`."""
        return jax.device_put(self.packing.pack(jax.tree.leaves(carry)), self.place)

    def progress(self, packed: list[Any]) -> tuple[int, int]:
        """(status, step)."""
        counts = np.asarray(packed[self.status.array])
        return int(counts[self.status.first]), int(counts[self.step.first])

    def _seen(self, packed: list[Any]) -> list[Any]:
        shared = self.packing.shared
        return [np.asarray(v) if i in shared else v for i, v in enumerate(packed)]


class Key:
    """What a program is compiled for: structure, shapes, dtypes, backend.

    Comparing structures calls Python for every module in them: the hash is kept, and
    a key compares with itself at once.
    """

    __slots__ = ("_hash", "parts", "treedef")

    def __init__(self, treedef: Any, leaves: list[Any]):
        self.treedef = treedef
        self.parts = (treedef, signature(leaves), jax.default_backend())
        self._hash = hash(self.parts)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Key) and self.parts == other.parts)

    def __hash__(self) -> int:
        return self._hash


_KERNELS: dict[Any, Kernel] = {}


def signature(leaves: list[Any]) -> tuple[Any, ...]:
    """Shapes and dtypes, what a program is compiled for besides structure."""
    return tuple((v.shape, v.dtype) for v in leaves)


def flat(tree: PyTree) -> tuple[list[Any], Any]:
    """Leaves as arrays, and the structure."""
    leaves, treedef = jax.tree.flatten(tree)
    ready = [v if isinstance(v, jax.Array) else np.asarray(v) for v in leaves]
    return ready, treedef


def has_kernel(key: Key, settings: Settings) -> bool:
    """Whether the kernel of this structure is compiled already."""
    return (key, settings.every, settings.rows, settings.absolute) in _KERNELS


def kernel_for(
    key: Key,
    leaves: list[Any],
    settings: Settings,
    known: Callable[[], Carry | None] = lambda: None,
    together: bool = False,
) -> Kernel:
    """The compiled kernel for (problem, method, check, start) of this structure.

    `known` gives the carry's structure, or None: then it is traced. Where other
    programs are compiled at the same time, `together`, one thread compiles it.
    """
    name = (key, settings.every, settings.rows, settings.absolute)
    found = _KERNELS.get(name)
    if found is None:
        made = _kernel(key, leaves, settings, known, together)
        found = _KERNELS[name] = made
    return found


@executors.clocked
def _kernel(
    key: Key,
    leaves: list[Any],
    settings: Settings,
    known: Callable[[], Carry | None],
    together: bool,
) -> Kernel:
    treedef = key.treedef
    problem, method, check, start = jax.tree.unflatten(treedef, leaves)
    raw_key: Any = np.zeros(2, np.uint32)
    struct = known()
    if struct is None:
        struct = loop.carry_like(
            problem, method, check, start, jax.random.wrap_key_data(raw_key), settings
        )
    shapes, tree = jax.tree.flatten(struct)
    packing = Packing(shapes)
    dtype = struct.last.parts[0].value.dtype

    def wrap(carry):
        out, after = jax.tree.flatten(carry)
        if after != tree:
            raise TypeError(f"the carry changed structure: {tree} became {after}")
        return packing.pack(out)

    def unwrap(packed):
        return jax.tree.unflatten(tree, packing.unpack(packed))

    place = mesh.everywhere(problem)
    large = place is None and size(start.x) >= loop.LARGE
    deferred = large and method.absorbing
    alone = packing.alone()

    def chunk(leaves, raw_key, packed, limits, tol, *scratch):
        fresh, blocks, max_steps = limits[0] != 0, limits[1], limits[2]
        if scratch:
            # XLA cannot know that the choice is always the same: the carry is written
            # where it stays, and not copied a second time.
            packed = list(packed)
            for i, buffer in zip(alone, scratch[0], strict=True):
                packed[i] = jnp.where(blocks >= 0, packed[i], buffer)
        problem, method, check, start = jax.tree.unflatten(treedef, leaves)
        return loop.kernel(
            problem, method, check, start, jax.random.wrap_key_data(raw_key), packed,
            fresh, blocks, max_steps, tol, settings, wrap, unwrap,
            limits[3] != 0 if deferred else True,
        )  # fmt: skip

    scratch = [packing.structs[i] for i in alone] if large else None
    args = (
        leaves,
        jax.ShapeDtypeStruct((2,), np.uint32),
        packing.structs,
        jax.ShapeDtypeStruct((4 if large else 3,), np.int32),
        jax.ShapeDtypeStruct((), dtype),
        *([scratch] if large else []),
    )
    held = sum(s.size * s.dtype.itemsize for s in scratch or ())
    streamed = held >= STREAM_FROM and 2 * held >= sum(v.nbytes for v in leaves)
    options = executors.STREAMED if streamed else None
    if together and not large:
        options = executors.TOGETHER
    call = compiled(chunk, args, place, large, (5,) if large else (), options)
    zero = packing.pack(jax.tree.leaves(loop.fill(struct, np.zeros)))
    zero = jax.device_put(zero, place)
    COUNTS["kernel"] += 1
    at = jax.tree.unflatten(tree, packing.places)
    best = jax.tree.flatten(at.best.point, is_leaf=lambda v: isinstance(v, Place))
    return Kernel(
        call, tree, packing, zero, dtype, at.status, at.step, best, place, scratch,
        deferred,
    )  # fmt: skip


def compiled(
    function: Any,
    args: Any,
    place: Any = None,
    large: bool = False,
    donated: tuple[int, ...] = (),
    options: dict[str, Any] | None = None,
) -> Any:
    """Compile a function for arguments like these, with the options of its backend.

    On a CPU the older loop emitters and the first optimisation level halve the compile
    time; the loops of a solver run as fast (docs/decisions/0003), but for passes over
    `large` arrays (0016). Results lie in the buffers of `donated` arguments.
    """
    return executors.Program(function, args, place, large, donated).xla(options)


def clear() -> None:
    """Forget all programs (tests; long-lived processes)."""
    _KERNELS.clear()


def raw_key(seed: int) -> np.ndarray:
    """Key data of an integer seed, the bits of `jax.random.key(seed)`."""
    return np.array([(seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)

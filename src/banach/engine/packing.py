"""Many small arrays as a few: handing a compiled program an array costs 2 to 3 us.

A carry has dozens of leaves, most of them scalars. Small leaves of one dtype travel
side by side in one vector; large ones, and those NumPy cannot hold, travel alone.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

SMALL = 4096  # bytes


class Place(NamedTuple):
    """Where a leaf lies: which array, from which entry, in which shape."""

    array: int
    first: int | None  # None: the leaf is the array
    size: int
    shape: tuple[int, ...]


class Packing:
    """The layout for leaves of given shapes and dtypes."""

    def __init__(self, shapes: list[Any]):
        self.places: list[Place] = []
        self.structs: list[Any] = []
        vectors: dict[Any, int] = {}
        lengths: dict[int, int] = {}
        for s in shapes:
            if not _small(s):
                self.places.append(Place(len(self.structs), None, s.size, s.shape))
                self.structs.append(s)
                continue
            if s.dtype not in vectors:
                vectors[s.dtype] = len(self.structs)
                lengths[len(self.structs)] = 0
                self.structs.append(s)
            at = vectors[s.dtype]
            self.places.append(Place(at, lengths[at], s.size, s.shape))
            lengths[at] += s.size
        self.shared = frozenset(lengths)
        for at, n in lengths.items():
            dtype = self.structs[at].dtype
            self.structs[at] = jax.ShapeDtypeStruct((n,), dtype)

    def alone(self) -> list[int]:
        """Which arrays are one large leaf each, of numbers."""
        return [
            i
            for i, s in enumerate(self.structs)
            if i not in self.shared and not _extended(s)
        ]

    def pack(self, leaves: list[Any]) -> list[Array]:
        """Leaves to arrays, while tracing or on the host."""
        xp = jnp if any(isinstance(v, jax.Array) for v in leaves) else np
        parts: list[list[Any]] = [[] for _ in self.structs]
        for place, leaf in zip(self.places, leaves, strict=True):
            alone = place.first is None
            parts[place.array].append(leaf if alone else xp.ravel(leaf))
        return [
            xp.concatenate(part) if i in self.shared else part[0]
            for i, part in enumerate(parts)
        ]

    def unpack(self, arrays: list[Any]) -> list[Any]:
        """Arrays to leaves, while tracing or on the host."""
        return [self.leaf(arrays, place) for place in self.places]

    def leaf(self, arrays: list[Any], place: Place) -> Any:
        """One leaf."""
        whole = arrays[place.array]
        if place.first is None:
            return whole
        return whole[place.first : place.first + place.size].reshape(place.shape)


def _small(s: Any) -> bool:
    return not _extended(s) and s.size * s.dtype.itemsize <= SMALL


def _extended(s: Any) -> bool:
    return jax.dtypes.issubdtype(s.dtype, jax.dtypes.extended)

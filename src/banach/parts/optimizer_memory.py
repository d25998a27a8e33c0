"""What the state of an optimiser weighs."""

import dataclasses
from collections import Counter
from typing import Any

import jax
import numpy as np
import optax
from jaxtyping import PyTree

from banach.core.problem import Misuse


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of a state, beside the parameters that it is for.

    Args:
        state: bytes of the state.
        params: bytes of the parameters.
        entries: numbers among the parameters.
        kinds: bytes of the state by dtype.
    """

    state: int
    params: int
    entries: int
    kinds: dict[str, int]

    @property
    def per_parameter(self) -> float:
        """Bytes of state for each parameter."""
        return self.state / max(self.entries, 1)

    def __str__(self):
        by = ", ".join(f"{k} {v:,}" for k, v in sorted(self.kinds.items()))
        return (
            f"state {self.state:,} bytes ({by}), {self.per_parameter:.3g} a parameter; "
            f"{self.entries:,} parameters of {self.params:,} bytes"
        )


def memory(tx: optax.GradientTransformation, params: PyTree) -> Memory:
    """What the state of a transformation weighs, without making it.

    Args:
        tx: any optax transformation.
        params: the parameters, as arrays or as `jax.ShapeDtypeStruct`.

    Raises:
        Misuse: `tx` has no `init`.

    Example:
        >>> import optax
        >>> print(bn.train.memory(optax.adam(1e-3), jnp.zeros(1000)))
        state 8,004 bytes (float32 8,000, int32 4), 8 a parameter; 1,000 parameters \
of 4,000 bytes
    """
    if not callable(getattr(tx, "init", None)):
        raise Misuse(f"memory needs an optax transformation, got {type(tx).__name__}")
    state, shapes = jax.eval_shape(lambda p: (tx.init(p), p), params)
    kinds: Counter[str] = Counter()
    for leaf in jax.tree.leaves(state):
        kinds[np.dtype(leaf.dtype).name] += _bytes(leaf)
    leaves = jax.tree.leaves(shapes)
    entries = sum(leaf.size for leaf in leaves)
    return Memory(sum(kinds.values()), sum(map(_bytes, leaves)), entries, dict(kinds))


def _bytes(leaf: Any) -> int:
    return leaf.size * np.dtype(leaf.dtype).itemsize

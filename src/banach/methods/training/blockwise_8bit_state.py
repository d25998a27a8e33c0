"""Adam whose two moments are kept in 8 bits each."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import rules
from banach.parts.quantised_state import packed, unpacked


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="dettmers2022bit",
    random=True,
)
class Blockwise_8bitState(rules.Rule):
    """Adam on moments that are 8-bit codes with a scale for every block of entries.

    m = b1 Q(m) + (1 - b1) g,  v = b2 Q(v) + (1 - b2) g^2,  g of a batch
    x+ = x - learning_rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Q divides a block by its largest absolute entry and takes the nearest of 256 values
    of the dynamic map, decades with a linear fraction each; blocks without a negative
    entry have a map of their own. A state takes 2 + 8 / block bytes a parameter, not
    8; arrays below `least` entries stay in floats. `bn.train.blockwise_8bit` does the
    same to any other transformation.

    Fails where v spans more than the seven decades of a block: small entries become
    0, and their steps m / eps. The authors keep embeddings in floats and normalise
    them; that is the caller's affair (optax.multi_transform).
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-8, low="nonnegative")
    block: int = count(2048, static=True)
    least: int = count(4096, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        zero = rules.zeros(params)
        return packed((zero, zero), self.block, self.least)

    def direction(self, g, kept, params, t):
        m, v = unpacked(kept)
        m = rules.average(self.b1, m, g)
        v = rules.average(self.b2, v, rules.squares(g))
        first = jax.tree.map(lambda m: m / _share(self.b1, t, m), m)
        second = jax.tree.map(lambda v: v / _share(self.b2, t, v), v)
        d = rules.over_root(first, second, self.eps)
        return d, packed((m, v), self.block, self.least)


def _share(b, t, like):
    """What an average from 0 has of its weights by step t."""
    return 1 - jnp.asarray(b, like.dtype) ** t.astype(like.dtype)

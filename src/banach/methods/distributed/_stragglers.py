"""Workers that are slow in bursts: times of a round, drawn from a key."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.core import compat
from banach.core.problem import Misuse
from banach.core.validated_fields import number


def _number(name: str, **default: Any) -> Any:
    return number(f"Bursts {name}", "nonnegative", **default)


class Bursts(eqx.Module):
    """The Gilbert-Elliott model: each worker is slow or not, and tends to stay so.

    A worker becomes slow with probability `slows` a round and recovers with
    `recovers`. A round of load l takes (latency + l (1 + jitter E)) seconds of a
    simulated clock, E standard exponential, and `factor` times that when slow; the
    whole sum on one worker takes 1 second.
    """

    slows: Float[Array, ""] = _number("slows", default=0.05)
    recovers: Float[Array, ""] = _number("recovers", default=0.5)
    factor: Float[Array, ""] = _number("factor", default=5.0)
    latency: Float[Array, ""] = _number("latency", default=0.01)
    jitter: Float[Array, ""] = _number("jitter", default=0.05)

    def __check_init__(self):
        for name in ("slows", "recovers"):
            chance = getattr(self, name)
            if not compat.is_tracer(chance) and float(chance) > 1:
                raise Misuse(f"Bursts {name} is a probability, got {float(chance):g}")

    def round(
        self, slow: Bool[Array, " n"], load: float, key: Array, dtype: Any
    ) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
        """Who is slow now, and how long each takes."""
        change, noise = jax.random.split(key)
        u = jax.random.uniform(change, slow.shape, dtype)
        slow = jnp.where(slow, u >= self.recovers, u < self.slows)
        wait = jax.random.exponential(noise, slow.shape, dtype)
        seconds = self.latency + load * (1 + self.jitter * wait)
        return slow, jnp.where(slow, self.factor * seconds, seconds)

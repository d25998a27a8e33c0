"""Nielsen's rule for the damping of Levenberg-Marquardt (1999)."""

import jax.numpy as jnp


def eased(damping, ratio):
    """The damping after a step that was taken."""
    return damping * jnp.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3)


def after(damping, growth, taken, accept):
    """(damping, growth): `taken` after a step, else times `growth`, which doubles."""
    return (
        jnp.where(accept, taken, damping * growth),
        jnp.where(accept, 2, 2 * growth),
    )

"""Rounding error of JAX functions: modelled bounds and perturbation estimates."""

from typing import Any

_NAMES = ("perturbed", "supported", "traced_with_error", "with_error")


def __getattr__(name: str) -> Any:
    # Checks that know the rounding of their own formulas never ask for this, and it is
    # twenty modules.
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from banach.checks.rounding import bound

    return getattr(bound, name)

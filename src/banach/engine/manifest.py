"""Versions, device, dtype and seed of a run."""

import functools
import importlib.metadata
import platform
from typing import Any

import jax
import numpy as np


@functools.cache
def _versions() -> dict[str, str]:
    names = ("banach", "jax", "jaxlib", "equinox", "lineax", "optax", "numpy")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    found["python"] = platform.python_version()
    return found


@functools.cache
def _device() -> str:
    d = jax.devices()[0]
    return f"{d.platform}:{d.device_kind}"


def manifest(dtype: str, raw_key: np.ndarray) -> dict[str, Any]:
    """What is needed to name the circumstances of a number."""
    return {
        "versions": dict(_versions()),
        "device": _device(),
        "dtype": dtype,
        "seed": int(raw_key[0]) << 32 | int(raw_key[1]),
    }

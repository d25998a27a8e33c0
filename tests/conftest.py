"""Shared fixtures: local float64, and programs dropped after every module."""

import jax
import pytest


@pytest.fixture(autouse=True)
def x64():
    """Every test runs in JAX's local 64-bit context, never the global flag."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True, scope="module")
def drop_programs():
    """Free compiled programs between modules: XLA keeps memory per program."""
    yield
    jax.clear_caches()

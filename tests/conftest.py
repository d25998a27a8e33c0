"""Shared fixtures: local float64, and programs dropped after every module.

Most of the time of the tests is spent compiling: what they compile themselves is
compiled as banach compiles what runs little, in half of the time.
"""

import os

import jax
import pytest
import tiers

from banach.engine.executors import QUICK

# Read when the first array is made.
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", "")]
    + [f"--{name}={str(value).lower()}" for name, value in QUICK.items()]
)


# No test depends on what another run compiled, and none writes into a home.
os.environ["BANACH_CACHE"] = "off"


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


def pytest_collection_modifyitems(items):
    """Tests that take long belong to the full tier."""
    tiers.mark(items)

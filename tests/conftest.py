"""Shared fixtures: local float64, and programs dropped after every module.

Most of the time of the tests is spent compiling: everything is compiled as banach
compiles what runs little, in half of the time. A module whose tests ask for the bits of
programs as they are shipped says `AS_SHIPPED = True`; so do all programs that a test
starts, such as the examples.
"""

import os

import jax
import pytest
import tiers

from banach.engine import executors
from banach.engine import tiers as executed_by

LOOPS = executors.FAST, executors.TOGETHER
SHIPPED = [dict(options) for options in LOOPS]
# One piece a program: the suite has a process a core.
QUICK = executors.QUICK | {"xla_cpu_parallel_codegen_split_count": 1}

# Read when the first array is made.
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", "")]
    + [f"--{name}={str(value).lower()}" for name, value in QUICK.items()]
)
# Nothing reads where in the source an operation of a program is from.
jax.config.update("jax_traceback_in_locations_limit", 0)
jax.config.update("jax_include_full_tracebacks_in_locations", False)

# No test depends on what another run compiled, and none writes into a home.
os.environ["BANACH_CACHE"] = "off"


@pytest.fixture(autouse=True)
def x64():
    """Every test runs in JAX's local 64-bit context, never the global flag."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True, scope="module")
def quick_programs(request):
    """The compiled loops, too, at the level that compiles fastest."""
    as_shipped = getattr(request.module, "AS_SHIPPED", False)
    if as_shipped:
        executed_by.clear()  # of programs that were compiled quickly
    else:
        for options in LOOPS:
            options.update(QUICK)
    yield
    for options, shipped in zip(LOOPS, SHIPPED, strict=True):
        options.clear()
        options.update(shipped)
    if as_shipped:
        executed_by.clear()


@pytest.fixture(autouse=True, scope="module")
def drop_programs():
    """Free compiled programs between modules: XLA keeps memory per program."""
    yield
    jax.clear_caches()


def pytest_collection_modifyitems(items):
    """Tests that take long belong to the full tier."""
    tiers.mark(items)

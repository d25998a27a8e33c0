"""Importing sif2jax turns JAX to 64 bits; the bridge leaves the flag as it was."""

import sys
import threading

import jax
import pytest

from banach.bridge import sif2jax as bridge
from banach.core.misuse import Misuse

STUB = """
import jax
jax.config.update("jax_enable_x64", True)
problems = constrained_minimisation_problems = []
"""


def flag():
    """The global flag: another thread has none of this one's contexts."""
    found = []
    reader = threading.Thread(target=lambda: found.append(jax.config.jax_enable_x64))
    reader.start()
    reader.join()
    return found[0]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_the_flag_stays_as_it_was(tmp_path, monkeypatch, before, inside):
    (tmp_path / "sif2jax.py").write_text(STUB)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sif2jax", raising=False)
    kept = flag()
    try:
        jax.config.update("jax_enable_x64", before)
        with jax.enable_x64(inside):
            with pytest.raises(Misuse, match="no problem 'HS999'"):
                bridge.by_name("HS999")
            assert list(bridge.equality_constrained()) == []
        assert "sif2jax" in sys.modules and flag() is before
    finally:
        jax.config.update("jax_enable_x64", kept)
        sys.modules.pop("sif2jax", None)

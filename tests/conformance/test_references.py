"""Iterates equal the reference to 1e-10, and no constant can be moved unseen."""

import importlib

import jax
import pytest
from evidence import TOLERANCE, Evidence
from listing import NATIVE, TESTS, marked

from banach import catalogue


def with_cases() -> list[str]:
    """Methods whose reference has cases, read without importing it."""
    texts = {n: TESTS / "reference" / f"{n}.py" for n in NATIVE}
    return [n for n, f in texts.items() if f.exists() and "\nCASES = " in f.read_text()]


@pytest.fixture(scope="module")
def evidence(request):
    reference = importlib.import_module(f"reference.{request.param}")
    # A fixture of a module is made before the 64-bit context of its tests.
    with jax.enable_x64(True):
        return Evidence(catalogue.load_method(request.param), reference)


@pytest.mark.parametrize("evidence", with_cases(), indirect=True, scope="module")
def test_iterates_equal_the_reference(evidence):
    for case, far in zip(evidence.cases, evidence.differences(), strict=True):
        assert far <= TOLERANCE, f"{far:.1e} from the reference with {case.given}"


@pytest.mark.parametrize(
    "evidence", [marked(n, n) for n in with_cases()], indirect=True, scope="module"
)
def test_no_constant_is_moved_unseen(evidence):
    left, stale = evidence.unexplained()
    told = "\n".join(f"{m.where}: {m.text}" for m in left)
    assert not left, f"add a case that feels them, or a reason to EXEMPT:\n{told}"
    assert not stale, f"EXEMPT explains what some case does feel: {stale}"
    assert all(len(reason) > 20 for reason in evidence.exempt.values())

"""Which method meets which problem, and which of it belongs to the default tier."""

import os
import tomllib
from pathlib import Path

import pytest
from beds import BEDS

from banach import catalogue, choose
from banach.core import compat
from banach.core.method import Refusal

TESTS = Path(__file__).resolve().parents[1]
INDEX = catalogue.load_index()
BRIDGES = [n for n, e in INDEX.items() if e["family"] == "bridge"]
NATIVE = [n for n in INDEX if n not in BRIDGES]
ASKED = {n for n in os.environ.get("BANACH_METHODS", "").split(",") if n}


def representatives() -> set[str]:
    """One method a family: the first that counts its own calls, else the first."""
    chosen: dict[str, str] = {}
    for name in sorted(NATIVE, key=lambda n: (INDEX[n]["cost"] is not None, n)):
        chosen.setdefault(INDEX[name]["family"], name)
    return set(chosen.values())


DEFAULT_TIER = representatives() | ASKED


def marked(name: str, *values: str):
    """A parameter, slow unless its method belongs to the default tier."""
    marks = () if name in DEFAULT_TIER else (pytest.mark.slow,)
    return pytest.param(*values, marks=marks, id="-".join(values))


def built(name: str, problem):
    """The method for this problem, or its Refusal."""
    with compat.double():
        return choose.suggest(name, problem, problem.facts())


def applicable(name: str) -> list[str]:
    """The beds that the method applies to."""
    return [
        bed.name
        for bed in BEDS.values()
        if not isinstance(built(name, bed.problem), Refusal)
    ]


def pairs() -> list:
    """(method, problem) for every problem that the method applies to."""
    found = []
    for name in NATIVE:
        for bed in applicable(name):
            found.append(marked(name, name, bed))
    return found


def known_failures() -> list[dict[str, str]]:
    """The entries of tests/known_failures.toml."""
    text = (TESTS / "known_failures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text).get("failure", [])

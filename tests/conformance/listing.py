"""Which method meets which problem, in which layer of the tests."""

import functools
import os
import tomllib
import zlib
from pathlib import Path
from typing import Any

import pytest
from beds import BEDS

from banach import catalogue
from banach.core import compat
from banach.core.method import Refusal
from banach.core.view import Viewed
from banach.doors import defaults

TESTS = Path(__file__).resolve().parents[1]
INDEX = catalogue.load_index()
BRIDGES = [n for n, e in INDEX.items() if e["family"] == "bridge"]
# Ours that run in NumPy alone: no kernel, state or executor to prove; their own tests.
HOSTED = [n for n, e in INDEX.items() if e["host"] and n not in BRIDGES]
NATIVE = [n for n in INDEX if n not in BRIDGES and n not in HOSTED]
OWN = {id(bed.problem): name for name, bed in BEDS.items()}
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


def cases(pairs: list[tuple[str, str]], quick: Any = None) -> list:
    """Parameters of the fixture `case`, slow but where `quick(name, bed)`.

    By default that is where the method belongs to the default tier.
    """

    def one(name: str, bed: str):
        fast = name in DEFAULT_TIER if quick is None else quick(name, bed)
        marks = () if fast else (pytest.mark.slow,)
        return pytest.param((name, bed), marks=marks, id=f"{name}-{bed}")

    return [one(*pair) for pair in pairs]


def built(name: str, problem):
    """The method for this problem, or its Refusal; made once for a bed as it stands."""
    bed = OWN.get(id(problem))
    return _built(name, problem) if bed is None else _for_bed(name, bed)


def _built(name: str, problem):
    with compat.double():
        return defaults.suggest(name, problem, problem.facts())


@functools.cache
def _for_bed(name: str, bed: str):
    return _built(name, BEDS[bed].problem)


@functools.cache
def applicable(name: str) -> list[str]:
    """The beds that the method applies to as they stand.

    What it meets through a view is the view's affair: tests/kinds/test_views.py.
    """
    return [bed.name for bed in BEDS.values() if itself(name, bed.problem)]


def itself(name: str, problem) -> bool:
    """Whether the method takes this problem itself, be it in scaled columns."""
    if not set(INDEX[name]["needs"]) <= problem.oracles():
        return False  # through a view at most, and those are many to ask
    made = built(name, problem)
    if isinstance(made, Refusal):
        return False
    return not isinstance(made, Viewed) or made.view.name == "columns"


@functools.cache
def pairs() -> list[tuple[str, str]]:
    """(method, bed) for every bed that a method of ours applies to: layer A."""
    return [(name, bed) for name in NATIVE for bed in applicable(name)]


def one_a_method() -> list[tuple[str, str]]:
    """One bed for each method: the default tier of layer A.

    Which one follows from the method's name alone, so that the beds are shared out
    and a new method changes nobody else's.
    """
    chosen = []
    for name in NATIVE:
        beds = applicable(name)
        if beds:
            chosen.append((name, beds[zlib.crc32(name.encode()) % len(beds)]))
    return chosen


@functools.cache
def one_a_kind() -> list[tuple[str, str]]:
    """Few pairs in which every family and every kind of problem occurs.

    What the engine makes of methods is run on these whatever the ledger says: layers B
    and C. Pairs with a family and a kind that are both new come first; among alike, the
    family's representative, then the shortest source, whose programs are soon compiled.
    All pairs of the methods that are asked for.
    """
    first = representatives()

    def dear(pair: tuple[str, str]) -> tuple[bool, int, str]:
        name = pair[0]
        home = catalogue.ROOT.joinpath(
            "methods", INDEX[name]["family"], name
        ).with_suffix(".py")
        return name not in first, home.stat().st_size, name

    def ends(pair: tuple[str, str]) -> set[str]:
        return {f"of {INDEX[pair[0]]['family']}", f"on {BEDS[pair[1]].problem.kind}"}

    met: set[str] = set()
    chosen = []
    for new in (2, 1):
        for pair in sorted(pairs(), key=dear):
            if len(ends(pair) - met) == new:
                chosen.append(pair)
                met |= ends(pair)
    asked = [pair for pair in pairs() if pair[0] in ASKED]
    return list(dict.fromkeys([*chosen, *asked]))


def first_of_a_family() -> set[tuple[str, str]]:
    """What the default tier compiles in layer C, besides what is asked for."""
    first: dict[str, tuple[str, str]] = {}
    for name, bed in one_a_kind():
        first.setdefault(INDEX[name]["family"], (name, bed))
    return {*first.values(), *(pair for pair in one_a_kind() if pair[0] in ASKED)}


def known_failures() -> list[dict[str, str]]:
    """The entries of tests/known_failures.toml."""
    text = (TESTS / "known_failures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text).get("failure", [])

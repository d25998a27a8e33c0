"""Which tests are left to the full tier because of the time that they take.

Where the cases of a test function take more than `LIMIT` seconds together, the default
tier runs the first of them, or none where that alone takes as long. The functions are
listed in slow.toml, which `python tests/shards.py --retier` measures anew. The
conformance suite chooses by method instead (see conformance/listing.py).
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

LIMIT = 0.8
FILE = Path(__file__).with_name("slow.toml")
ROOT = Path(__file__).resolve().parents[1]
_HEAD = f"""\
# Written by `python tests/shards.py --retier`: test functions whose cases take more
# than {LIMIT} seconds together on two cores. `none`: no case belongs to the default
# tier. `first`: the first case does.
"""


def listed() -> dict[str, list[str]]:
    """Functions, as path::name, under `none` and `first`."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def mark(items: Iterable[Any]) -> None:
    """Mark collected tests as slow."""
    slow, seen = listed(), set()
    none, first = set(slow["none"]), set(slow["first"])
    for item in items:
        path = item.path.relative_to(ROOT).as_posix()
        name = f"{path}::{getattr(item, 'originalname', item.name)}"
        if name in none or (name in first and name in seen):
            item.add_marker(pytest.mark.slow)
        seen.add(name)


def times(junit: Path) -> dict[str, list[float]]:
    """Function -> seconds of its cases, in the order in which they ran."""
    found: dict[str, list[float]] = {}
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        path = case.get("classname", "").replace(".", "/") + ".py"
        name = case.get("name", "").partition("[")[0]
        if not path.startswith("tests/conformance/"):
            seconds = float(case.get("time", 0))
            found.setdefault(f"{path}::{name}", []).append(seconds)
    return found


def chosen(seconds: dict[str, list[float]]) -> dict[str, list[str]]:
    """What `listed` should be."""
    slow: dict[str, list[str]] = {"none": [], "first": []}
    for name, cases in sorted(seconds.items()):
        if sum(cases) > LIMIT:
            slow["none" if cases[0] > LIMIT else "first"].append(name)
    return slow


def write(slow: dict[str, list[str]]) -> None:
    """slow.toml."""
    parts = [_HEAD]
    for kind, names in slow.items():
        lines = "".join(f'    "{name}",\n' for name in names)
        parts.append(f"{kind} = [\n{lines}]\n")
    FILE.write_text("\n".join(parts), encoding="utf-8")

"""All kinds that are fuzzed."""

from functools import cache
from typing import Any

from fuzz.kind import Kind


@cache
def every() -> dict[str, Kind]:
    """By name."""
    from fuzz import (
        coverage,
        games,
        glm,
        hierarchies,
        quadratic,
        ratios,
        sets,
        structured,
        transport,
    )

    found = {}
    for module in (
        glm,
        sets,
        quadratic,
        games,
        structured,
        ratios,
        transport,
        hierarchies,
        coverage,
    ):
        for kind in module.kinds():
            found[kind.name] = kind
    return found


def by_name(name: str) -> Kind:
    """The kind of this name."""
    return every()[name]


def chosen(parts: str | None) -> list[Kind]:
    """Kinds whose name is, or begins with, one of the parts."""
    if parts is None:
        return list(every().values())
    wanted = [p.strip() for p in parts.split(",") if p.strip()]
    names = set(every())
    return [
        k for k in every().values()
        if k.name in wanted
        or any(k.name.startswith(p) for p in wanted if p not in names)
    ]  # fmt: skip


def shapes(kinds: list[Kind]) -> set[str]:
    """Shapes in use: programs differ by them, by structure and by dtype."""
    return {k.shape for k in kinds}


def shares(kinds: list[Kind], lanes: int) -> dict[str, int]:
    """Lanes of each kind."""
    total = sum(k.weight for k in kinds)
    return {k.name: max(1, round(lanes * k.weight / total)) for k in kinds}


def listing(kinds: list[Kind]) -> str:
    """Name, check, shape and truth of every kind."""
    rows: list[Any] = [(k.name, k.check, k.shape, k.truth_is) for k in kinds]
    widths = [max(len(r[i]) for r in rows) for i in range(3)]
    lines = ["  ".join(v.ljust(w) for v, w in zip(r, [*widths, 0], strict=True))
             for r in rows]  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)

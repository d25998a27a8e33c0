"""Words, signs and number formats shared by the page, the tables and the figures."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Status(NamedTuple):
    """How a verdict is shown: a sign, and a tone that never stands alone."""

    sign: str
    tone: str


STATUS = {
    "certified": Status("✓", "good"),
    "infeasible": Status("∅", "good"),
    "unbounded": Status("↓", "good"),
    "budget": Status("…", "open"),
    "stalled": Status("=", "open"),
    "interrupted": Status("‖", "open"),
    "unverifiable": Status("?", "open"),
    "nonfinite": Status("!", "bad"),
    "refuted": Status("✗", "bad"),
}
UNKNOWN_STATUS = Status("?", "open")

ORACLES = {
    "value": "function values",
    "grad": "gradients",
    "hess": "Hessians",
    "hvp": "Hessian-vector products",
    "prox": "proximal maps",
    "project": "projections",
    "lmo": "linear minimisations (LMO)",
    "dual": "dual points",
    "sample": "samples",
    "stochastic_grad": "gradients of one term",
    "operator": "operator values",
    "resolvent": "resolvents",
    "constraints": "constraint values",
    "residual": "residuals",
    "matvec": "products with A",
}


def status(name: str) -> Status:
    """Sign and tone of a verdict; a verdict unknown here is shown as open."""
    return STATUS.get(name, UNKNOWN_STATUS)


def finite(value: Any) -> float | None:
    """`value` as a finite float, or None where there is no such number."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any) -> str:
    """Three significant digits, exponents as short as they are in the charts."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    digits, mark, power = format(value, ".3g").partition("e")
    return f"{digits}e{int(power)}" if mark else digits


def fact(value: Any) -> str:
    """A declared or derived fact, whatever its type, in one line."""
    if value is None or isinstance(value, bool | int | float):
        return number(value)
    return str(value)


def calls(run: Mapping) -> list[tuple[str, int]]:
    """Oracle calls of a run as (kind, count), in the glossary's order."""
    return [(kind, run["calls"][kind]) for kind in in_order(run["calls"])]


def in_order(kinds: Iterable[str]) -> list[str]:
    """Oracle kinds in the glossary's order, unknown ones last by name."""
    known = list(ORACLES)
    return sorted(
        kinds, key=lambda k: (known.index(k) if k in ORACLES else len(known), k)
    )


def peer(run: Mapping) -> str:
    """What a peer says of its own run; empty for native methods and old files."""
    said = run.get("peer")
    if not said:
        return ""
    return ": ".join(filter(None, (said["status"], said["message"])))


def seeds(run: Mapping) -> str:
    """Certified seeds of all, e.g. 3/5; 1/1 or 0/1 where there was one run."""
    spread = run.get("spread")
    if spread is None:
        return f"{int(run['status'] == 'certified')}/1"
    return f"{spread['certified']}/{spread['runs']}"


def seeds_share(run: Mapping) -> float:
    """Share of the seeds that were certified."""
    certified, runs = seeds(run).split("/")
    return int(certified) / int(runs)


def odds(delta: Mapping) -> str:
    """How likely a statistical verdict is false: of one run, and of any run."""
    return (
        f"each run is wrong with probability at most {number(delta['run'])}, "
        f"any of {delta['runs']} with at most {number(delta['any'])}"
    )


def run_seconds(run: Mapping) -> str:
    """Seconds once compiled; over several seeds the median with its quartiles."""
    spread = run.get("spread")
    if spread is None:
        return number(run["seconds"]["run"])
    low, median, high = map(number, spread["seconds"])
    return f"{median} ({low} to {high})"


def total_seconds(run: Mapping) -> float:
    """The time that a user waits for a first answer, compilation included."""
    seconds = run["seconds"]
    return seconds.get("first", seconds["compile"] + seconds["run"])


def by_verdict(runs: Iterable[Mapping]) -> list[Mapping]:
    """Runs with the decided first, then by the seconds a user waits."""
    tones = ("good", "open", "bad")
    return sorted(
        runs,
        key=lambda run: (tones.index(status(run["status"]).tone), total_seconds(run)),
    )


def summary(race: Mapping) -> str:
    """One sentence: how many methods are certified, and which was quickest."""
    runs = race["runs"]
    done = [run for run in runs if run["status"] == "certified"]
    head = f"{len(done)} of {len(runs)} methods certified to {number(race['tol'])}."
    if not done:
        return head + " No method reached the tolerance."
    wait = min(done, key=total_seconds)
    pure = min(done, key=lambda run: run["seconds"]["run"])
    return (
        f"{head} Shortest wait: {wait['method']}, {number(total_seconds(wait))} s with "
        f"compilation. Shortest run once compiled: {pure['method']}, "
        f"{number(pure['seconds']['run'])} s."
    )

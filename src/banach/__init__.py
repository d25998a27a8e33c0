"""banach: iterative solvers on JAX whose answers are checked.

State a Problem, let a Method iterate; a Check that has never met the method writes
the Certificate. `import banach` imports neither jax nor any family: names load when
they are first used. `dir(banach)` shows doors, kinds, methods and checks; terms and
sets are in `banach.terms`, and by their names here too.
"""

import importlib
import importlib.util

__version__ = "0.1.0"

_DOORS = {
    "banach.doors.solve": "solve minimize solve_many iterate sensitivity",
    "banach.doors.verify": "verify load",
    "banach.doors.reproduce": "reproduce",
    "banach.doors.path": "path",
    "banach.doors.multistart": "multistart",
    "banach.inference.uncertainty": "uncertainty",
    "banach.inference.propagation": "propagate",
    "banach.doors.listings": "problems",
    "banach.doors.explain": "explain",
    "banach.core.mesh": "join",
    "banach.core.stacked": "stack",
    "banach.engine.loop": "run",
    "banach.racing": "race",
}
# What doors return and what authors of methods, kinds and checks build on.
_TYPES = {
    "banach.doors.verify": "Verdict",
    "banach.inference.uncertainty": "Uncertainty",
    "banach.inference.propagation": "Propagated",
    "banach.doors.path": "Path",
    "banach.doors.multistart": "MultiStart",
    "banach.engine.loop": "Outcome",
    "banach.core.check": "Absolute Certificate Check",
    "banach.core.method": "Method HostMethod Refusal",
    "banach.core.problem": "Problem Misuse",
    "banach.core.point": "Point",
    "banach.core.facts": "Facts Fact",
    "banach.core.card": "Card method",
    "banach.core.kind": "KindCard kind",
    "banach.core.result": "Result NotCertified",
    "banach.engine.solve_many_results": "Results",
    "banach.core.stacked": "Stacked",
    "banach.bridge._from_optax": "FromOptax",
    "banach.racing": "Race",
}
_WHERE = {
    name: home
    for homes in (_DOORS, _TYPES)
    for home, names in homes.items()
    for name in names.split()
}
# Packages that are doors as well: bn.methods() and bn.checks() answer.
_CALLABLE = ("methods", "checks")


def __getattr__(name: str):
    if name in _CALLABLE or name in ("terms", "parts", "train"):
        return importlib.import_module(f"banach.{name}")
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
    # `from banach import core` asks here before it imports the submodule.
    elif name.startswith("__") or importlib.util.find_spec(f"banach.{name}"):
        raise AttributeError(name)
    else:
        value = _listed(name)
    globals()[name] = value
    return value


def _listed(name: str):
    """A kind by its card, a method, a check, a term or a part."""
    catalogue = importlib.import_module("banach.catalogue")
    for index in (catalogue.own, catalogue.outside):
        for entry in index()["kinds"].values():
            homes = entry["pieces"] | entry["public"]
            if name in homes:
                return getattr(importlib.import_module(homes[name]), name)
        for part in ("methods", "checks"):
            for entry in index()[part].values():
                # A method made of a direction has that beside it.
                if name in (entry["class"], f"{entry['class']}Direction"):
                    return getattr(importlib.import_module(entry["module"]), name)
        for package in ("terms", "parts") if index is catalogue.own else ():
            home = importlib.import_module(f"banach.{package}")
            if name in dir(home):
                return getattr(home, name)
    elsewhere = importlib.import_module("banach.names_elsewhere")
    said = elsewhere.attribute(name, __dir__()) or "see dir(banach)"
    raise AttributeError(f"module 'banach' has no attribute {name!r}; {said}")


def __dir__():
    """Doors, kinds, methods and checks: what `bn.<name>` is meant to give."""
    catalogue = importlib.import_module("banach.catalogue")
    doors = {name for names in _DOORS.values() for name in names.split()}
    kinds = {name for entry in catalogue.kinds().values() for name in entry["public"]}
    methods = {entry["class"] for entry in catalogue.load_index().values()}
    checks = {entry["class"] for entry in catalogue.checks().values()}
    return sorted({*doors, *_CALLABLE, *kinds, *methods, *checks})

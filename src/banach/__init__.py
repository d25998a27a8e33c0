"""banach: iterative solvers on JAX whose answers are checked.

State a Problem, let a Method iterate; a Check that has never met the method writes
the Certificate. `import banach` imports neither jax nor any family: names load when
they are first used.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "banach.api": "solve minimize solve_many iterate verify sensitivity load Verdict",
    "banach.core.run": "run Outcome",
    "banach.core.check": "Absolute Certificate Check",
    "banach.core.method": "Method HostMethod Refusal",
    "banach.core.problem": "Problem Misuse",
    "banach.core.point": "Point",
    "banach.core.facts": "Facts Fact",
    "banach.core.card": "Card method",
    "banach.core.result": "Result NotCertified",
    "banach.race": "race Race",
    "banach.problems.smooth": "Smooth NonlinearLeastSquares least_squares",
    "banach.problems.composite": "Composite",
    "banach.problems.root": "Root",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str):
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    from banach import catalogue

    found = catalogue.by_class(name)
    if found is not None:
        globals()[name] = found
        return found
    raise AttributeError(f"module 'banach' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_WHERE])

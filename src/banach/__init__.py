"""banach: iterative solvers on JAX whose answers are checked.

State a Problem, let a Method iterate; a Check that has never met the method writes
the Certificate. `import banach` imports neither jax nor any family: names load when
they are first used.
"""

import importlib
import importlib.util

__version__ = "0.1.0"

_HOMES = {
    "banach.api": "solve minimize solve_many iterate sensitivity",
    "banach.answers": "verify load Verdict",
    "banach.core.run": "run Outcome",
    "banach.core.check": "Absolute Certificate Check",
    "banach.core.method": "Method HostMethod Refusal",
    "banach.core.problem": "Problem Misuse",
    "banach.core.point": "Point",
    "banach.core.facts": "Facts Fact",
    "banach.core.card": "Card method",
    "banach.core.result": "Result NotCertified",
    "banach.core.from_optax": "FromOptax",
    "banach.racing": "race Race",
    "banach.problems.smooth": "Smooth NonlinearLeastSquares least_squares",
    "banach.problems.composite": "Composite",
    "banach.problems.root": "Root",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}
_GROUPS = ("banach.problems.glm", "banach.problems.losses", "banach.parts.norms",
           "banach.parts.sets", "banach.parts.matrix", "banach.parts.tv",
           "banach.checks")  # fmt: skip


def __getattr__(name: str):
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
    catalogue = importlib.import_module("banach.catalogue")
    entry = catalogue.by_class(name)
    return catalogue.load_method(entry["name"]) if entry else _grouped(name)


def _grouped(name: str):
    for home in _GROUPS:
        module = importlib.import_module(home)
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'banach' has no attribute {name!r}; see dir(banach)")


def __dir__():
    return sorted({*globals(), *_WHERE})

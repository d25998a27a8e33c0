"""Why believe an answer: the checks, by name. Importing this imports no check.

`bn.checks()` lists them.
"""

import difflib
import importlib
import inspect
import sys
import types
from typing import Any

from banach import catalogue


def names() -> list[str]:
    """Names of all checks."""
    return sorted(catalogue.checks())


def classes() -> dict[str, str]:
    """The names of all checks by the names of their classes."""
    return {entry["class"]: name for name, entry in catalogue.checks().items()}


def load(name: str) -> type:
    """Import and return the class of one check."""
    entry = catalogue.entry("checks", name)
    if entry is None:
        raise LookupError(name)
    return getattr(importlib.import_module(entry["module"]), entry["class"])


def by_name(name: str, **hyper: Any) -> Any:
    """Build the check of this name; hyperparameters are those of its class."""
    from banach.core.problem import Misuse

    if not isinstance(name, str) or catalogue.entry("checks", name) is None:
        near = difflib.get_close_matches(str(name), names(), n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise Misuse(
            f"no check named {name!r}; {hint}the checks are {', '.join(names())}"
        )
    cls = load(name)
    title = cls.__name__
    try:
        inspect.signature(cls).bind(**hyper)
    except TypeError as error:
        raise Misuse(
            f"the check {name!r} is bn.{title}{inspect.signature(cls)}: {error}; build "
            f"it with its arguments, e.g. check=bn.{title}(...)"
        ) from error
    return cls(**hyper)


def __getattr__(name: str) -> Any:
    known = {} if name.startswith("__") else classes()
    if name in known:
        return load(known[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*classes(), "by_name", "classes", "load", "names"])


class _Checks(types.ModuleType):
    """The package, which answers as `banach checks` does when it is called."""

    def __call__(self, problem: Any = None) -> Any:
        from banach.doors import listings

        return listings.checks(problem)


sys.modules[__name__].__class__ = _Checks

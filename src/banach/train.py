"""`bn.train`: optimisers of networks as optax transformations.

`bn.train.amsgrad(1e-3)` is used wherever `optax.adam(1e-3)` is; the same rule is a
Method (`bn.Amsgrad`), pinned to its paper and judged by a check. `dir(bn.train)` lists
them, `help(bn.train.amsgrad)` says what each does and when it fails.

Every factory takes a number or an optax schedule as `learning_rate`, and its updates
need the parameters: `tx.update(grads, state, params)`. The weights to evaluate are
`bn.train.NAME.evaluated(state, params)`: the parameters themselves, unless the rule
averages.

`blockwise_8bit(tx)` keeps the state of any transformation in 8 bits, and
`memory(tx, params)` says what a state weighs.
"""

import functools
import importlib
from typing import Any

_HOMES = {"blockwise_8bit": "quantised_state", "memory": "optimizer_memory"}
"""What is no rule: a function, and its module among the parts."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"banach.parts.{_HOMES[name]}"), name)
    if name in _names():
        return _factory(name)
    if name.startswith("__"):
        raise AttributeError(name)
    nearest = importlib.import_module("difflib").get_close_matches(name, __dir__(), 3)
    said = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
    raise AttributeError(f"module 'banach.train' has no attribute {name!r}{said}")


def __dir__() -> list[str]:
    return sorted({*_names(), *_HOMES})


@functools.cache
def _names() -> frozenset[str]:
    catalogue = importlib.import_module("banach.catalogue")
    index = catalogue.load_index()
    return frozenset(n for n, entry in index.items() if entry["rule"])


@functools.cache
def _factory(name: str) -> Any:
    catalogue = importlib.import_module("banach.catalogue")
    rules = importlib.import_module("banach.parts.rules")
    return rules.factory(catalogue.load_method(name))

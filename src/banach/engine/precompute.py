"""What is worked out once before a run, as one program instead of one an operation.

JAX compiles each operation of a function that is called outside a program, 15 to 20 ms
each in every new process. `evaluated` hands the function to an executor instead: NumPy
where it is small, else XLA and the store of executables.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from banach.core import compat
from banach.engine.compile_cache import Key, flat
from banach.engine.executors import Program

_KEPT: dict[Any, tuple[Callable[[list[Any]], list[Any]], Any]] = {}
_MOST = 256  # programs kept in memory (ours)


def evaluated(function: Callable[..., Any], *args: Any, data: bool = False) -> Any:
    """function(*args), leaves as NumPy arrays.

    `function` is one of a module or class, so that it stands for its program: it is
    kept with the structure of its arguments. Where an argument is being traced, or
    lies on several devices, the function is called as it is.

    `data`: the result becomes data of a problem, by whose bits a saved run knows it.
    Then XLA alone works it out, however small it is.
    """
    if compat.any_tracer(args) or any(_cut(v) for v in jax.tree.leaves(args)):
        return function(*args)
    leaves, treedef = flat(args)
    key = (function, Key(treedef, leaves), bool(jax.config.jax_enable_x64), data)
    found = _KEPT.get(key)
    if found is None:
        program = Program(function, jax.tree.unflatten(treedef, leaves))
        found = _compiled(program, treedef) if data else program, program.tree
        while len(_KEPT) >= _MOST:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[key] = found
    call, tree = found
    return jax.tree.unflatten(tree, [np.asarray(v) for v in call(leaves)])


def _compiled(program: Program, treedef: Any) -> Callable[[list[Any]], list[Any]]:
    call = program.xla()
    return lambda leaves: jax.tree.leaves(call(*jax.tree.unflatten(treedef, leaves)))


def _cut(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1

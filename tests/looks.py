"""A look of a check at a point as `bn.verify` has it, and functions as one program.

Called by itself a check compiles each of its operations for every new shape; as one
program, which NumPy runs, it is traced once for each structure.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from banach.core import compat, tree
from banach.core.check import Certificate, Check
from banach.core.point import Point
from banach.engine import compile_cache, interpret, judge, loop


def judged(
    check: Check, problem: Any, point: Point, seed: int = 0, number: int = 0
) -> tuple[Certificate, Point]:
    """(certificate, the point that it speaks of), of NumPy arrays.

    Inside a transformation, without double precision, and where the check runs on the
    host it is called by itself.
    """
    if check.host or compat.tracing() or not jax.config.jax_enable_x64:
        return check(problem, point, jax.random.key(seed), number)
    check = loop.leaves_in(tree.dtype(point.x), check)
    return judge.judged(problem, check, point, compile_cache.raw_key(seed), number)


def programmed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays, a program for each shape: run by NumPy, or else by XLA."""
    programs: dict[Any, Any] = {}

    def run(*args: Any) -> Any:
        leaves, structure = jax.tree.flatten(args)
        leaves = [np.asarray(v) for v in leaves]
        name = structure, tuple((v.shape, v.dtype) for v in leaves)
        if name not in programs:
            made, out = jax.make_jaxpr(function, return_shape=True)(*args)
            if interpret.refusal(made) is None:
                programs[name] = interpret.compile(made), jax.tree.structure(out)
            else:
                programs[name] = None
        if programs[name] is None:
            return jax.jit(function)(*args)
        program, out = programs[name]
        return jax.tree.unflatten(out, program(leaves))

    return run


def at_once(function: Callable[..., Any], *args: Any) -> Any:
    """What a function of arrays returns, by one program."""
    return programmed(function)(*args)

"""A problem's oracles as compiled NumPy functions of one vector, counted."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree

from banach.core import tree
from banach.core.problem import Problem
from banach.engine import compile_cache

Vector = Float[np.ndarray, " n"]
_PROGRAMS: dict[Any, Any] = {}


class Oracles:
    """Oracles of a problem for a host library: float64 vectors in and out.

    `calls` counts them by name; `before` is called first each time (it may raise).
    Programs are kept by structure, so that new data never compile again, and in the
    store of executables.
    """

    def __init__(self, problem: Problem, before: Callable[[], None]):
        leaves, self._tree = jax.tree.flatten(problem)
        self._leaves = jax.device_put(leaves)
        self._dtype = tree.dtype(problem.space())
        self._before = before
        self._programs: dict[str, Any] = {}
        self.calls: dict[str, int] = {}

    def compile(self, names: tuple[str, ...], z: Vector) -> None:
        """Compile before the clock starts; nothing is counted."""
        for name in names:
            more = (z,) if name == "hvp" else ()
            if name == "constraint_hess":
                more = (np.zeros(self._run("constraints", z).shape),)
            jax.block_until_ready(self._run(name, z, *more))

    def value(self, z: Vector) -> float:
        """The value at z."""
        self._count("value")
        return float(self._run("value", z))

    def value_and_grad(self, z: Vector) -> tuple[float, Vector]:
        """Value and gradient; counts one of each."""
        self._count("value", "grad")
        f, g = self._run("grad", z)
        return float(f), np.asarray(g, np.float64)

    def hvp(self, z: Vector, v: Vector) -> Vector:
        """The Hessian at z applied to v."""
        self._count("hvp")
        return np.asarray(self._run("hvp", z, v), np.float64)

    def hess(self, z: Vector) -> Float[np.ndarray, "n n"]:
        """The dense Hessian."""
        self._count("hess")
        return np.asarray(self._run("hess", z), np.float64)

    def constraints(self, z: Vector) -> Vector:
        """Every row of the constraints at z."""
        self._count("constraints")
        return np.asarray(self._run("constraints", z), np.float64)

    def jacobian(self, z: Vector) -> Float[np.ndarray, "m n"]:
        """The dense Jacobian of the constraints."""
        self._count("jacobian")
        return np.asarray(self._run("jacobian", z), np.float64)

    def constraint_hess(self, z: Vector, v: Vector) -> Float[np.ndarray, "n n"]:
        """The dense Hessian of v . c."""
        self._count("hess")
        return np.asarray(self._run("constraint_hess", z, v), np.float64)

    def _count(self, *names: str) -> None:
        self._before()
        for name in names:
            self.calls[name] = self.calls.get(name, 0) + 1

    def _run(self, name: str, *vectors: Vector) -> Any:
        cast = [np.asarray(v, self._dtype) for v in vectors]
        call = self._programs.get(name)
        if call is None:
            args = (self._leaves, *cast)
            key = (
                name,
                self._tree,
                tuple(compile_cache.signature([*self._leaves, *cast])),
            )
            call = _PROGRAMS.get(key)
            if call is None:
                call = compile_cache.compiled(_oracle(name, self._tree), args)
                while len(_PROGRAMS) >= 256:
                    _PROGRAMS.pop(next(iter(_PROGRAMS)), None)
                _PROGRAMS[key] = call
            self._programs[name] = call
        return call(self._leaves, *cast)


def unravel(space: PyTree, z: Vector) -> PyTree:
    """One vector as NumPy arrays of a structure; the inverse of tree.ravel."""
    leaves, structure = jax.tree.flatten(space)
    ends = np.cumsum([int(np.prod(s.shape)) for s in leaves])
    parts = np.split(np.asarray(z), ends[:-1])
    out = [
        np.array(p, s.dtype).reshape(s.shape)
        for p, s in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, out)


def ravel(x: PyTree) -> Vector:
    """A pytree as one float64 vector."""
    leaves = [np.ravel(np.asarray(v)) for v in jax.tree.leaves(x)]
    return np.concatenate(leaves).astype(np.float64)


def _oracle(name: str, structure: Any) -> Callable:
    def run(leaves, z, *more):
        problem = jax.tree.unflatten(structure, leaves)
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), problem.space())
        back = tree.ravel(zeros)[1]
        x = back(z)
        if name == "grad":
            f, g = problem.value_and_grad(x)
            return f, tree.ravel(g)[0]
        if name == "hvp":
            return tree.ravel(problem.hvp(x, back(more[0])))[0]
        if name == "constraint_hess":
            return problem.constraint_hess(x, more[0])
        return getattr(problem, name)(x)

    return run

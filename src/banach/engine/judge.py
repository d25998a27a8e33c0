"""A check made ready for one problem: one look for everybody who asks.

The methods of a race, peers, a second solve, `verify` and the whole look behind a
screen ask the same program, traced once for a structure.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from banach.core import mesh
from banach.core.check import Check, Prepared
from banach.core.point import Point
from banach.core.problem import Problem
from banach.engine import loop
from banach.engine.compile_cache import Key, flat, signature
from banach.engine.executors import Program

# Bytes of a leaf on the device from which what depends on it alone is kept (ours).
LASTING = 2**16
COUNTS = {"prepared": 0, "look": 0}
_PREPARED: dict[Any, Any] = {}
_LOOKS: dict[Any, "Look"] = {}


class Look(NamedTuple):
    """A program of (problem, check, raw key, point, number of the look, tol)."""

    program: Program
    certificate: Any  # structures
    point: Any
    split: int  # leaves of the certificate


class Judge:
    """A check for the data of one problem.

    Args:
        leaves: the problem's, NumPy or on the device.
        treedef: its structure.
        check: with leaves in the dtype of the run.
        place: the mesh that the problem lies on, or None.
    """

    def __init__(self, leaves: list[Any], treedef: Any, check: Check, place: Any):
        self.treedef, self.place = treedef, place
        self.leaves = leaves if place is not None else [plain(v) for v in leaves]
        program, made = _preparation(self.leaves, treedef, check, place)
        own = [np.asarray(v) for v in jax.tree.leaves(check)]
        lasting = {
            i: v for i, v in enumerate(leaves)
            if isinstance(v, jax.Array) and v.nbytes >= LASTING
        }  # fmt: skip
        out = program.with_arrays([*self.leaves, *own], lasting)
        self.check = Prepared(jax.tree.unflatten(made, [plain(v) for v in out]))
        """The check, prepared; its leaves are NumPy arrays."""
        self.once, self._once_tree = jax.tree.flatten(self.check)
        self._known: dict[Any, Look] = {}

    def look(
        self, structs: list[Any], treedef: Any, screened: bool, absolute: bool = False
    ) -> Look:
        """The look at a point of these leaves, screened by the tolerance or whole."""
        known = (treedef, signature(structs), screened, absolute)
        found = self._known.get(known)
        if found is None:
            found = self._shared(structs, treedef, screened, absolute)
            self._known[known] = found
        return found

    def _shared(
        self, structs: list[Any], treedef: Any, screened: bool, absolute: bool
    ) -> Look:
        whole = jax.tree_util.treedef_tuple((self.treedef, self._once_tree, treedef))
        leaves = [*self.leaves, *self.once, *structs]
        key = (Key(whole, leaves), screened, absolute, self.place)
        found = _LOOKS.get(key)
        if found is not None:
            return found
        box: list[Any] = []

        def look(leaves, once, raw, point, number, tol):
            problem = jax.tree.unflatten(self.treedef, leaves)
            check = jax.tree.unflatten(self._once_tree, once)
            if screened:
                check = check.screened(tol)
            # Methods have streams of their own, of the same key: see `loop.kernel`.
            key = jax.random.split(jax.random.wrap_key_data(raw), 3)[1]
            at = jax.tree.unflatten(treedef, point)
            certificate, kept = check(problem, at, key, number)
            if absolute:
                certificate = certificate.absolute()
            parts = jax.tree.flatten(certificate), jax.tree.flatten(kept)
            box.append((parts[0][1], parts[1][1], len(parts[0][0])))
            return [*parts[0][0], *parts[1][0]]

        args = (
            self.leaves,
            self.once,
            jax.ShapeDtypeStruct((2,), np.uint32),
            [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in structs],
            jax.ShapeDtypeStruct((), np.int32),
            jax.ShapeDtypeStruct((), np.float64),
        )
        large = sum(v.size for v in structs) >= loop.LARGE
        program = Program(look, args, self.place, large)
        COUNTS["look"] += 1
        made = _LOOKS[key] = Look(program, *box[0])
        return made

    def __call__(self, point: Point, raw: Any, number: int) -> tuple[Any, Point]:
        """One whole look, on the host: (certificate, the point it speaks of)."""
        leaves, treedef = jax.tree.flatten(point)
        leaves = [plain(v) for v in leaves]
        look = self.look(leaves, treedef, False)
        rest = [np.asarray(raw), *leaves, np.int32(number), np.float64(0)]
        out = [np.asarray(v) for v in look.program([*self.leaves, *self.once, *rest])]
        certificate = jax.tree.unflatten(look.certificate, out[: look.split])
        return certificate, jax.tree.unflatten(look.point, evidence(out[look.split :]))


def judge_of(problem: Problem, check: Check) -> Judge:
    """A judge of a problem as it is now.

    Where several processes hold the problem each judges alone: nobody knows whether
    the others ask too, or live.
    """
    if mesh.shared(mesh.everywhere(problem)):
        problem = problem.local()
    leaves, treedef = flat(problem)
    return Judge(leaves, treedef, check, mesh.everywhere(problem))


def judged(
    problem: Problem, check: Check, point: Point, raw: Any, number: int
) -> tuple[Any, Point]:
    """One whole look at a point, on the host: (certificate, the point it speaks of)."""
    return judge_of(problem, check)(point, raw, number)


def _preparation(
    leaves: list[Any], treedef: Any, check: Check, place: Any
) -> tuple[Program, Any]:
    own, own_tree = flat(check)
    key = (Key((treedef, own_tree), [*leaves, *own]), place)
    found = _PREPARED.get(key)
    if found is None:
        box: list[Any] = []

        def prepare(leaves, own):
            problem = jax.tree.unflatten(treedef, leaves)
            made = jax.tree.unflatten(own_tree, own).prepared(problem)
            box.append(jax.tree.structure(made))
            return jax.tree.leaves(made)

        large = jax.tree.unflatten(treedef, leaves).size() >= loop.LARGE
        program = Program(prepare, (leaves, own), place, large)
        COUNTS["prepared"] += 1
        found = _PREPARED[key] = (program, box[0])
    return found


def evidence(leaves: list[Any]) -> list[np.ndarray]:
    """Leaves of a point that was judged, as arrays that nobody can write to."""
    kept = [np.asarray(v) for v in leaves]
    for v in kept:
        v.flags.writeable = False
    return kept


def plain(leaf: Any) -> Any:
    """The leaf as a NumPy array whose rows lie one after another."""
    return np.ascontiguousarray(leaf) if np.ndim(leaf) else np.asarray(leaf)


def clear() -> None:
    """Forget all programs (tests; long-lived processes)."""
    _PREPARED.clear()
    _LOOKS.clear()

"""What is known of a problem object while it lives and its data stay the same.

A second solve of one object neither copies its data nor asks it again for facts,
start and structure: on small problems that costs more than the run.
"""

import copy
import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from banach.core import compat, mesh, tree, unchanged
from banach.core.check import Check
from banach.core.method import Method
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.result import id_of
from banach.engine import compile_cache, executors, loop, step_programs
from banach.engine.judge import Judge

_ALIGNMENT = 64  # bytes; an aligned buffer becomes a device array without a copy


class Ready:
    """Everything of one run that does not depend on tolerance, seed or limits."""

    def __init__(
        self,
        kept: "Kept",
        problem: Problem,
        method: Method,
        check: Check,
        start: Point,
        every: int | None = None,
    ):
        began = executors.making()
        dtype = tree.dtype(start.x)
        self.method, self.check = loop.leaves_in(dtype, (method, check))
        self.start, self.place = start, mesh.everywhere(problem)
        self.judge = kept.judge(self.check, self.place)
        self._data = kept.leaves
        look = self.check.screened(1.0).cost(problem)
        pace = loop.paced(self.method, look, problem)
        self.pace = pace if every is None else every
        self.share = _share(self.method, look, problem, self.pace)
        size = problem.size()
        self._bytes, self._pass_bytes = kept.nbytes, problem.pass_bytes()
        # A block of more steps than the usual fifty is that much longer.
        hess = "hess" in method.card.needs
        self.passes = (max(size / 4, 1.0) if hess else 2.0) * max(1.0, self.pace / 50)
        """Over the data, a step."""
        self._leaves: list[Any] | None = None
        self._asked = False
        self.spent = executors.making() - began
        """Seconds of tracing and compiling so far that no run has told."""

    @functools.cached_property
    def _rest(self) -> tuple[list[Any], Any]:
        whole = (self.method, self.judge.check, self.start)
        leaves, _ = compile_cache.flat(whole)
        trees = [jax.tree.structure(v) for v in whole]
        return leaves, jax.tree_util.treedef_tuple((self.judge.treedef, *trees))

    @functools.cached_property
    def key(self) -> compile_cache.Key:
        """Of the fused kernel, and of runs like this one."""
        rest, treedef = self._rest
        return compile_cache.Key(treedef, [*self._data, *rest])

    @property
    def leaves(self) -> list[Any]:
        """Those of the fused kernel: on the device where they are asked for again.

        Of one run a call takes small NumPy arrays as they are for less.
        """
        if self._leaves is None:
            rest = self._rest[0]
            size = sum(v.nbytes for v in rest)
            if self.place is None and not self._asked and size <= _SMALL:
                self._asked = True
                return [*self._data, *map(_apart, rest)]
            self._leaves = [*self._data, *_owned(rest, self.place)]
        return self._leaves

    @functools.cached_property
    def moves(self) -> Any:
        """The move's programs."""
        return step_programs.Move(self.judge, self.method, self.start).programs

    @functools.cached_property
    def nbytes(self) -> int:
        """What a pass over everything touches."""
        rest = sum(np.asarray(v).nbytes for v in self._rest[0])
        return max(self._bytes + rest, self._pass_bytes)


def _share(
    method: Method, calls: Mapping[str, int], problem: Problem, pace: int
) -> float:
    """The looks' part of a run, by declared costs; `calls` are those of a look."""
    look = sum(calls.values())
    ones = {name: 1 for name in method.card.needs}
    cost = method.card.cost or method.typical or ones
    size, prices = problem.size(), problem.prices()
    step = sum(
        v * (size if k == "hess" else prices.get(k, 2.0) / 2) for k, v in cost.items()
    )
    return look / (look + step * pace) if look else 0.0


class Kept:
    """A problem's leaves on the device, equal to the object's bit for bit.

    `plans` holds what was decided for it (method, check, start), by what was asked;
    `found` what host methods have made of its arrays.
    """

    def __init__(self, problem: Problem, found: list[jax.Array | None] | None = None):
        self.given, self.treedef = jax.tree.flatten(problem)
        layout = problem.layout()
        if layout is None:
            found = list(map(_shared, self.given)) if found is None else found
            new = iter(_owned([v for v, k in zip(self.given, found, strict=True)
                               if k is None]))  # fmt: skip
            self.leaves = [next(new) if k is None else k for k in found]
        else:
            pairs = zip(self.given, layout.shardings(), strict=True)
            self.leaves = [jax.device_put(_apart(v), place) for v, place in pairs]
        self.plans: dict[Any, Any] = {}
        self.found: unchanged.Store = {}
        self._judges: dict[Any, Judge] = {}
        self._id: str | None = None
        if mesh.shared(mesh.everywhere(problem)):
            # No process sees all of the leaves on the devices.
            self._id = id_of(self.treedef, self.given)

    def judge(self, check: Check, place: Any = None) -> Judge:
        """The judge of these data by a check, with leaves in the run's dtype."""
        own, treedef = compile_cache.flat(check)
        named = treedef, tuple((str(v.dtype), v.shape, v.tobytes()) for v in own)
        found = self._judges.get(named)
        if found is None:
            made = Judge(self.leaves, self.treedef, check, place)
            found = self._judges[named] = made
        return found

    @property
    def nbytes(self) -> int:
        """Of all leaves."""
        return sum(v.nbytes for v in self.leaves)

    def still(self, leaves: list[Any]) -> bool:
        """Whether these leaves are the kept ones, contents included."""
        rows = zip(leaves, self.given, self.leaves, strict=True)
        return all(_same(*row) for row in rows)

    def holds(self, given: list[Any], treedef: Any) -> bool:
        """Whether leaves of NumPy are the kept ones by structure and contents."""
        if len(given) != len(self.given):
            return False
        rows = list(zip(given, self.given, self.leaves, strict=True))
        alike = all(
            isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
            and a.shape == b.shape and a.dtype == b.dtype
            for a, b, _ in rows
        )  # fmt: skip
        if not alike:
            return False
        # Small leaves differ as soon as large ones, and cost nothing; comparing
        # structures calls Python for every module in them.
        small = [row for row in rows if row[0].nbytes <= _SMALL]
        large = [row for row in rows if row[0].nbytes > _SMALL]
        return (
            all(_same(a, a, kept) for a, _, kept in small)
            and treedef == self.treedef
            and all(_same(a, a, kept) for a, _, kept in large)
        )

    def own(self) -> Any:
        """The problem on read-only views of what is kept, where dtypes allow it."""
        pairs = zip(self.given, self.leaves, strict=True)
        return jax.tree.unflatten(self.treedef, [_view(*pair) for pair in pairs])

    def again(self, given: list[Any]) -> "Kept":
        """The same, known of another object by its leaves."""
        other = copy.copy(self)
        other.given, other.found = given, {}
        return other

    def problem_id(self) -> str:
        """`result.problem_id`, of the data that were solved, hashed once."""
        if self._id is None:
            solved = map(_solved, self.given, jax.device_get(self.leaves))
            self._id = id_of(self.treedef, solved)
        return self._id


_KEPT: dict[int, tuple[Any, Kept]] = {}
# The last problems, also after their objects are gone: the same data stated anew, as a
# function does that makes its problem and solves it, are known by their contents. They
# hold up to twice _RECENT_BYTES on the device until `forget()`.
_RECENT: list[Kept] = []
_RECENT_MOST = 2
_RECENT_BYTES = 2**28  # each
_LIVE_MOST = 8  # of the objects that live, looked through for the same data
_SMALL = 2**16  # bytes


def of(problem: Problem) -> Kept:
    """What is kept of this object; anew where its data were changed in place."""
    found = known(problem)
    return made(problem) if found is None else found


def shared(problem: Problem) -> list[jax.Array | None]:
    """What is on the device already of the arrays of a problem, in leaf order."""
    if problem.layout() is not None:
        return []
    return list(map(_shared, jax.tree.leaves(problem)))


def made(problem: Problem, found: list[jax.Array | None] | None = None) -> Kept:
    """What is kept of an object from now on, of which nothing is `known`.

    `found`: its `shared` arrays, where somebody has looked.
    """
    new = Kept(problem, found)
    if new.nbytes <= _RECENT_BYTES:
        _RECENT[:] = [new, *_RECENT[: _RECENT_MOST - 1]]
    _remember(problem, new)
    return new


def _remember(problem: Problem, made: Kept) -> None:
    number = id(problem)
    gone: Callable[[Any], Any] = lambda ref: _forget(number, ref)  # noqa: E731
    _KEPT[number] = (weakref.ref(problem, gone), made)


def known(problem: Problem) -> Kept | None:
    """What is kept of this object, if its data are the kept ones."""
    found = _KEPT.get(id(problem))
    if found is not None and found[0]() is problem:
        return found[1] if found[1].still(jax.tree.leaves(problem)) else None
    return _twin(problem)


def _twin(problem: Problem) -> Kept | None:
    """What was kept of another object with the same structure and the same bits."""
    given, treedef = jax.tree.flatten(problem)
    for past in _candidates():
        if past.holds(given, treedef):
            made = past.again(given)
            _remember(problem, made)
            return made
    return None


def _candidates() -> list[Kept]:
    # A list at once: a collection may take entries out meanwhile.
    live = list(_KEPT.values())[: -_LIVE_MOST - 1 : -1]
    return [*_RECENT, *(made for ref, made in live if ref() is not None)]


def _forget(number: int, ref: Any) -> None:
    if number in _KEPT and _KEPT[number][0] is ref:
        del _KEPT[number]


def _shared(leaf: Any) -> jax.Array | None:
    """What is on the device already of this very array, or None.

    A matrix with other targets is looked at, not copied.
    """
    if isinstance(leaf, np.ndarray):
        for past in _candidates():
            for given, kept in zip(past.given, past.leaves, strict=True):
                if given is leaf and _same(leaf, given, kept):
                    return kept
    return None


def _owned(leaves: list[Any], place: Any = None) -> list[jax.Array]:
    """Leaves on the device, sharing no memory with arrays of the user's."""
    own = map(_apart, leaves)
    if place is not None:
        return [jax.device_put(v, place) for v in own]
    return [v if isinstance(v, jax.Array) else compat.on_device(v) for v in own]


def _apart(leaf: Any) -> Any:
    """A copy that lies so that a device array needs none; JAX's arrays as they are."""
    if isinstance(leaf, jax.Array):
        return leaf
    a = np.asarray(leaf)
    buffer = np.empty(a.nbytes + _ALIGNMENT, np.uint8)
    first = -buffer.ctypes.data % _ALIGNMENT
    copy = buffer[first : first + a.nbytes].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def _same(leaf: Any, given: Any, kept: Any) -> bool:
    if leaf is not given:
        return False
    if not isinstance(leaf, np.ndarray):
        return True
    if not kept.is_fully_addressable:
        return False
    if leaf.dtype != kept.dtype or leaf.dtype.itemsize not in (1, 2, 4, 8):
        return False
    bits = f"u{leaf.dtype.itemsize}"

    def compared() -> bool:
        return bool(np.array_equal(leaf.view(bits), np.asarray(kept).view(bits)))

    return unchanged.found("bits", (leaf, kept), compared)


def _view(given: Any, kept: jax.Array) -> Any:
    held = isinstance(given, np.ndarray) and kept.is_fully_addressable
    return np.asarray(kept) if held and given.dtype == kept.dtype else given


def _solved(given: Any, kept: np.ndarray) -> Any:
    """The bits that the problem holds: a dtype that devices lack stays as given."""
    # NumPy does not take an array of JAX for its dtype.
    dtype = given.dtype if isinstance(given, jax.Array) else np.result_type(given)
    return kept if dtype == kept.dtype else given

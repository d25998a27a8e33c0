"""Unrolled loops rolled up: the same function in fewer, wider equations.

A Python loop over data leaves a program of one small equation for every pass through
its body. What XLA does with a program, and each derivative of it, grows faster than
its length: an objective of 235 terms took a minute to compile where its loop over an
array takes a tenth of a second. `rolled` finds equations that do the same to
different operands, level by level, and writes them as one equation with an axis more.

- Equations of one level (the longest way from the arguments) that apply the same
  primitive with the same parameters to operands of the same shapes are one pack.
- Literals that differ become an array, which is data like any captured array.
- Long sums, whose partial sums nobody else reads, are sums along an axis.
- Slices of one array at different places are a strided slice, or a gather.
- Equal equations with equal operands are one.

Every operation is carried out on the same numbers; only sums are taken in another
order. So values agree to rounding, and the mathematical function, of which
certificates speak, is the same.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax

from banach.core import compat

LONG = 100
"""Equations from which a program is worth rolling."""
LARGE = 2**14
"""Entries of an array from which the time is spent in it, and no copy pays."""
GAIN = 0.6
"""A rolled program is taken where it has this part of the equations, or less."""
PACK = 4
"""Alike equations from which a pack is made."""
FEW = 6
"""Shared operands up to which a pack is split by them."""
SMALL = 2**12
"""Entries of a captured array up to which it is copied to stand beside others."""
SUM = 8
"""Terms from which a chain of additions is one sum."""
RUNS = 8
"""Pieces up to which an operand is put together by concatenation."""

_CONTROL = frozenset("while scan cond".split())


class _Node(NamedTuple):
    """An equation, or a sum of `signs` times operands; ids in place of variables."""

    eqn: Any
    operands: tuple[int, ...]
    results: tuple[int, ...]
    key: Any  # equal for equations that may share a pack; None: for none
    signs: tuple[int, ...] = ()


def rolled(closed: Any, text: Callable[[Any], Any]) -> Any:
    """A closed jaxpr in fewer equations; itself where that is not many fewer.

    `text` names a nested jaxpr by its contents.
    """
    jaxpr, length = closed.jaxpr, _length(closed.jaxpr)
    if length < LONG or jaxpr.effects:
        return closed
    graph = _Graph(closed, text)
    if graph.packs() > GAIN * length:
        return closed
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in jaxpr.invars]
    try:
        short = jax.make_jaxpr(lambda *args: _Roller(graph, args).run())(*shapes)
    except NotImplementedError:  # a primitive that cannot have an axis more
        return closed
    return short if len(short.jaxpr.eqns) <= GAIN * length else closed


def _length(jaxpr: Any) -> int:
    """Equations of a jaxpr whose calls are opened."""
    inner = (opened(eqn) for eqn in jaxpr.eqns)
    return sum(1 if body is None else _length(body.jaxpr) for body in inner)


def opened(eqn: Any) -> Any:
    """The closed jaxpr of a plain call, None for any other equation."""
    if eqn.primitive.name not in ("jit", "pjit", "closed_call"):
        return None
    return eqn.params.get("jaxpr") or eqn.params["call_jaxpr"]


class _Graph:
    """The equations that results need, once each, with their levels and packs."""

    def __init__(self, closed: Any, text: Callable[[Any], Any]):
        jaxpr, self.text = closed.jaxpr, text
        self.avals: list[Any] = []
        self.constants: dict[int, Any] = {}
        self.literals: dict[int, Any] = {}
        self._literal: dict[Any, int] = {}
        self._seen: dict[Any, _Node] = {}
        self.inputs = [self._new(v.aval) for v in jaxpr.invars]
        nodes: list[_Node] = []
        self.outputs = self._once(jaxpr, closed.consts, self.inputs, nodes)
        nodes = self._needed(nodes)
        nodes = self._needed(self._sums(nodes))
        self.levels = self._levels(nodes)

    def packs(self) -> int:
        """About as many equations as the rolled program will have."""
        return sum(
            1 if len(nodes) >= PACK else len(nodes)
            for level in self.levels
            for nodes in level
        )

    def _new(self, aval: Any) -> int:
        self.avals.append(aval)
        return len(self.avals) - 1

    def _number(self, v: Any) -> int:
        """The id of a literal."""
        value = np.asarray(v.val)
        weak = getattr(v.aval, "weak_type", False)
        key = (v.aval.dtype, value.shape, value.tobytes(), weak)
        if key not in self._literal:
            self._literal[key] = self._new(v.aval)
            self.literals[self._literal[key]] = v.val
        return self._literal[key]

    def _constant(self, v: Any, value: Any) -> int:
        i = self._new(v.aval)
        self.constants[i] = value
        return i

    def _once(
        self, jaxpr: Any, consts: Sequence[Any], inputs: list[int], nodes: list[_Node]
    ) -> list[int]:
        """Append one node for equal equations of equal operands, calls opened."""
        ids = dict(zip(jaxpr.invars, inputs, strict=True))
        given = zip(jaxpr.constvars, consts, strict=True)
        ids.update((v, self._constant(v, c)) for v, c in given)
        read = lambda v: (  # noqa: E731
            self._number(v) if isinstance(v, compat.Literal) else ids[v]
        )
        for eqn in jaxpr.eqns:
            operands = tuple(map(read, eqn.invars))
            body = opened(eqn)
            if body is not None:
                results = self._once(body.jaxpr, body.consts, list(operands), nodes)
                ids.update(zip(eqn.outvars, results, strict=True))
                continue
            params = _parameters(eqn, self.text)
            same = None if params is None else (eqn.primitive, params, operands)
            found = self._seen.get(same) if same is not None else None
            if found is None:
                made = tuple(self._new(v.aval) for v in eqn.outvars)
                key = self._alike(eqn, params, operands)
                found = _Node(eqn, operands, made, key)
                nodes.append(found)
                if same is not None:
                    self._seen[same] = found
            ids.update(zip(eqn.outvars, found.results, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _alike(self, eqn: Any, params: Any, operands: tuple[int, ...]) -> Any:
        avals = [v.aval for v in (*eqn.invars, *eqn.outvars)]
        if params is None or len(eqn.outvars) != 1 or not operands:
            return None
        if not all(_plain(getattr(a, "dtype", None)) for a in avals):
            return None
        kinds = tuple((a.shape, a.dtype) for a in avals)
        window = _windows(eqn)
        if any(a.size > LARGE for a in (avals[1:] if window else avals)):
            return None
        if window:
            return ("slice", operands[0], avals[-1].shape)
        return eqn.primitive, params, kinds

    def _needed(self, nodes: list[_Node]) -> list[_Node]:
        alive = set(self.outputs)
        kept = []
        for node in reversed(nodes):
            if not alive.isdisjoint(node.results):
                kept.append(node)
                alive.update(node.operands)
        return kept[::-1]

    def _sums(self, nodes: list[_Node]) -> list[_Node]:
        """Chains of additions and subtractions as one node each."""
        uses = Counter(i for node in nodes for i in node.operands)
        uses.update(self.outputs)
        adds = {n.results[0]: n for n in nodes if _adds(n)}
        inner: set[int] = set()  # partial sums that only the next addition reads
        for node in adds.values():
            inner.update(i for i in node.operands if i in adds and uses[i] == 1)
        out = []
        for node in nodes:
            result = node.results[0]
            if result not in adds:
                out.append(node)
            elif result not in inner:
                terms = _terms(node, adds, inner, self.literals)
                if len(terms) < SUM:
                    out.extend(_chain(node, adds, inner))
                    continue
                operands, signs = zip(*terms, strict=True)
                aval = self.avals[result]
                key = ("sum", signs, aval.shape, aval.dtype)
                out.append(_Node(node.eqn, operands, node.results, key, signs))
        return out

    def _levels(self, nodes: list[_Node]) -> list[list[list[_Node]]]:
        height = [0] * len(self.avals)
        levels: list[dict[Any, list[_Node]]] = []
        for number, node in enumerate(nodes):
            at = max((height[i] for i in node.operands), default=0)
            for i in node.results:
                height[i] = at + 1
            while len(levels) <= at:
                levels.append({})
            key = (number,) if node.key is None else node.key
            levels[at].setdefault(key, []).append(node)
        return [
            [part for alike in level.values() for part in _split(alike) if part]
            for level in levels
        ]


def _split(nodes: list[_Node]) -> list[list[_Node]]:
    """Alike equations apart where a few operands are shared by many of them."""
    if len(nodes) < 2 * PACK or nodes[0].signs:
        return [nodes]
    for k in range(len(nodes[0].operands)):
        parts: dict[int, list[_Node]] = {}
        for node in nodes:
            parts.setdefault(node.operands[k], []).append(node)
        large = [part for part in parts.values() if len(part) >= PACK]
        rest = [n for part in parts.values() if len(part) < PACK for n in part]
        if len(parts) == 1 or not 0 < len(large) <= FEW or len(rest) > len(nodes) / 2:
            continue
        return [*(small for part in large for small in _split(part)), rest]
    return [nodes]


def _parameters(eqn: Any, text: Callable[[Any], Any]) -> Any:
    """The parameters of an equation as something that can be compared, or None."""
    inner = list(compat.subjaxprs(eqn))
    if eqn.primitive.name in _CONTROL or eqn.effects:
        return None
    if inner:
        # A rule of JAX's own is known by its function; of others it is not known.
        rule = compat.own_rule(eqn)
        return None if rule is None else (rule, *map(text, inner))
    params = tuple(sorted(eqn.params.items()))
    try:
        hash(params)
    except TypeError:
        return None
    return params


def _plain(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype)


def _small(value: Any) -> bool:
    """Whether a constant is an array that is known, and small."""
    known = isinstance(value, np.ndarray | np.generic | jax.Array)
    return known and not compat.is_tracer(value) and value.size <= SMALL


def _windows(eqn: Any) -> bool:
    """Whether an equation is a slice without strides."""
    strides = eqn.params.get("strides")
    plain = strides is None or all(s == 1 for s in strides)
    return eqn.primitive.name == "slice" and plain


def _adds(node: _Node) -> bool:
    if node.eqn.primitive.name not in ("add", "add_any", "sub") or node.key is None:
        return False
    # Beside an array a literal may be a scalar.
    shape = node.eqn.outvars[0].aval.shape
    return all(
        v.aval.shape == shape or isinstance(v, compat.Literal) for v in node.eqn.invars
    )


def _terms(
    root: _Node, adds: dict[int, _Node], inner: set[int], literals: dict[int, Any]
) -> list[tuple[int, int]]:
    """(operand, sign) of a chain of additions, in the order in which they are read."""
    terms, open_ = [], [(root.results[0], 1)]
    while open_:
        i, sign = open_.pop()
        if i == root.results[0] or i in inner:
            node = adds[i]
            second = -sign if node.eqn.primitive.name == "sub" else sign
            open_ += [(node.operands[1], second), (node.operands[0], sign)]
        elif i not in literals or np.any(literals[i]):
            terms.append((i, sign))
    return terms


def _chain(root: _Node, adds: dict[int, _Node], inner: set[int]) -> list[_Node]:
    """The additions of a short chain, each after its operands."""
    nodes, open_ = [], [root]
    while open_:
        node = open_.pop()
        nodes.append(node)
        open_ += [adds[i] for i in node.operands if i in inner]
    return nodes[::-1]


def _first(array: Any, axis: int) -> Any:
    """An array with one of its axes before the others."""
    order = [axis, *(d for d in range(array.ndim) if d != axis)]
    return lax.transpose(array, order) if axis else array


def _period(at: np.ndarray) -> int:
    """The length of what is repeated end to end in a list of places."""
    for again in np.flatnonzero(at[1:] == at[0])[:8] + 1:
        if len(at) % again == 0 and np.all(at.reshape(-1, again) == at[:again]):
            return int(again)
    return len(at)


def _each(at: np.ndarray) -> int:
    """How often each place stands there, one after the other; 1 where that differs."""
    changes = np.flatnonzero(np.diff(at)) + 1
    each = int(changes[0]) if len(changes) else len(at)
    even = len(at) % each == 0
    return each if even and np.all(np.diff(at.reshape(-1, each), axis=1) == 0) else 1


class _Pack(NamedTuple):
    array: Any  # entries along the first axis
    length: int


class _Roller:
    """The graph applied to arguments, a pack at a time."""

    def __init__(self, graph: _Graph, args: Sequence[Any]):
        self.graph = graph
        self.alone: dict[int, Any] = dict(zip(graph.inputs, args, strict=True))
        self.alone.update(graph.constants)
        self.alone.update(graph.literals)
        # Numbers known now: those that stand side by side are one array.
        self.known = dict(graph.literals)
        self.known.update((i, c) for i, c in graph.constants.items() if _small(c))
        self.places: dict[int, tuple[int, int]] = {}
        self.packs: list[_Pack] = []
        self._columns: dict[Any, Any] = {}
        self._arrays: dict[Any, np.ndarray] = {}

    def run(self) -> list[Any]:
        """The results."""
        for level in self.graph.levels:
            for nodes in level:
                self._apply(nodes)
        return [self.one(i) for i in self.graph.outputs]

    def one(self, i: int) -> Any:
        """A value by itself."""
        if i not in self.alone:
            pack, at = self.places[i]
            array = self.packs[pack].array
            part = lax.slice_in_dim(array, at, at + 1)
            self.alone[i] = lax.squeeze(part, (0,))
        return self.alone[i]

    def _apply(self, nodes: list[_Node]) -> None:
        first = nodes[0]
        if first.signs:
            self._sum(nodes)
        elif first.eqn.primitive.name == "unstack":
            self._unstacked(first)
        elif first.key is None or len(nodes) < PACK:
            for node in nodes:
                self._single(node)
        elif first.key[0] == "slice":
            self._sliced(nodes)
        else:
            self._packed(nodes)

    def _single(self, node: _Node) -> None:
        name, operands = node.eqn.primitive.name, node.operands
        if name in ("concatenate", "stack") and self._joined(node):
            return
        out = compat.bind(node.eqn, [self.one(i) for i in operands])
        self.alone.update(zip(node.results, out, strict=True))

    def _joined(self, node: _Node) -> bool:
        """Many pieces of one shape put together, where they are packed already."""
        shapes = {self.graph.avals[i].shape for i in node.operands}
        if len(shapes) > 1 or sum(i in self.places for i in node.operands) < PACK:
            return False
        params, (shape,) = node.eqn.params, shapes
        axis = params["axis" if node.eqn.primitive.name == "stack" else "dimension"]
        column = self.column(node.operands)
        order = [*range(1, axis + 1), 0, *range(axis + 1, len(shape) + 1)]
        moved = lax.transpose(column, order) if axis else column
        out = node.eqn.outvars[0].aval
        self.alone[node.results[0]] = lax.reshape(moved, out.shape)
        return True

    def _unstacked(self, node: _Node) -> None:
        axis = node.eqn.params["axis"]
        array = self.one(node.operands[0])
        self._keep(_first(array, axis), node.results)

    def _packed(self, nodes: list[_Node]) -> None:
        nodes = self._sorted(nodes)
        first = nodes[0]
        inputs, axes, changing = [], [], []
        for column in zip(*(node.operands for node in nodes), strict=True):
            same = len(set(column)) == 1
            inputs.append(self.one(column[0]) if same else self.column(column))
            axes.append(None if same else 0)
        changing = [k for k, axis in enumerate(axes) if axis == 0]

        def apply(*moving: Any) -> Any:
            given = list(inputs)
            for k, v in zip(changing, moving, strict=True):
                given[k] = v
            return compat.bind(first.eqn, given)[0]

        array = jax.vmap(apply)(*(inputs[k] for k in changing))
        self._keep(array, [node.results[0] for node in nodes])

    def _sorted(self, nodes: list[_Node]) -> list[_Node]:
        """In the order of the pack that operands come from, which is then no gather."""
        for k in range(len(nodes[0].operands)):
            kinds = {self._kind(node.operands[k]) for node in nodes}
            if len(kinds) == 1 and kinds.isdisjoint(("known", "alone")):
                return sorted(nodes, key=lambda node: self.places[node.operands[k]])
        return nodes

    def _sliced(self, nodes: list[_Node]) -> None:
        """Windows of one array: a strided slice where their places allow it."""
        array = self.one(nodes[0].operands[0])
        nodes = sorted(nodes, key=lambda node: node.eqn.params["start_indices"])
        starts = np.array([node.eqn.params["start_indices"] for node in nodes])
        shape = nodes[0].eqn.outvars[0].aval.shape
        moving = [d for d in range(array.ndim) if np.ptp(starts[:, d])]
        results = [node.results[0] for node in nodes]
        if len(moving) == 1 and shape[moving[0]] == 1:
            (d,) = moving
            low = [0 if k == d else int(s) for k, s in enumerate(starts[0])]
            sizes = [array.shape[d] if k == d else s for k, s in enumerate(shape)]
            rest = array
            if tuple(sizes) != array.shape:
                rest = lax.slice(array, low, np.add(low, sizes).tolist())
            picked = self._picked(_first(rest, d), starts[:, d])
            self._keep(lax.expand_dims(picked, (d + 1,)), results)
            return
        index = self._array(starts.astype(np.int32))
        cut = lambda start: lax.dynamic_slice(array, start, shape)  # noqa: E731
        self._keep(jax.vmap(cut)(index), results)

    def _sum(self, nodes: list[_Node]) -> None:
        shape = self.graph.avals[nodes[0].results[0]].shape
        signs = np.array(nodes[0].signs)
        total = None
        for sign in (1, -1):
            which = np.flatnonzero(signs == sign)
            if not len(which):
                continue
            terms = [[node.operands[k] for k in which] for node in nodes]
            if len(nodes) == 1:
                # Terms of one pack side by side are a slice of it.
                terms = [sorted(terms[0], key=lambda i: self.places.get(i, (-1, i)))]
            flat = self.column(tuple(i for row in terms for i in row), shape)
            if len(nodes) == 1:
                part = lax.reduce_sum(flat, (0,))
            else:
                wide = lax.reshape(flat, (len(nodes), len(which), *shape))
                part = lax.reduce_sum(wide, (1,))
            if total is None:
                total = part if sign == 1 else lax.neg(part)
            else:
                total = lax.sub(total, part)
        if len(nodes) == 1:
            self.alone[nodes[0].results[0]] = total
        else:
            self._keep(total, [node.results[0] for node in nodes])

    def _keep(self, array: Any, results: Sequence[int]) -> None:
        self.places.update((i, (len(self.packs), k)) for k, i in enumerate(results))
        self.packs.append(_Pack(array, len(results)))

    def column(self, ids: tuple[int, ...], shape: Any = None) -> Any:
        """Values side by side along a new first axis."""
        if (ids, shape) not in self._columns:
            self._columns[ids, shape] = self._column(ids, shape)
        return self._columns[ids, shape]

    def _column(self, ids: tuple[int, ...], shape: Any) -> Any:
        literals = self.graph.literals
        aval = next(
            (self.graph.avals[i] for i in ids if i not in literals),
            self.graph.avals[ids[0]],
        )
        shape = aval.shape if shape is None else shape
        runs = self._runs(ids)
        pieces_of = (len(m) if kind == "alone" else 1 for kind, m in runs)
        if sum(pieces_of) > RUNS:
            return self._gathered(ids, shape, aval.dtype)
        pieces: list[Any] = []
        for kind, members in runs:
            if kind == "known":
                pieces.append(self._numbers(members, shape, aval.dtype))
            elif kind == "alone":
                pieces += [lax.expand_dims(self.one(i), (0,)) for i in members]
            else:
                at = np.array([self.places[i][1] for i in members])
                pieces.append(self._picked(self.packs[kind].array, at))
        return pieces[0] if len(pieces) == 1 else lax.concatenate(pieces, 0)

    def _runs(self, ids: Sequence[int]) -> list[tuple[Any, list[int]]]:
        runs: list[tuple[Any, list[int]]] = []
        for i in ids:
            kind = self._kind(i)
            if not runs or runs[-1][0] != kind:
                runs.append((kind, []))
            runs[-1][1].append(i)
        return runs

    def _kind(self, i: int) -> Any:
        if i in self.known:
            return "known"
        return self.places[i][0] if i in self.places else "alone"

    def _gathered(self, ids: tuple[int, ...], shape: Any, dtype: Any) -> Any:
        """Scattered values: everything that they lie in, end to end, and a gather."""
        pieces: list[Any] = []
        where: dict[int, int] = {}
        length = 0
        for kind, members in self._runs(sorted(set(ids), key=self._order)):
            if kind == "known":
                pieces.append(self._numbers(members, shape, dtype))
            elif kind == "alone":
                pieces += [lax.expand_dims(self.one(i), (0,)) for i in members]
            else:
                pieces.append(self.packs[kind].array)
                where.update((i, length + self.places[i][1]) for i in members)
                length += self.packs[kind].length
                continue
            where.update((i, length + k) for k, i in enumerate(members))
            length += len(members)
        whole = pieces[0] if len(pieces) == 1 else lax.concatenate(pieces, 0)
        return self._picked(whole, np.array([where[i] for i in ids]))

    def _order(self, i: int) -> tuple[int, int, int]:
        if i in self.places:
            return 2, *self.places[i]
        return int(i not in self.known), i, 0

    def _picked(self, array: Any, at: np.ndarray) -> Any:
        """Entries along the first axis."""
        period = _period(at)
        if period < len(at):
            part = self._picked(array, at[:period])
            times = len(at) // period
            tiled = lax.broadcast(part, (times,))
            return lax.reshape(tiled, (len(at), *array.shape[1:]))
        each = _each(at)
        if each > 1:
            part = self._picked(array, at[::each])
            rest = part.shape[1:]
            axes = (0, *range(2, len(rest) + 2))
            wide = lax.broadcast_in_dim(part, (len(part), each, *rest), axes)
            return lax.reshape(wide, (len(at), *rest))
        steps = np.unique(np.diff(at))
        if len(at) == 1 or (len(steps) == 1 and steps[0] > 0):
            if len(at) == array.shape[0]:
                return array
            step = int(steps[0]) if len(at) > 1 else 1
            return lax.slice_in_dim(array, int(at[0]), int(at[-1]) + 1, step)
        rest = tuple(range(1, array.ndim))
        dims = lax.GatherDimensionNumbers(
            offset_dims=rest, collapsed_slice_dims=(0,), start_index_map=(0,)
        )
        index = self._array(at.astype(np.int32)[:, None])
        return lax.gather(
            array, index, dims, (1, *array.shape[1:]),
            mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
        )  # fmt: skip

    def _numbers(self, members: list[int], shape: Any, dtype: Any) -> np.ndarray:
        values = [np.asarray(self.known[i], dtype) for i in members]
        array = np.stack([np.broadcast_to(v, shape) for v in values])
        return self._array(array)

    def _array(self, array: np.ndarray) -> np.ndarray:
        """One object for equal constants: they are leaves of the problem."""
        key = (array.dtype, array.shape, array.tobytes())
        return self._arrays.setdefault(key, array)


def size(jaxpr: Any) -> int:
    """Equations of a jaxpr, those of nested ones included."""
    return len(jaxpr.eqns) + sum(
        size(inner) for eqn in jaxpr.eqns for inner in compat.subjaxprs(eqn)
    )

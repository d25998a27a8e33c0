"""A jaxpr becomes a list of calls, once; running it is a loop over that list."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from banach.core.compat import ClosedJaxpr, Jaxpr, Literal
from banach.engine.interpret.table import RULES, held, is_key, rule

FOLDED = 1 << 14
"""Results of constants alone are computed at translation, up to so many entries."""
UNIT = 2000
"""An equation is one unit of work for every so many entries that it touches."""

Step = tuple[int, Callable[..., Any], Any, int, int, Any]
"""(kind, function, places of arguments, place of the result): one tuple, since a
closure would be six objects for the garbage collector to look at."""
_ANY, _MANY = 0, 4
"""Kinds of step besides the number of arguments, 1 to 3: any number of arguments, or
of results as well; their places are sequences."""


class Exhausted(Exception):
    """A loop has done more work than its limit allows. No result was handed out."""


class Meter:
    """The work of one run, in units (see `work`), and its limit."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: float):
        self.spent, self.limit = 0.0, limit

    def look(self) -> None:
        """Raise if the limit is passed; called by loops."""
        if self.spent > self.limit:
            raise Exhausted(f"{self.spent:.0f} units of work, {self.limit:.0f} allowed")


LOOKED_UP = frozenset({"slice", "dynamic_slice", "gather", "squeeze", "reshape"})
"""Of these no more is touched than what comes out."""
PRODUCTS = frozenset({"dot_general"})
"""These are as fast by BLAS as in any program: their size is no reason to compile."""


SCATTERED = {"gather": 4.0, "scatter-add": 7.0}
"""Entries taken from, or added at, places of their own cost this much more: NumPy and
XLA alike look each one up, and XLA's quickest programs do so slowly (ours)."""


def scattered(eqn: Any) -> float:
    """The work of an equation that takes or adds single entries; 0 of any other."""
    name = eqn.primitive.name
    if name not in SCATTERED or eqn.outvars[0].aval.ndim == 0:
        return 0.0
    if name == "gather":
        single = math.prod(eqn.params["slice_sizes"]) == 1
        entries = math.prod(eqn.outvars[0].aval.shape)
    else:
        single = not eqn.params["dimension_numbers"].update_window_dims
        entries = math.prod(eqn.invars[2].aval.shape)
    return SCATTERED[name] * entries / UNIT if single else 0.0


def price(eqn: Any) -> float:
    """The work of an equation: one, or one for every UNIT entries it touches."""
    apart = scattered(eqn)
    if apart > 1:
        return apart
    most = UNIT
    for v in () if eqn.primitive.name in LOOKED_UP | PRODUCTS else eqn.invars:
        count = math.prod(v.aval.shape)
        if count > most:
            most = count
    for v in eqn.outvars:
        count = math.prod(v.aval.shape)
        if count > most:
            most = count
    return most / UNIT


# ----------------------------------------------------------------- what is inlined


def _closed(name: str) -> Callable[[Any], tuple[Any, Any]]:
    def inner(eqn: Any) -> tuple[Any, Any]:
        return eqn.params[name], eqn.invars

    return inner


def _solve(eqn: Any) -> tuple[Any, Any]:
    """A linear solve is its own solver, and its value is all that is asked."""
    counts = eqn.params["const_lengths"]
    first = counts.matvec + (counts.vecmat or 0)
    after = sum(n or 0 for n in counts)
    given = eqn.invars[first : first + counts.solve] + eqn.invars[after:]
    return eqn.params["jaxprs"].solve, given


INLINED: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "jit": _closed("jaxpr"),
    "remat2": _closed("jaxpr"),
    "custom_jvp_call": _closed("call_jaxpr"),
    "custom_vjp_call": _closed("call_jaxpr"),
    "custom_vmap_call": _closed("call"),
    "custom_linear_solve": _solve,
    "linear_call": _closed("callee"),
    "composite": _closed("jaxpr"),
}
"""Calls that are replaced by what they call: its jaxpr and arguments."""

SAME = frozenset({"stop_gradient", "name", "optimization_barrier", "device_put"})
"""Each result is the argument of the same place."""


def opened(inner: Any) -> tuple[Jaxpr, Any]:
    """A jaxpr and its constants."""
    if isinstance(inner, ClosedJaxpr):
        return inner.jaxpr, inner.consts
    return inner, ()


def inlined(eqn: Any) -> tuple[Jaxpr, Any, Any] | None:
    """(jaxpr, constants, arguments) of an equation that is replaced by its body."""
    find = INLINED.get(eqn.primitive.name)
    if find is None:
        return None
    inner, given = find(eqn)
    return *opened(inner), given


def constant(value: Any) -> Any:
    """A captured array or a literal as NumPy holds it: owned, in C order."""
    if isinstance(value, jax.Array) and is_key(value.dtype):
        value = jax.random.key_data(value)
    return np.array(value, order="C")[()]


# ----------------------------------------------------------------- translation


class Flat:
    """The calls of a jaxpr in one list, in single assignment over small integers."""

    def __init__(self) -> None:
        self.count = 0
        self.values: dict[int, Any] = {}  # of what is constant
        self.calls: list[tuple[Any, list[int], list[int]]] = []

    def fresh(self, count: int) -> list[int]:
        """New values."""
        first = self.count
        self.count += count
        return list(range(first, self.count))

    def fixed(self, value: Any) -> int:
        """A constant."""
        (at,) = self.fresh(1)
        self.values[at] = value
        return at

    def add(self, jaxpr: Jaxpr, consts: Any, given: list[int]) -> list[int]:
        """Append a jaxpr's equations; where its results lie."""
        where: dict[Any, int] = dict(zip(jaxpr.invars, given, strict=True))
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            where[var] = self.fixed(constant(value))
        values = self.values

        def find(atoms: Any) -> list[int]:
            out = []
            for atom in atoms:
                if type(atom) is Literal:
                    value = np.asarray(atom.val, held(atom.aval)[1])[()]
                    out.append(self.fixed(value))
                else:
                    out.append(where[atom])
            return out

        for eqn in jaxpr.eqns:
            name = eqn.primitive.name
            body = inlined(eqn)
            if body is not None:
                results = self.add(body[0], body[1], find(body[2]))
            elif name in SAME or _idle(name, eqn):
                results = find(eqn.invars)[: len(eqn.outvars)]
            elif name == "cond" and (chosen := self._decided(eqn, find)) is not None:
                results = chosen
            else:
                ins = find(eqn.invars)
                if all(i in values for i in ins) and _small(eqn) and not eqn.effects:
                    results = self._folded(eqn, ins)
                else:
                    results = self.fresh(len(eqn.outvars))
                    self.calls.append((eqn, ins, results))
            for var, at in zip(eqn.outvars, results, strict=True):
                where[var] = at
        return find(jaxpr.outvars)

    def _decided(self, eqn: Any, find: Any) -> list[int] | None:
        """A cond whose branch is known (a platform's, say) is that branch."""
        which, *ins = find(eqn.invars)
        if which not in self.values:
            return None
        branches = eqn.params["branches"]
        at = min(max(int(self.values[which]), 0), len(branches) - 1)
        return self.add(*opened(branches[at]), ins)

    def _folded(self, eqn: Any, ins: list[int]) -> list[int]:
        rule = RULES[eqn.primitive.name]
        got = rule.make(eqn)(*[self.values[i] for i in ins])
        return [self.fixed(v) for v in (got if rule.many else (got,))]


def _idle(name: str, eqn: Any) -> bool:
    """Whether an equation changes no value, only how JAX thinks of it."""
    if name not in _MAY_IDLE:
        return False
    a, b = eqn.invars[0].aval, eqn.outvars[0].aval
    return a.dtype == b.dtype and a.shape == b.shape and len(eqn.invars) == 1


_MAY_IDLE = frozenset(
    {"convert_element_type", "broadcast_in_dim", "reshape", "squeeze", "copy"}
)


def _small(eqn: Any) -> bool:
    if eqn.primitive.name in CONTROL:
        return False
    return all(math.prod(v.aval.shape) <= FOLDED for v in eqn.outvars)


class Program:
    """A translated jaxpr: `run(meter, arguments)` gives its results as they come."""

    def __init__(self, jaxpr: Jaxpr, consts: Any):
        flat = Flat()
        given = flat.fresh(len(jaxpr.invars))
        wanted = flat.add(jaxpr, consts, given)
        self._made(flat, given, wanted, live(flat.calls, wanted))

    @classmethod
    def of(cls, flat: Flat, given: Any, wanted: Any, calls: Any) -> "Program":
        """Of some of the calls: from values `given` to values `wanted`."""
        made = cls.__new__(cls)
        made._made(flat, given, wanted, calls)
        return made

    def _made(self, flat: Any, given: Any, wanted: Any, calls: Any) -> None:
        self.work = float(sum(price(eqn) for eqn, _, _ in calls))
        self._slots(flat, given, wanted, calls)

    def _slots(self, flat: Any, given: Any, wanted: Any, calls: Any) -> None:
        """Give each value a place in one list; places of the dead are used again."""
        last: dict[int, int] = {}
        for k, (_, ins, outs) in enumerate(calls):
            for i in (*ins, *outs):
                last[i] = k
        place = {i: k for k, i in enumerate(given)}
        start: list[Any] = [None] * (len(given) + 1)  # the meter comes after
        self.count = len(given)

        def put(value: Any) -> int:
            start.append(value)
            return len(start) - 1

        kept = {*given, *wanted, *flat.values}
        for i, value in flat.values.items():
            if i in last or i in wanted:
                place[i] = put(value)
        free: list[int] = []
        steps: list[Step] = []
        for k, (eqn, ins, outs) in enumerate(calls):
            for i in outs:
                place[i] = free.pop() if free else put(None)
            at, to = [place[i] for i in ins], [place[i] for i in outs]
            steps.append(_step(eqn, at, to, self.count))
            for i in {*ins, *outs}:
                if last[i] == k and i not in kept:
                    free.append(place[i])
        self.start, self.steps = start, steps
        self.results = [place[i] for i in wanted]

    def run(self, meter: Meter, arguments: Any) -> list[Any]:
        """The results for arguments of the right shapes and dtypes."""
        meter.spent += self.work
        env = self.start.copy()
        env[: self.count] = arguments
        env[self.count] = meter
        for kind, function, a, b, c, out in self.steps:
            if kind == 2:
                env[out] = function(env[a], env[b])
            elif kind == 1:
                env[out] = function(env[a])
            elif kind == 3:
                env[out] = function(env[a], env[b], env[c])
            elif kind == _ANY:
                env[out] = function(*[env[i] for i in a])
            else:
                for i, value in zip(out, function(*[env[i] for i in a]), strict=True):
                    env[i] = value
        return [env[i] for i in self.results]


def live(calls: Any, wanted: Any) -> list[Any]:
    """The calls that some result depends on, or that have effects, in order."""
    needed, found = set(wanted), []
    for call in reversed(calls):
        if call[0].effects or not needed.isdisjoint(call[2]):
            needed.update(call[1])
            found.append(call)
    found.reverse()
    return found


def _step(eqn: Any, ins: list[int], outs: list[int], meter: int) -> Step:
    """One call as `Program.run` reads it."""
    control = CONTROL.get(eqn.primitive.name)
    if control is not None:
        return _MANY, control(eqn), (meter, *ins), 0, 0, outs
    rule = RULES[eqn.primitive.name]
    function = rule.make(eqn)
    if rule.many:
        return _MANY, function, ins, 0, 0, outs
    (out,) = outs
    if not 1 <= len(ins) <= 3:
        return _ANY, function, ins, 0, 0, out
    a, b, c = (*ins, 0, 0)[:3]
    return len(ins), function, a, b, c, out


class Later:
    """A program that is translated when it is first run: a branch, a loop's body."""

    __slots__ = ("jaxpr", "made")

    def __init__(self, jaxpr: Any):
        self.jaxpr = jaxpr
        self.made: Program | None = None

    def run(self, meter: Meter, arguments: Any) -> list[Any]:
        """As `Program.run`."""
        if self.made is None:
            self.made = Program(*opened(self.jaxpr))
        return self.made.run(meter, arguments)


# ----------------------------------------------------------------- control flow


def on_cpu(platforms: Any) -> int:
    """Which of the branches by platform is a CPU's: NumPy runs where one is."""
    for i, names in enumerate(platforms):
        if names is None or "cpu" in names:
            return i
    return len(platforms)


@rule(
    "platform_index",
    unless=lambda eqn: (
        "no branch for a CPU"
        if on_cpu(eqn.params["platforms"]) == len(eqn.params["platforms"])
        else None
    ),
)
def _platform_index(eqn: Any) -> Any:
    at = np.int32(on_cpu(eqn.params["platforms"]))
    return lambda: at


def _cond(eqn: Any) -> Any:
    branches = [Later(b) for b in eqn.params["branches"]]
    most = len(branches) - 1

    def chosen(meter: Meter, which: Any, *args: Any) -> list[Any]:
        return branches[min(max(int(which), 0), most)].run(meter, args)

    return chosen


def _while(eqn: Any) -> Any:
    p = eqn.params
    first, second = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    test, body = Later(p["cond_jaxpr"]), Later(p["body_jaxpr"])

    def loop(meter: Meter, *args: Any) -> list[Any]:
        of_test, of_body = args[:first], args[first:second]
        carry = list(args[second:])
        while test.run(meter, [*of_test, *carry])[0]:
            meter.look()
            carry = body.run(meter, [*of_body, *carry])
        return carry

    def lanes(meter: Meter, *args: Any) -> list[Any]:
        # Of many lanes each goes on until its own test says no.
        of_test, of_body = args[:first], args[first:second]
        carry = list(args[second:])
        while (on := test.run(meter, [*of_test, *carry])[0]).any():
            meter.look()
            new = body.run(meter, [*of_body, *carry])
            carry = [
                np.where(on.reshape(on.shape + (1,) * (np.ndim(n) - on.ndim)), n, c)
                for n, c in zip(new, carry, strict=True)
            ]
        return carry

    return loop if p["cond_jaxpr"].out_avals[0].shape == () else lanes


def _scan(eqn: Any) -> Any:
    p = eqn.params
    first, second = p["num_consts"], p["num_consts"] + p["num_carry"]
    body, length = Later(p["jaxpr"]), p["length"]
    order = range(length - 1, -1, -1) if p["reverse"] else range(length)
    stacks = [held(v.aval) for v in eqn.outvars[p["num_carry"] :]]
    count = p["num_carry"]

    def loop(meter: Meter, *args: Any) -> list[Any]:
        consts, carry, over = args[:first], list(args[first:second]), args[second:]
        out = [np.empty(shape, dtype) for shape, dtype in stacks]
        for i in order:
            got = body.run(meter, [*consts, *carry, *[x[i] for x in over]])
            meter.look()
            carry = got[:count]
            for stack, value in zip(out, got[count:], strict=True):
                stack[i] = value
        return [*carry, *out]

    return loop


CONTROL: dict[str, Callable[[Any], Any]] = {
    "cond": _cond,
    "while": _while,
    "scan": _scan,
}
"""What runs other jaxprs: made of an equation, called with the meter first."""


# ----------------------------------------------------------------- the whole


class Form:
    """How a jaxpr's arguments are taken, and its results handed out."""

    def __init__(self, closed: ClosedJaxpr):
        self._given = [held(v.aval) for v in closed.jaxpr.invars]
        self._wanted = [held(v.aval)[1] for v in closed.jaxpr.outvars]

    def taken(self, leaves: list[Any]) -> list[Any]:
        """Leaves as programs hold them."""
        pairs = zip(leaves, self._given, strict=True)
        return [taken(leaf, shape, dtype) for leaf, (shape, dtype) in pairs]

    def owned(self, out: list[Any]) -> list[np.ndarray]:
        """Copies: a result may be an argument, a constant, or a view of one."""
        pairs = zip(out, self._wanted, strict=True)
        return [np.array(v, dtype, order="C") for v, dtype in pairs]


class Interpreted:
    """A jaxpr that NumPy runs; the program that `compile` makes.

    Calling it takes leaves of the shapes and dtypes of the jaxpr's arguments (NumPy
    or JAX arrays; keys as JAX's, or as the uint32 arrays that hold them) and gives
    NumPy arrays: owned, in C order, each of its aval's dtype, keys as uint32.

    `spent` is the work done in all calls so far, in the units of `work`. With `limit`
    a loop that has spent more in this call raises `Exhausted`: arguments are never
    written to, so another executor can begin from the same ones. Straight lines of
    calls are never cut: their work is known beforehand.
    """

    def __init__(self, closed: ClosedJaxpr):
        with np.errstate(all="ignore"):
            self._program = Program(closed.jaxpr, closed.consts)
        self._form = Form(closed)
        self.spent = 0.0

    def __call__(self, leaves: list[Any], limit: float = math.inf) -> list[np.ndarray]:
        """The results for these leaves."""
        meter = Meter(limit)
        given = self._form.taken(leaves)
        try:
            with np.errstate(all="ignore"):
                return self._form.owned(self._program.run(meter, given))
        finally:
            self.spent += meter.spent

    @property
    def calls(self) -> int:
        """How many calls the straight part of the program makes."""
        return len(self._program.steps)


def taken(leaf: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """A leaf as the program holds it; ValueError where it is another array."""
    if type(leaf) is not np.ndarray:
        if isinstance(leaf, jax.Array) and is_key(leaf.dtype):
            leaf = jax.random.key_data(leaf)
        leaf = np.asarray(leaf)
    if leaf.shape != shape or leaf.dtype != dtype:
        raise ValueError(
            f"a leaf of shape {leaf.shape} and dtype {leaf.dtype} was given to a "
            f"program made for shape {shape} and dtype {dtype}"
        )
    if not shape:
        return leaf[()]
    return leaf if leaf.flags.c_contiguous else np.ascontiguousarray(leaf)

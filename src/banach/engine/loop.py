"""The one outer loop: k steps of the method, then the check, until it certifies.

`run` is pure: it may stand under jit, vmap and grad. The host driver
(`engine/driver.py`) calls the same kernel in chunks.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from banach.core import compat, printing, tree, validation
from banach.core.annotations import Real, Tolerance, Whole
from banach.core.check import Absolute, Certificate, Check
from banach.core.door import door
from banach.core.implicit_diff import attach_derivative
from banach.core.method import Method, settled
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.engine import trace as tr

STATUSES = (
    "running",
    "certified",
    "budget",
    "stalled",
    "nonfinite",
    "interrupted",
    "infeasible",
    "unbounded",
    "refuted",
    "unverifiable",
)
# By what a run may be executed, in this order: see engine/tiers.py.
TIERS = ("numpy", "split", "fused")
MOST_STEPS = 2**31 - 1  # steps are counted in 32 bits
# Unknowns from which passes over the point cost more than the operations themselves
# (docs/decisions/0016).
LARGE = 2**11
CODE = {name: i for i, name in enumerate(STATUSES)}
UNVERIFIABLE_AFTER = 3
# How a block may end, the first that is true: see `block`, and
# engine/split_step_and_check.py.
ENDS = (
    "certified nonfinite nonfinite refuted unverifiable unverifiable stalled budget"
).split()


class Best(eqx.Module):
    """The point with the smallest certified ratio so far."""

    point: Point
    certificate: Certificate
    step: Int[Array, ""]


class Carry(eqx.Module):
    """Everything that a run is at a border between blocks; saved by checkpoints."""

    state: PyTree
    step: Int[Array, ""]
    status: Int[Array, ""]
    best: Best
    last: Certificate
    look: Int[Array, ""]
    strikes: Int[Array, ""]
    blurred_at: Float[Array, ""]
    bad_step: Int[Array, ""]
    bad_leaf: Int[Array, ""]
    checks: Int[Array, ""]
    trace: tr.Trace


class Outcome(eqx.Module):
    """What the pure loop returns: verdict, point and evidence, all arrays.

    Args:
        point: the answer.
        certificate: of it.
        status: a number, see `banach.core.status`.
        steps: of the method.
        calls: by oracle.
        trace: rows, where they were asked for.
        carry: where the run may go on from.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), jnp.zeros(2))
        >>> out = bn.run(
        ...     bowl, bn.Lbfgs(memory=5), check=bn.Stationarity(), tol=1e-3
        ... )
        >>> out.point.x.round(3)
        Array([1., 1.], dtype=float32)
    """

    point: Point
    certificate: Certificate
    status: Int[Array, ""]
    steps: Int[Array, ""]
    calls: dict[str, Array]
    trace: tr.Trace
    carry: Carry

    @property
    def x(self) -> PyTree:
        """The answer: exactly the point that the certificate speaks of."""
        return self.point.x

    @property
    def certified(self) -> Array:
        """Whether the check passed."""
        return self.status == CODE["certified"]

    def __repr__(self) -> str:
        return printing.outcome_block(self, STATUSES)


class Settings(eqx.Module):
    """What is static in a kernel besides the structure of its arguments."""

    every: int = eqx.field(static=True)
    rows: int = eqx.field(static=True)
    absolute: bool = eqx.field(static=True)


def leaves_in(dtype: Any, value: PyTree) -> PyTree:
    """Python and NumPy scalars among the leaves as arrays of the run's dtype."""

    def fix(leaf):
        if isinstance(leaf, bool | np.bool_):
            return np.asarray(leaf)
        if isinstance(leaf, int | np.integer):
            return np.asarray(leaf, np.int32)
        if isinstance(leaf, float | np.floating):
            return np.asarray(leaf, dtype)
        return leaf

    return jax.tree.map(fix, value)


def cadence(method: Method, check: Check, problem: Problem) -> int:
    """Steps between checks, so that checking stays near a tenth of the work."""
    return paced(method, check.screened(1.0).cost(problem), problem)


def paced(method: Method, looking: Mapping[str, float], problem: Problem) -> int:
    """The same, where the calls of a look behind a screen are known."""
    # A Hessian is matrix products, several times faster an operation than gradients.
    hess = max(4.0, problem.size() / 4)
    unit = {"value": 1.0, "grad": 2.0, "hvp": 4.0, "hess": hess, **problem.prices()}
    ones = dict.fromkeys(method.card.needs, 1)
    per_step = method.card.cost or method.typical or ones

    def work(calls: Mapping[str, float]) -> float:
        # A gradient brings the value of its point with it.
        free = {"value": min(calls.get("value", 0), calls.get("grad", 0))}
        return sum(unit.get(k, 0.5) * (v - free.get(k, 0)) for k, v in calls.items())

    step, look = work(per_step) or 0.5, work(looking)
    dearer = _dearer(problem)
    # Fifty ordinary steps, or as much work in more of them.
    most = max(50, math.ceil(25 * dearer / step))
    return int(min(most, max(1, math.ceil(10 * look * dearer / step))))


def _dearer(problem: Problem) -> float:
    """What a look, which asks in float64, costs over the same oracles in a step.

    Of a float32 problem 2.4 times was measured for passes over vectors, 4 to 6.5 for
    networks: XLA multiplies faster in float32 (docs/decisions/0016).
    """
    double, own = jax.dtypes.canonicalize_dtype(np.float64), tree.dtype(problem.space())
    return 1.0 if own == jnp.promote_types(own, double) else 6.5


def kernel(
    problem: Problem,
    method: Method,
    check: Check,
    start: Point,
    key: Array,
    carry: Any,
    fresh: Any,
    blocks: Any,
    max_steps: Any,
    tol: Any,
    settings: Settings,
    wrap: Callable[[Carry], Any] = lambda c: c,
    unwrap: Callable[[Any], Carry] = lambda c: c,
    careful: Any = True,
) -> Any:
    """At most `blocks` blocks of (k steps, check); a fresh carry is filled first.

    The loop hands on wrap(carry): fewer arrays, fewer operations on a CPU. Where it is
    not `careful` a non-finite point is noticed at the end of its block, and the caller
    runs the same blocks again, carefully (`large`).
    """
    check = check.prepared(problem)
    screening = check.screens() and not settings.absolute
    if screening:
        check = check.screened(tol)
    method_key, check_key, init_key = jax.random.split(key, 3)

    def begin(wrapped):
        c = unwrap(wrapped)
        state = like(method.init(problem, start, init_key), c.state)
        return wrap(eqx.tree_at(lambda q: q.state, c, state))

    carry = jax.lax.cond(fresh, begin, lambda c: c, carry)
    # Below 4 u no comparison with a rounded scale could pass: the one tolerance that
    # ends a run before its first step (CERTIFICATES 2.6).
    hopeless = jnp.asarray(tol < 2 * jnp.finfo(jnp.asarray(tol).dtype).eps)
    if settings.absolute:
        hopeless = jnp.asarray(False)

    def advance(c):
        n = jnp.where(c.checks == 0, 0, jnp.minimum(settings.every, max_steps - c.step))

        def go(s):
            i, _, _, leaf = s
            return (i < n) & (leaf < 0)

        def one(s):
            i, step, state, _ = s
            k = jax.random.fold_in(method_key, step) if method.card.random else key
            state = like(method.step(problem, state, k), state)
            x = method.point(state).x
            if careful is True:
                return i + 1, step + 1, state, first_bad(x)
            due = careful | (i + 1 == n)
            bad = jax.lax.cond(due, first_bad, lambda x: jnp.int32(-1), x)
            return i + 1, step + 1, state, bad

        bad = jnp.asarray(-1, jnp.int32)
        _, step, state, bad = jax.lax.while_loop(
            go, one, (jnp.asarray(0, jnp.int32), c.step, c.state, bad)
        )
        return step, state, bad

    def block(loop):
        wrapped, left = loop
        c = unwrap(wrapped)
        step, state, bad = advance(c)
        raw, point = check(problem, method.point(state), check_key, c.look)
        if settings.absolute:
            raw = raw.absolute()
        cert = like(raw, c.last)
        passed = cert.within(tol) & (bad < 0)
        ratio = cert.ratio
        better = (bad < 0) & ((ratio < c.best.certificate.ratio) | (c.checks == 0))
        # What refutes is what is spoken of, however small its ratio.
        take = passed | better | (cert.refuted() & (bad < 0))
        best = _taken(take, Best(like(point, c.best.point), cert, step), c.best)
        blur = best.certificate.blurred(tol)
        # The same blur goes on while the best ratio has not halved since it began.
        same = (c.strikes > 0) & (best.certificate.ratio > c.blurred_at / 2)
        strikes = jnp.where(blur, jnp.where(same, c.strikes + 1, 1), 0)
        blurred_at = jnp.where(same, c.blurred_at, best.certificate.ratio)
        status = jnp.select(
            [
                passed,
                bad >= 0,
                _any_nan(cert),
                cert.refuted(),
                hopeless,
                strikes >= UNVERIFIABLE_AFTER,
                method.stuck(state) & (step > 0),
                step >= max_steps,
            ],
            [CODE[name] for name in ENDS],
            0,
        ).astype(jnp.int32)
        calls = counted(method, state)
        shown = jnp.where(passed, ratio, cert.value_ratio()) if screening else ratio
        trace = tr.record(c.trace, step, shown, cert.value, calls)
        new = Carry(
            state,
            step,
            status,
            best,
            cert,
            cert.look,
            strikes,
            blurred_at,
            jnp.where(bad >= 0, step, c.bad_step),
            jnp.where(bad >= 0, bad, c.bad_leaf),
            c.checks + 1,
            trace,
        )
        return wrap(new), left - 1

    def more(loop):
        wrapped, left = loop
        return (unwrap(wrapped).status == 0) & (left > 0)

    blocks = jnp.asarray(blocks, jnp.int32)
    return jax.lax.while_loop(more, block, (carry, blocks))[0]


def carry_like(problem, method, check, start, key, settings: Settings) -> Carry:
    """The structure of a carry, as ShapeDtypeStructs."""

    def build(problem, method, check, start, key):
        state = method.init(problem, start, key)
        point = method.point(state)
        cert, kept = check.prepared(problem)(problem, point, key, jnp.int32(0))
        if settings.absolute:
            cert = cert.absolute()
        zero = jnp.zeros((), jnp.int32)
        width = counted(method, state).shape[0]
        trace = tr.empty(settings.rows, width, cert.ratio.dtype)
        best = Best(kept, cert, zero)
        far = jnp.zeros((), cert.ratio.dtype)
        return strong(
            Carry(
                state, zero, zero, best, cert, zero, zero, far, zero, zero, zero, trace
            )
        )

    return jax.eval_shape(build, problem, method, check, start, key)


def fill(struct: Carry, zeros: Any = jnp.zeros) -> Carry:
    """A carry ready for a fresh run."""
    carry = jax.tree.map(lambda s: zeros(s.shape, s.dtype), struct)
    one = zeros((), np.int32) + np.int32(1)
    minus = zeros((), np.int32) - np.int32(1)
    return eqx.tree_at(
        lambda c: (c.trace.stride, c.bad_step, c.bad_leaf), carry, (one, minus, minus)
    )


def outcome(method: Method, carry: Carry) -> Outcome:
    """Read a carry."""
    return Outcome(
        carry.best.point,
        carry.best.certificate,
        carry.status,
        carry.step,
        calls_of(method, carry),
        carry.trace,
        carry,
    )


def calls_of(method: Method, carry: Carry) -> dict[str, Any]:
    """Oracle calls of the method so far; the checks' own calls are not in it."""
    if method.card.cost is None:
        return dict(method.calls(carry.state))
    init = method.card.init_cost or {}
    names = sorted({*method.card.cost, *init})
    return {k: init.get(k, 0) + carry.step * method.card.cost.get(k, 0) for k in names}


def split_tol(tol: Any) -> tuple[Any, bool]:
    """(number, whether it is absolute); Misuse unless positive and finite."""
    absolute = isinstance(tol, Absolute)
    number = tol.tol if absolute else tol
    if type(number) is not float or not 0 < number < math.inf:
        number = validation.number(number, "tol", low="positive")
        number = number if compat.is_tracer(number) else float(number)
    return number, absolute


@door
def run(
    problem: Problem,
    method: Method,
    start: Point | None = None,
    *,
    check: Check,
    tol: "Tolerance | Real" = 1e-6,
    max_steps: Whole = 10_000,
    key: Array | None = None,
    every: int | None = None,
    trace: int = 0,
) -> Outcome:
    """Run a method until the check certifies, as a pure function.

    Works under jit, vmap (a verdict per lane) and grad: the derivative of the
    returned x with respect to the problem's data is the implicit one of
    `problem.optimality`, NaN in a lane that is not certified. The caller's dtype
    and x64 setting rule: in float32 the check is computed in float32 too, and the
    slack of its rounding bounds from below what `tol` can be certified; under
    `jax.enable_x64` checks see float64, as in `bn.solve`. `trace` is the
    number of rows kept (0: none).

    Args:
        problem: a Problem.
        method: an instance of a Method.
        start: a Point; None: the problem's own.
        check: a Check; it ends the run.
        tol: relative, or `bn.Absolute(t)`; may be traced.
        max_steps: method steps at most; may be traced.
        key: a JAX key; None: key(0).
        every: steps between looks; None: by declared costs.
        trace: the number of rows kept (0: none).

    Returns:
        Outcome: point, certificate, status, steps, calls, trace; all arrays.

    Raises:
        Misuse: bad input, with the cure in the message.

    Example:
        >>> f = lambda x, c: jnp.sum((x - c) ** 2)
        >>> def nearest(c):
        ...     bowl = bn.Smooth(f, jnp.zeros(2), (c,))
        ...     return bn.run(
        ...         bowl, bn.Lbfgs(memory=5), check=bn.Stationarity(), tol=1e-3
        ...     ).point.x.sum()
        ...
        >>> jax.grad(nearest)(jnp.ones(2)).round(3)
        Array([1., 1.], dtype=float32)
    """
    number, absolute = _asked(problem, method, check, tol, max_steps, every, trace)
    start = problem.start() if start is None else start
    if not isinstance(start, Point):
        raise Misuse(
            f"run takes a bn.Point as start, got {type(start).__name__}; write "
            "start=bn.Point(x)"
        )
    _floating(start)
    _same_precision((problem, start))
    dtype = tree.dtype(start.x)
    method, check = leaves_in(dtype, (settled(method), check))
    given = problem
    problem, method, start = jax.lax.stop_gradient((problem, method, start))
    key = jax.random.key(0) if key is None else validation.key(key)
    every = cadence(method, check, problem) if every is None else every
    settings = Settings(every, trace, absolute)
    carry = fill(carry_like(problem, method, check, start, key, settings))
    blocks = np.iinfo(np.int32).max
    carry = kernel(
        problem, method, check, start, key, carry, True, blocks, max_steps,
        jnp.asarray(number, carry.last.parts[0].value.dtype), settings,
    )  # fmt: skip
    if check.screens() and not absolute:
        carry = _without_placeholder(problem, check, carry, key)
    out = outcome(method, carry)
    x = attach_derivative(given, out.point.x, out.certified)
    return eqx.tree_at(lambda o: o.point.x, out, x)


def _without_placeholder(problem: Any, check: Check, carry: Carry, key: Any) -> Carry:
    """The best point judged once more where a screen had spared its slack."""
    check_key = jax.random.split(key, 3)[1]
    best = carry.best

    def whole():
        look = check.prepared(problem)(problem, best.point, check_key, carry.look)
        cert, point = like(look, (best.certificate, best.point))
        return Best(point, cert, best.step)

    certified = carry.status == CODE["certified"]
    best = jax.lax.cond(certified, lambda: best, whole)
    return eqx.tree_at(lambda c: c.best, carry, best)


def _asked(problem, method, check, tol, max_steps, every, trace) -> tuple[Any, bool]:
    """(tol, absolute) of a pure run whose arguments are what they should be."""
    wanted = [("problem", problem, Problem), ("method", method, Method),
              ("check", check, Check)]  # fmt: skip
    for name, value, base in wanted:
        if not isinstance(value, base):
            raise Misuse(
                f"run takes a {base.__name__} object as {name}, got "
                f"{validation.shown(value)}; bn.solve also takes names and classes"
            )
    no = check.refuses(problem)
    if no is not None:
        raise Misuse(no)
    if not compat.is_tracer(max_steps):
        validation.integer(max_steps, "max_steps", low=0, high=MOST_STEPS)
    if every is not None:
        validation.integer(every, "every", low=1)
    if validation.integer(trace, "trace", low=0) % 2:
        raise Misuse(f"trace must be an even number of rows, got {trace}")
    return split_tol(tol)


def _floating(start: Point) -> None:
    for leaf in jax.tree.leaves(start.x):
        kind = getattr(leaf, "dtype", np.dtype(type(leaf)))
        if not jnp.issubdtype(kind, jnp.floating):
            raise Misuse(
                f"start must hold floating arrays, got {validation.shown(leaf)}; pass "
                "bn.Point(np.asarray(x, float))"
            )


def _same_precision(data: PyTree) -> None:
    """A pure run never narrows data silently; lone numbers (L, mu, lam) follow x."""
    if jax.dtypes.canonicalize_dtype(np.float64) == np.float64:
        return
    arrays = [leaf for leaf in jax.tree.leaves(data) if np.ndim(leaf)]
    if any(leaf.dtype == np.float64 for leaf in arrays):
        raise Misuse(
            "the problem or start is float64 but 64 bits are off here; wrap the call "
            "in `with jax.enable_x64(True):`, state the problem in float32, or use "
            "bn.solve, which does it for you"
        )


def counted(method: Method, state: PyTree) -> Array:
    """Oracle calls that the state counts, by name; none where they are declared."""
    if method.card.cost is not None:
        return jnp.zeros(0, jnp.int32)
    counts: Mapping[str, Any] = method.calls(state)
    return jnp.stack([jnp.asarray(counts[k], jnp.int32) for k in sorted(counts)])


def first_bad(x: PyTree) -> Array:
    """Index of the first leaf with a non-finite entry, or -1."""
    bad = jnp.asarray(-1, jnp.int32)
    for i, leaf in reversed(list(enumerate(jax.tree.leaves(x)))):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            # One pass that XLA fuses; the flags of jnp.isfinite it would write down.
            finite = jnp.max(jnp.abs(leaf), initial=0.0) < jnp.inf
            bad = jnp.where(finite, bad, i)
    return bad


def _any_nan(cert: Certificate) -> Array:
    return jnp.any(jnp.stack([jnp.isnan(p.value) for p in cert.parts]))


def _taken(flag: Any, new: Best, old: Best) -> Best:
    """The new best where the flag says so; a large point moves only then."""
    if tree.size(old.point) < LARGE:
        return _select(flag, new, old)
    return jax.lax.cond(flag, lambda: new, lambda: old)


def _select(flag: Any, new: PyTree, old: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), new, old)


def strong(value: PyTree) -> PyTree:
    """Leaves without weak types."""
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), value)


def like(value: PyTree, model: PyTree) -> PyTree:
    """Cast leaves to the model's dtypes (drops weak types)."""
    if jax.tree.structure(value) != jax.tree.structure(model):
        raise TypeError(
            "a step or a check changed the structure of what it returns: "
            f"{jax.tree.structure(model)} became {jax.tree.structure(value)}"
        )
    return jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), value, model)

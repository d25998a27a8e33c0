"""Run lanes through a check, judge what it said, count and shrink."""

import dataclasses
import time
import zlib
from decimal import Decimal
from typing import Any

import numpy as np

from fuzz import draw
from fuzz.exact import DIGITS, dec, digits
from fuzz.kind import Batch, Kind, inner

INSTANCES = 128
STEPS = 200
REFUSALS = ("unverifiable", "refuted", "nonfinite", "infeasible", "unbounded")
# Less than any rounding of a goal of size 1.
TINY = Decimal("1e-21")
# What is left of terms that cancel, at most, and slack over eps of them, at most.
NOISE, ROUNDINGS = Decimal("1e-13"), Decimal(100)
# What a scale may exceed the true one by: it is taken at a rounded reference.
LOOSE = Decimal("1.01")


@dataclasses.dataclass
class Said:
    """What the check said of every lane: arrays (instances, points, parts)."""

    value: np.ndarray
    slack: np.ndarray
    scale: np.ndarray
    certified: np.ndarray  # (instances, points)
    status: np.ndarray  # (instances, points), words
    x: Any  # what the certificates speak of
    names: tuple[str, ...]
    dual: Any = None  # the witnesses that came back, where the kind wants them


@dataclasses.dataclass
class Fault:
    """One false statement."""

    kind: str
    dtype: str
    fault: str  # "bound", "certified" or "scale"
    part: str
    point: str
    batch: Batch
    x: Any
    tol: float
    said: dict[str, float]
    true: str
    code: str = ""


@dataclasses.dataclass
class Count:
    """A row of the table."""

    kind: str
    dtype: str
    lanes: int = 0
    certified: int = 0
    false: int = 0
    bound: int = 0
    scale: int = 0
    refusals: dict[str, int] = dataclasses.field(default_factory=dict)
    missed: int = 0  # solutions, rounded, that do not pass though inside the range
    solvable: int = 0  # solutions, rounded, that pass, inside the range
    budget: int = 0
    stalled: int = 0
    crashes: int = 0
    seconds: float = 0.0


class Lanes:
    """The programs of one kind and dtype: looks, by XLA or by NumPy, and runs."""

    def __init__(
        self, kind: Kind, dtype: Any, check: Any = None, executor: str = "xla"
    ):
        self.kind, self.dtype, self.executor = kind, np.dtype(dtype), executor
        self.refused: str | None = None  # why NumPy did not look
        self.check = kind.checker() if check is None else check
        self.crashes: list[tuple[int, str]] = []
        self._looks: dict[Any, Any] = {}
        self._runs: dict[Any, Any] = {}

    def look(self, problem: Any, x: Any, tol: Any) -> Said:
        """The check at every point of every instance; no screen, full slack."""
        import jax

        from banach.core import compat

        with compat.double():
            leaves, structure = jax.tree.flatten((problem, x))
            key = (structure, tuple((np.shape(v), np.result_type(v)) for v in leaves))
            if key not in self._looks:
                self._looks[key] = self._compile(structure, leaves, tol)
            call, names, back = self._looks[key]
            flat = call(leaves, np.asarray(tol, np.float64))
            parts, certified, refuted, kept, dual = jax.tree.unflatten(
                back, jax.device_get(flat)
            )
        value, slack, scale = (np.stack([p[i] for p in parts], -1) for i in range(3))
        nan = np.isnan(value).any(axis=-1)
        finite = np.isfinite(value).all(axis=-1)
        status = np.where(certified, "certified", np.where(
            refuted, "refuted", np.where(finite, "budget", np.where(
                nan, "nonfinite", "overflow"))))  # fmt: skip
        return Said(value, slack, scale, certified, status, kept, names, dual)

    def _compile(self, structure, leaves, tol):
        import jax
        import jax.numpy as jnp

        from banach.core import tree
        from banach.core.point import Point
        from banach.engine import executors, loop

        box: list[Any] = []
        key = jax.random.key(7)

        def one(problem, xs, tol):
            check = loop.leaves_in(tree.dtype(xs), self.check)
            ready = check.prepared(problem)

            def at(x):
                cert, kept = ready(problem, Point(x), key, jnp.int32(0))
                box.append(tuple(p.name for p in cert.parts))
                parts = [
                    tuple(
                        jnp.asarray(v, jnp.float64) for v in (p.value, p.slack, p.scale)
                    )
                    for p in cert.parts
                ]
                dual = kept.dual if self.kind.wants_dual else None
                return parts, cert.within(tol), cert.refuted(), kept.x, dual

            return jax.vmap(at)(xs)

        def many(leaves, tol):
            problem, xs = jax.tree.unflatten(structure, leaves)
            out, back = jax.tree.flatten(jax.vmap(one)(problem, xs, tol))
            box.append(back)
            return out

        program = executors.Program(many, (leaves, np.asarray(tol, np.float64)))
        if self.executor == "numpy":
            self.refused = program.refusal
            if self.refused is None:
                translated = program.numpy
                call = lambda leaves, tol: translated([*leaves, tol])  # noqa: E731
                return call, box[0], box[-1]
        return program.xla(), box[0], box[-1]

    def run(self, problem: Any, tol: Any) -> Said | None:
        """The default method on every instance; None where none applies to any."""
        import jax

        from banach.core import compat, tree
        from banach.engine import executors, loop

        def one(problem, tol, template):
            # A view is made of concrete numbers: lanes meet the method itself.
            method = type(template.bare()).suggest(problem, problem.facts())
            start = problem.start()
            method = loop.leaves_in(tree.dtype(start.x), method)
            out = loop.run(
                problem, method, start, check=self.check, tol=tol, max_steps=STEPS
            )
            c = out.certificate
            parts = [(p.value, p.slack, p.scale) for p in c.parts]
            dual = out.point.dual if self.kind.wants_dual else None
            return out.status, parts, out.point.x, dual

        with compat.double():
            leaves, structure = jax.tree.flatten(problem)
            key = (structure, tuple((np.shape(v), np.result_type(v)) for v in leaves))
            if key not in self._runs:
                template = self._template(problem)
                if template is None:
                    return None
                many = jax.jit(jax.vmap(lambda p, t: one(p, t, template)))
                self._runs[key] = many.lower(problem, np.asarray(tol)).compile(
                    compiler_options=executors.FAST
                )
            out = jax.device_get(self._runs[key](problem, np.asarray(tol)))
        status, parts, x, dual = out
        words = np.asarray(loop.STATUSES)[status]
        value, slack, scale = (
            np.stack([np.asarray(p[i], float) for p in parts], -1)[:, None]
            for i in range(3)
        )
        certified = (words == "certified")[:, None]
        x, dual = jax.tree.map(lambda v: v[:, None], (x, dual))
        names = self._looks[next(iter(self._looks))][1]
        return Said(value, slack, scale, certified, words[:, None], x, names, dual)

    def _template(self, problem: Any) -> Any:
        """The default method; an instance on which choosing raises is a fault."""
        import jax

        from banach.doors import defaults

        found = None
        for i in range(16):
            single = jax.tree.map(lambda v, i=i: np.asarray(v)[i], problem)
            try:
                found = defaults.method_for(self.kind.method, single)
            except ValueError:
                continue
            except Exception as e:
                self.crashes.append((i, f"{type(e).__name__}: {e}"))
        return found


def at(x: Any, *index: int) -> Any:
    """One point of a stacked pytree."""
    import jax

    return jax.tree.map(lambda v: np.asarray(v)[index], x)


def judge(kind: Kind, one: Batch, x: Any, tol: float, said: Said, i: int, k: int):
    """(fault, part index, the true number) or None, of what was said of (i, k).

    First with 60 digits; what that flags must stand with `kind.sure` digits.
    """
    found = None
    parts = np.stack([said.value[i, k], said.slack[i, k], said.scale[i, k]], -1)
    certified = bool(said.certified[i, k])
    if said.dual is not None:
        one = one | {"dual": at(said.dual, i, k)}
    for number in (DIGITS, kind.sure):
        with digits(number):
            found = _judge(kind, one, x, tol, parts, certified, said.names)
        if found is None:
            return None
    return found


def _by_name(found, names):
    """What a kind says of parts, by name or in order, filled up with None."""
    if isinstance(found, dict):
        return [found.get(name) for name in names]
    return [*found, *[None] * (len(names) - len(found))]


def _judge(kind, one, x, tol, parts, certified, names):
    claims = [
        all(np.isfinite(p[:2])) and p[1] >= 0 and (p[0] >= -p[1] or kind.signed)
        for p in parts
    ]
    if not any(claims):
        return None
    true = _by_name(kind.truth(one, x), names)
    for i, ((value, slack, _), t) in enumerate(zip(parts, true, strict=True)):
        if t is None or not claims[i] or t.is_nan():
            continue
        value = dec(value) if kind.signed else max(dec(value), dec(0))
        if t > value + dec(slack):
            return "bound", i, f"{t:.6e}"
    if not certified:
        return None
    if kind.signed:
        over = kind.reached(one, x)
        return ("certified", 0, f"{over:.6e} over") if over > TINY else None
    sizes = _by_name(kind.companion(one), names)
    scales = _by_name(kind.scale(one), names)
    scales = [cancelled(s, size) for s, size in zip(scales, sizes, strict=True)]
    for i, ((_, _, scale), t, s) in enumerate(zip(parts, true, scales, strict=True)):
        if s is None or s.is_nan():
            continue
        if t is not None and s > 0 and t > dec(tol) * s * LOOSE:
            return "certified", i, f"{t:.6e} > {tol:g} * {s:.6e}"
        if s > 0 and dec(scale) > s * LOOSE:
            return "scale", i, f"scale {scale:.6e} > {s:.6e}"
    return None


def cancelled(scale: Decimal | None, size: Decimal | None) -> Decimal | None:
    """The largest honest scale, where `size` is that of the terms it is a sum of.

    The sum itself, if it is more than rounding; else the size of the terms, as slack
    over eps has it, up to 1: nothing is relative to rounding.
    """
    if not scale or size is None or scale > NOISE * size:
        return scale
    return max(scale, min(Decimal(1), ROUNDINGS * size))


def fuzz(
    kind: Kind,
    dtype: Any,
    lanes: int,
    seed: int,
    runner: "Lanes | None" = None,
    keep: int = 3,
) -> tuple[Count, list[Fault]]:
    """At least `lanes` lanes of one kind; a tenth of the batches are also solved."""
    began = time.perf_counter()
    np.seterr(all="ignore")
    dtype = np.dtype(dtype)
    runner = Lanes(kind, dtype) if runner is None else runner
    count = Count(kind.name, str(dtype))
    faults: list[Fault] = []
    crashed = 0
    for batch_at in range(10**9):
        if count.lanes >= lanes:
            break
        rng = np.random.default_rng([seed, _code(kind.name), dtype.itemsize, batch_at])
        batch = kind.solve(kind.draw(rng, dtype, INSTANCES))
        tol = draw.tolerances(rng, INSTANCES)
        x = kind.points(rng, batch, dtype)
        problem = kind.stack(batch)
        said = runner.look(problem, x, tol)
        passes = said.certified[:, 0]
        insides = np.array(
            [_inside(kind.one(batch, i), at(x, i, 0)) for i in range(INSTANCES)]
        )
        count.solvable += int(np.sum(passes & insides))
        count.missed += int(np.sum(~passes & insides))
        _tally(kind, count, faults, batch, said, tol, passes & insides, keep, given=x)
        if kind.solves and batch_at % 5 == 0:
            solved = runner.run(problem, tol)
            for i, words in runner.crashes[crashed:]:
                faults.append(
                    Fault(kind.name, str(dtype), "crash", words, "solve",
                          kind.one(batch, i), at(x, i, 0), float(tol[i]), {}, "")
                )  # fmt: skip
            crashed = len(runner.crashes)
            if solved is not None:
                expected = passes & insides
                _tally(kind, count, faults, batch, solved, tol, expected, keep, 9)
    count.crashes = len(runner.crashes)
    count.seconds = time.perf_counter() - began
    return count, faults


def _inside(one, x):
    import jax

    data = [v for k, v in one.items() if not k.startswith(("best", "null"))]
    data = [v for v in data if np.issubdtype(np.asarray(v).dtype, np.number)]
    return inner([*data, *jax.tree.leaves(x)])


def _tally(kind, count, faults, batch, said, tol, expected, keep, first=0, given=None):
    import jax

    instances, points = said.certified.shape
    count.lanes += instances * points
    count.certified += int(said.certified.sum())
    for i in range(instances):
        one = kind.one(batch, i)
        for k in range(points):
            status = str(said.status[i, k])
            if first:
                count.budget += status == "budget"
                count.stalled += status == "stalled"
            refused = status in REFUSALS and expected[i]
            # A point beyond the range may overflow, and what is returned is no number
            # then; a run begins inside it.
            if refused and (given is None or inner(jax.tree.leaves(at(given, i, k)))):
                word = status
                count.refusals[word] = count.refusals.get(word, 0) + 1
            x = at(said.x, i, k)
            if first and not said.certified[i, k]:
                # Behind a screen the slack of what does not pass is a placeholder.
                continue
            found = judge(kind, one, x, tol[i], said, i, k)
            if found is None:
                continue
            what, part, true = found
            if what == "scale":
                count.scale += 1
            elif what == "bound":
                count.bound += 1
            else:
                count.false += 1
            label = kind.label(k + first)
            same = [f for f in faults if f.fault == what and f.point == label]
            if len(same) < keep:
                value, slack, scale = (
                    v[i, k, part] for v in (said.value, said.slack, said.scale)
                )
                faults.append(
                    Fault(
                        kind.name, count.dtype, what, said.names[part],
                        label, one, x, float(tol[i]),
                        {"value": value, "slack": slack, "scale": scale}, true,
                    )
                )  # fmt: skip


def _code(name: str) -> int:
    return zlib.crc32(name.encode())

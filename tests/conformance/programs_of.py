"""A method on a problem, and what its tests share of running it."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from beds import BEDS
from counted import Counted, Tally, callbacks
from listing import built

import banach as bn
from banach.core import compat
from banach.core.tree import dtype
from banach.doors import defaults
from banach.engine import interpret, problem_cache, tiers
from banach.engine.loop import leaves_in, run

TOL = 1e-9
STEPS = 400
COUNTED_STEPS = 25
THETAS = (1.0, 1.02, float("nan"), 1.0)
LIMITS = (STEPS, STEPS, STEPS, 3)


class Case:
    """A method on a problem; each of its runs is made once, when it is first asked."""

    def __init__(self, name: str, bed: str):
        self.name, self.bed = name, BEDS[bed]
        self.problem = self.bed.problem
        self.method = built(name, self.problem)
        self.check = defaults.check_for(None, self.problem)

    def solve(self, problem=None, method=None, **options):
        """`bn.solve` of the bed's problem, by NumPy where it can."""
        settings = dict(tol=TOL, max_steps=STEPS) | options
        if "resume" not in options:
            settings.setdefault("tier", self.tier)
        problem = self.problem if problem is None else problem
        return bn.solve(problem, method or self.method, **settings)

    @functools.cached_property
    def ready(self):
        """The run as executors are given it."""
        with compat.double():
            data, start = problem_cache.of(self.problem), self.problem.start()
            return problem_cache.Ready(
                data, self.problem, self.method, self.check, start
            )

    @functools.cached_property
    def look(self):
        """The program of a look, as a run by NumPy asks it."""
        with compat.double():
            judge, moves = self.ready.judge, self.ready.moves
            screened = judge.check.screens()
            return judge.look(moves.point_structs, moves.point_tree, screened).program

    @functools.cached_property
    def refused(self) -> str | None:
        """Why NumPy does not make the move, or else the look; None where it does."""
        with compat.double():
            move = tiers.apart(self.ready) or tiers.interpretable(self.ready)
            if move is not None:
                return f"move: {move}"
            look = self.look.refusal
            return None if look is None else f"look: {look}"

    @property
    def tier(self) -> str:
        """The executor of this pair in layer A."""
        no = self.refused
        return "fused" if no is not None and no.startswith("move: ") else "numpy"

    @functools.cached_property
    def full(self):
        """The uninterrupted run."""
        return self.solve()

    @functools.cached_property
    def fused(self):
        """The same by the fused kernel."""
        return self.full if self.tier == "fused" else self.solve(tier="fused")

    @functools.cached_property
    def lanes(self):
        """vmap of the pure run and of its gradient over theta, compiled."""

        def answer(theta, limit):
            problem = self.bed.moved(theta)
            out = run(problem, self.method, check=self.check, tol=TOL, max_steps=limit)
            flat = jnp.concatenate([jnp.ravel(v) for v in jax.tree.leaves(out.x)])
            weights = jnp.arange(1.0, flat.size + 1)
            return weights @ flat, (flat, out.status, out.steps)

        both = jax.jit(jax.vmap(jax.value_and_grad(answer, has_aux=True)))
        (_, aux), slope = both(np.array(THETAS), np.array(LIMITS, np.int32))
        x, status, steps = aux
        return SimpleNamespace(
            x=np.asarray(x), status=np.asarray(status), steps=np.asarray(steps),
            slope=np.asarray(slope),
        )  # fmt: skip

    @functools.cached_property
    def counted(self):
        """Bare steps of the method, with oracles counted as they run."""
        tally = Tally()
        problem = Counted(self.problem, tally)
        start = problem.start()
        method = leaves_in(dtype(start.x), self.method)
        keys = jax.random.split(jax.random.key(1), COUNTED_STEPS + 1)
        bare = Bare(problem, start)
        # Effects are refused of a program as a whole: the method itself is asked.
        moves = self.ready.moves
        able = not any(p.refusal for p in (moves.init, moves.seen, moves.steps))
        with callbacks():
            first, xs, state = (bare.numpy if able else bare.xla)(method, keys)
        return SimpleNamespace(
            first=first, xs=xs, run=tally.run, state=state, method=method,
            start=start.x,
        )  # fmt: skip


class Bare:
    """`init` and `step` of methods on a problem, and nothing else.

    `numpy` and `xla` give (first x, all x after it, last state). Every equation runs,
    those too on which no result depends but a count.
    """

    def __init__(self, problem, start):
        self.given, self.treedef = jax.tree.flatten((problem, start))
        self.given = [np.asarray(v) for v in self.given]
        self.programs = {}

    def traced(self, method):
        """(leaves of the method, its `Steps`, traced once for a structure)."""
        own, treedef = jax.tree.flatten(method)
        own = [np.asarray(v) for v in own]
        key = treedef, tuple((v.shape, v.dtype) for v in own)
        if key not in self.programs:
            self.programs[key] = Steps(self, own, treedef)
        return own, self.programs[key]

    def numpy(self, method, keys):
        """Interpreted: nothing is compiled."""
        own, steps = self.traced(method)
        init, step = steps.numpy
        raws = np.asarray(jax.random.key_data(keys))
        out = init([*self.given, *own, raws[0]])
        size, rows = steps.size, []
        first, now = out[size:], out[:size]
        for raw in raws[1:]:
            out = step([*self.given, *own, *now, raw], limit=MOST)
            now, x = out[:size], out[size:]
            rows.append(x)
        xs = [np.stack(column) for column in zip(*rows, strict=True)]
        return steps.structured(first, xs, now)

    def xla(self, method, keys):
        """Compiled, in one program."""
        own, steps = self.traced(method)
        out = steps.xla(self.given, own, jax.random.key_data(keys))
        jax.block_until_ready(out)
        jax.effects_barrier()
        return steps.structured(*out)

    def __call__(self, method, keys):
        """By NumPy where it can, all of it, in bounded time; else by XLA."""
        _, steps = self.traced(method)
        if steps.refused is None:
            try:
                return self.numpy(method, keys)
            except interpret.Exhausted:
                pass
        return self.xla(method, keys)


# Units of work of one step above which NumPy gives it up: a constant that was moved may
# make an inner loop endless but for its limit.
MOST = 1e5


class Steps:
    """`init` and `step` of one structure of method."""

    def __init__(self, bare, own, treedef):
        self.problem, self.method = bare.treedef, treedef
        self.trees = {}
        raw = np.zeros(2, np.uint32)
        shown = jax.make_jaxpr(self.init, return_shape=True)
        self.first, (state, _) = shown(bare.given, own, raw)
        self.size = len(state)
        self.next = jax.make_jaxpr(self.step)(bare.given, own, state, raw)

    def init(self, given, own, raw):
        """(leaves of the state, of x)."""
        problem, start = jax.tree.unflatten(self.problem, given)
        method = jax.tree.unflatten(self.method, own)
        state = strong(method.init(problem, start, jax.random.wrap_key_data(raw)))
        self.trees["state"] = jax.tree.structure(state)
        return jax.tree.leaves(state), self.x(method, state)

    def step(self, given, own, state, raw):
        """The same after one step."""
        problem, _ = jax.tree.unflatten(self.problem, given)
        method = jax.tree.unflatten(self.method, own)
        before = jax.tree.unflatten(self.trees["state"], state)
        key = jax.random.wrap_key_data(raw)
        after = like(method.step(problem, before, key), before)
        return jax.tree.leaves(after), self.x(method, after)

    def x(self, method, state):
        """Leaves of x."""
        leaves, self.trees["x"] = jax.tree.flatten(method.point(state).x)
        return leaves

    @functools.cached_property
    def refused(self):
        """Why NumPy cannot run them, or None."""
        return interpret.refusal(self.first) or interpret.refusal(self.next)

    @functools.cached_property
    def numpy(self):
        """Both, translated."""
        return interpret.compile(self.first), interpret.compile(self.next)

    @functools.cached_property
    def xla(self):
        """All steps as one compiled function of (data, hyperparameters, raw keys)."""

        @jax.jit
        def go(given, own, raws):
            state, first = self.init(given, own, raws[0])

            def step(state, raw):
                return self.step(given, own, state, raw)

            state, xs = jax.lax.scan(step, state, raws[1:])
            return first, xs, state

        return go

    def structured(self, first, xs, state):
        """Flat lists as what they were made of."""
        x, whole = self.trees["x"], self.trees["state"]
        parts = zip((x, x, whole), (first, xs, state), strict=True)
        return tuple(jax.tree.unflatten(of, v) for of, v in parts)


def strong(value):
    """Without weak types."""
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), value)


def like(value, model):
    """In the dtypes of the model."""
    return jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), value, model)


def bits(tree):
    """The bytes of all leaves."""
    return [np.asarray(v).tobytes() for v in jax.tree.leaves(tree)]


def flat(x):
    """All entries in one vector."""
    return np.concatenate([np.ravel(v) for v in jax.tree.leaves(x)])


def unstacked(xs):
    """Rows of a pytree whose leaves have one axis more."""
    leaves, treedef = jax.tree.flatten(xs)
    return [jax.tree.unflatten(treedef, row) for row in zip(*leaves, strict=True)]

"""A method on a problem, and the three programs that its tests share."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from beds import BEDS
from counted import Counted, Tally
from listing import built

import banach as bn
from banach import choose
from banach.core.run import leaves_in, run
from banach.core.tree import dtype

TOL = 1e-9
STEPS = 400
COUNTED_STEPS = 25
THETAS = (1.0, 1.02, float("nan"), 1.0)
LIMITS = (STEPS, STEPS, STEPS, 3)


class Case:
    """A method on a problem, and its programs, each compiled once when first asked."""

    def __init__(self, name: str, bed: str):
        self.name, self.bed = name, BEDS[bed]
        self.problem = self.bed.problem
        self.method = built(name, self.problem)
        self.check = choose.check_for(None, self.problem)

    def solve(self, problem=None, method=None, **options):
        """`bn.solve` of the problem as named in its file."""
        settings = dict(tol=TOL, max_steps=STEPS) | options
        problem = self.bed.spec if problem is None else problem
        return bn.solve(problem, method or self.method, **settings)

    @functools.cached_property
    def full(self):
        """The uninterrupted run: the first program."""
        return self.solve()

    @functools.cached_property
    def lanes(self):
        """vmap of the pure run and of its gradient over theta: the second program."""

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
        """Every iterate, with oracles counted as they run: the third program."""
        tally = Tally()
        problem = Counted(self.problem, tally)
        start = problem.start()
        method = leaves_in(dtype(start.x), self.method)
        keys = jax.random.split(jax.random.key(1), COUNTED_STEPS + 1)

        @jax.jit
        def go(problem, method, start):
            state = strong(method.init(problem, start, keys[0]))

            def step(state, key):
                state = like(method.step(problem, state, key), state)
                return state, method.point(state).x

            first = method.point(state).x
            state, xs = jax.lax.scan(step, state, keys[1:])
            return first, xs, state

        first, xs, state = jax.block_until_ready(go(problem, method, start))
        jax.effects_barrier()
        return SimpleNamespace(
            first=first, xs=xs, run=tally.run, state=state, method=method,
            start=start.x,
        )  # fmt: skip


def strong(value):
    """Without weak types."""
    return jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), value)


def like(value, model):
    """In the dtypes of the model."""
    return jax.tree.map(lambda v, m: jnp.asarray(v, m.dtype), value, model)

"""A step of optax through banach over the plain loop that it replaces, in float32.

The plain loop is the better of two: a jitted update whose buffers are donated, called
from Python, and the same update inside `jax.lax.fori_loop`. Neither side pays here for
compiling or starting: banach is timed from its look at the start to a later border.
"""

import functools
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import banach as bn
from banach.core import compat
from banach.doors import defaults
from banach.doors.verify import named
from banach.engine import compile_cache, driver, loop, problem_cache, tiers
from banach.engine.plan import Limits, Manner, Plan
from benchmarks import measure

ROWS = 32
WIDTHS = {
    "1e4": (64, 96, 32, 10),
    "1e6": (784, 768, 512, 10),
    "1e7": (784, 3000, 2500, 64),
}
OPTIMISERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (optax.adam, {"learning_rate": 1e-3}),
    "sgd, momentum": (optax.sgd, {"learning_rate": 1e-3, "momentum": 0.9}),
    "adamw, no decay": (optax.adamw, {"learning_rate": 1e-3, "weight_decay": 0.0}),
}
STEPS = {"1e4": 10_000, "1e6": 400, "1e7": 100}


class Case(NamedTuple):
    """One objective: as banach has it, and as a loop has it."""

    problem: Any
    loss: Callable[..., Any]
    x0: Any
    data: tuple[Any, ...]
    steps: int


def network(size: str) -> Case:
    """A perceptron on one batch of rows, cross-entropy."""
    rng = np.random.default_rng(0)
    widths = WIDTHS[size]
    x0 = [
        (
            (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32),
            np.zeros(b, np.float32),
        )
        for a, b in itertools.pairwise(widths)
    ]
    rows = rng.standard_normal((ROWS, widths[0])).astype(np.float32)
    labels = rng.integers(0, widths[-1], ROWS).astype(np.int32)

    def model(params, u, key=None):
        for w, b in params[:-1]:
            u = jnp.tanh(u @ w + b)
        w, b = params[-1]
        return u @ w + b

    cross = optax.softmax_cross_entropy_with_integer_labels
    problem = bn.Training(model, cross, x0, rows, labels)

    def loss(params, rows, labels):
        return cross(model(params, rows), labels).mean()

    return Case(problem, loss, x0, (rows, labels), STEPS[size])


def vector() -> Case:
    """Ten million unknowns apart: a gradient costs one pass, the least it can."""
    c = np.linspace(0, 1, 10**7, dtype=np.float32)

    def loss(x, c):
        return jnp.sum((1 + c * c) * (x - c) ** 2) / 2

    x0 = np.zeros_like(c)
    return Case(bn.Smooth(loss, x0, (c,)), loss, x0, (c,), 4 * STEPS["1e7"])


def loops(case: Case, transform: Any) -> dict[str, Callable[[int], None]]:
    """The two plain loops: a call takes so many steps."""

    def update(x, s, *data):
        g = jax.grad(case.loss)(x, *data)
        u, s = transform.update(g, s, x)
        return optax.apply_updates(x, u), s

    def many(x, s, k, *data):
        return jax.lax.fori_loop(0, k, lambda i, c: update(*c, *data), (x, s))

    data = jax.tree.map(jnp.asarray, case.data)
    start = jax.tree.map(jnp.array, case.x0)
    start = (start, transform.init(start))
    step = jax.jit(update, donate_argnums=(0, 1)).lower(*start, *data).compile()
    loop = jax.jit(many, donate_argnums=(0, 1))
    loop = loop.lower(*start, jnp.int32(1), *data).compile()
    held = {name: jax.tree.map(jnp.array, start) for name in ("python", "fori")}

    def python(k):
        at = held["python"]
        for _ in range(k):
            at = step(*at, *data)
        held["python"] = jax.block_until_ready(at)

    def fori(k):
        held["fori"] = jax.block_until_ready(loop(*held["fori"], jnp.int32(k), *data))

    return {"python loop": python, "fori_loop": fori}


BATCH = 32
RATE = 0.1


def minibatches(case: Case, n: int) -> dict[str, Callable[[int], None]]:
    """The two plain loops of stochastic gradients, in a fresh order every pass."""

    def descend(x, t, index, *data):
        rows = jax.tree.map(lambda v: v[index], data)
        g = jax.grad(case.loss)(x, *rows)
        return jax.tree.map(lambda p, q: p - RATE / (1 + BATCH / n * t) * q, x, g)

    def update(state, *data):
        x, order, used, t, key = state
        key, draw = jax.random.split(key)
        short = used + BATCH > n
        order = jax.lax.cond(
            short, lambda: jax.random.permutation(draw, n), lambda: order
        )
        used = jnp.where(short, 0, used)
        index = jax.lax.dynamic_slice(order, (used,), (BATCH,))
        return descend(x, t, index, *data), order, used + BATCH, t + 1, key

    def many(state, k, *data):
        return jax.lax.fori_loop(0, k, lambda i, s: update(s, *data), state)

    data = jax.tree.map(jnp.asarray, case.data)
    x, zero = jax.tree.map(jnp.array, case.x0), jnp.zeros((), jnp.int32)
    index = jnp.zeros(BATCH, jnp.int32)
    step = jax.jit(descend, donate_argnums=0).lower(x, zero, index, *data).compile()
    state = x, jnp.arange(n), zero, jnp.array(zero), jax.random.key(0)
    loop = jax.jit(many, donate_argnums=0).lower(state, zero, *data).compile()
    held = {"python": (jax.tree.map(jnp.array, x), 0), "fori": state}
    rng = np.random.default_rng(0)

    def python(k):
        x, t = held["python"]
        for i in range(k):
            at = i % (n // BATCH)
            if at == 0:
                order = rng.permutation(n).astype(np.int32)
            index = order[at * BATCH : (at + 1) * BATCH]
            x = step(x, np.int32(t + i), index, *data)
        held["python"] = jax.block_until_ready(x), t + k

    def fori(k):
        held["fori"] = jax.block_until_ready(loop(held["fori"], jnp.int32(k), *data))

    return {"python loop": python, "fori_loop": fori}


def digits() -> Case:
    """The built-in `training:digits` in its own float64."""
    problem, _ = named("training:digits")
    inputs, labels = problem.sum.data

    def loss(params, rows, labels):
        first, second = params
        u = jnp.tanh(rows @ first["W"] + first["b"])
        z = u @ second["W"] + second["b"]
        cross = (
            jax.nn.logsumexp(z, axis=1)
            - jnp.take_along_axis(z, labels[:, None], 1)[:, 0]
        )
        ridge = sum(jnp.sum(v * v) for v in jax.tree.leaves(params))
        return cross.mean() + problem.sum.l2 / 2 * ridge

    return Case(problem, loss, problem.start().x, (inputs, labels), 10_000)


def plainly(go: Callable[[int], None]) -> Callable[[int], np.ndarray]:
    """(processor, wall) seconds a step of a loop."""

    def timed(k):
        began = _now()
        go(k)
        return (_now() - began) / k

    return timed


def ours(case: Case, method: Any) -> Callable[[int], np.ndarray]:
    """The same of a run of banach, from its look at the start to a later border."""
    plan, _ = planned(case, method, None)
    # A tolerance that no run meets.
    limits, how = Limits(tol=1e-12, steps=10**9), Manner(tier="fused")

    def timed(k):
        with compat.double():
            runs = driver.iterate(plan, limits, how)
            first, began = next(runs).steps, _now()
            steps = first
            while steps < first + k:
                steps = next(runs).steps
            took = _now() - began
            runs.close()
        return took / (steps - first)

    return timed


def bare(case: Case, method: Any) -> Callable[[int], np.ndarray]:
    """The same without looks: a block of steps and a look, less a look alone."""
    _, ready = planned(case, method, case.steps)
    settings = loop.Settings(case.steps, 256, False)
    with compat.double():
        runner = tiers.build("fused", ready, settings)
    raw, held = compile_cache.raw_key(0), [runner.zero, True]

    def call(cap):
        with compat.double():
            began = _now()
            held[0] = runner.call(raw, held[0], (held[1], 1, cap), 1e-12)
            runner.progress(held[0])
            held[1] = False
            return _now() - began

    def timed(k):
        held[:] = [runner.zero, True]
        call(k)  # the look at the start
        whole = call(k + 1)  # k steps are a block
        return (whole - call(k)) / k

    return timed


def planned(
    case: Case, method: Any, every: int | None
) -> tuple[Plan, problem_cache.Ready]:
    """The run as the doors make it, with so many steps between looks."""
    check, start = defaults.check_for(None, case.problem), case.problem.start()
    with compat.double():
        data = problem_cache.of(case.problem)
        ready = problem_cache.Ready(data, case.problem, method, check, start, every)
    return Plan(case.problem, method, check, start, data=data, ready=ready), ready


def _now() -> np.ndarray:
    return np.array([time.process_time(), time.perf_counter()])


def step_seconds(
    contenders: dict[str, Callable[[int], np.ndarray]], steps: int, rounds: int
) -> dict[str, list[np.ndarray]]:
    """(processor, wall) seconds a step in each round, A B C then C B A."""
    for go in contenders.values():
        go(steps)
    seconds: dict[str, list[np.ndarray]] = {name: [] for name in contenders}
    names = list(contenders)
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            seconds[name].append(contenders[name](steps))
    return seconds


def run(quick: bool = False) -> measure.Report:
    rounds = 3 if quick else 9
    cases: list[tuple[str, Callable[[], Case], str]] = [
        (f"network, {size} parameters", functools.partial(network, size), name)
        for size in (("1e4",) if quick else WIDTHS)
        for name in OPTIMISERS
    ]
    if not quick:
        cases.append(("vector, 1e7 unknowns", vector, "adam"))
    rows, goals = [], []
    for what, build, name in cases:
        factory, hyper = OPTIMISERS[name]
        case = build()
        plain = loops(case, factory(**hyper))
        row, ratio = compared(case, plain, bn.FromOptax(factory, **hyper), rounds)
        rows.append([f"{what}, {name}", *row])
        goals.append(measure.Goal(f"{what}, {name}: over the plain loop", ratio, 1.15))
    with compat.double():
        case = digits()
        rate = {"learning_rate": 1e-3}
        told = [
            ("adam", loops(case, optax.adam(**rate)), bn.FromOptax(optax.adam, **rate)),
            (
                f"stochastic gradients of {BATCH}",
                minibatches(case, case.problem.n),
                bn.Sgd(RATE, BATCH / case.problem.n, BATCH),
            ),
        ]
        for name, plain, method in told:
            steps = 200 if name == "adam" else case.steps
            row, ratio = compared(case._replace(steps=steps), plain, method, rounds)
            rows.append([f"training:digits, float64, {name}", *row])
            goals.append(measure.Goal(f"training:digits, {name}", ratio, 1.15))
    return measure.Report(
        "training",
        "Training: a step of optax",
        f"float32 but for the digits, {ROWS} rows a gradient; {rounds} alternating "
        "rounds. Milliseconds "
        "of the processors a step; the ratios are medians over the rounds, looks "
        "included.",
        ["run", "python loop", "fori_loop", "banach", "without looks", "every",
         "ratio", "without looks, ratio", "ratio, wall"],
        rows,
        goals,
    )  # fmt: skip


def compared(
    case: Case, plain: dict[str, Callable[[int], None]], method: Any, rounds: int
) -> Any:
    """A row of the table, and the ratio over the better plain loop."""
    contenders = {name: plainly(go) for name, go in plain.items()} | {
        "banach": ours(case, method),
        "without looks": bare(case, method),
    }
    seconds = step_seconds(contenders, case.steps, rounds)
    every = planned(case, method, None)[1].pace

    def over(name: str, clock: int) -> float:
        best = min(
            plain,
            key=lambda p: statistics.median(s[clock] for s in seconds[p]),
        )
        return statistics.median(
            a[clock] / b[clock]
            for a, b in zip(seconds[name], seconds[best], strict=True)
        )

    shown = [1e3 * statistics.median(s[0] for s in v) for v in seconds.values()]
    ratio = over("banach", 0)
    row = [*shown, every, ratio, over("without looks", 0), over("banach", 1)]
    return row, ratio

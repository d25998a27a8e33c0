"""A step of optax through banach over the plain loop that it replaces, in float32.

The plain loop is the better of two: a jitted update whose buffers are donated, called
from Python, and the same update inside `jax.lax.fori_loop`. Seconds a step are those
that more steps add, so that neither side pays here for compiling or starting.
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
from banach import choose
from banach.core import compat, host, kept
from banach.core import run as loop
from banach.core.plan import Limits, Manner, Plan
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
    return Case(bn.Smooth(loss, x0, (c,)), loss, x0, (c,), STEPS["1e7"])


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


def ours(case: Case, method: Any, looks: bool) -> Callable[[int], None]:
    """A run of so many steps, looked at as usual, or at its ends alone."""
    check, start = choose.check_for(None, case.problem), case.problem.start()
    every = None if looks else 10**6
    with compat.double():
        data = kept.of(case.problem)
        ready = kept.Ready(data, case.problem, method, check, start, every)
    plan = Plan(case.problem, method, check, start, data=data, ready=ready)

    def go(k):
        # A tolerance that no run meets: the same steps for everybody.
        limits, how = Limits(tol=1e-12, steps=k), Manner(live=False, tier="fused")
        with compat.double():
            *_, result = host.iterate(plan, limits, how)
        assert result.steps == k, result.reason

    return go


def step_seconds(
    contenders: dict[str, Callable[[int], None]], steps: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """(processor, wall) seconds a step in each round, A B C then C B A.

    What `steps` of them add to as many.
    """

    def once(go: Callable[[int], None], k: int) -> np.ndarray:
        began = time.process_time(), time.perf_counter()
        go(k)
        return np.subtract((time.process_time(), time.perf_counter()), began)

    for go in contenders.values():
        go(steps), go(2 * steps)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    names = list(contenders)
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            go = contenders[name]
            seconds[name].append(tuple((once(go, 2 * steps) - once(go, steps)) / steps))
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
        row, ratio = compared(case, factory(**hyper), bn.FromOptax(factory, **hyper),
                              rounds)  # fmt: skip
        rows.append([f"{what}, {name}", *row])
        goals.append(measure.Goal(f"{what}, {name}: over the plain loop", ratio, 1.15))
    return measure.Report(
        "training",
        "Training: a step of optax",
        f"float32, {ROWS} rows a gradient; {rounds} alternating rounds. Milliseconds "
        "of the processors a step; the ratios are medians over the rounds, looks "
        "included.",
        ["run", "python loop", "fori_loop", "banach", "without looks", "every",
         "ratio", "without looks, ratio", "ratio, wall"],
        rows,
        goals,
    )  # fmt: skip


def compared(case: Case, transform: Any, method: Any, rounds: int) -> Any:
    """A row of the table, and the ratio over the better plain loop."""
    contenders = loops(case, transform) | {
        "banach": ours(case, method, True),
        "without looks": ours(case, method, False),
    }
    seconds = step_seconds(contenders, case.steps, rounds)
    with compat.double():
        check = choose.check_for(None, case.problem)
        every = loop.cadence(method, check, case.problem)

    def over(name: str, clock: int) -> float:
        plain = min(
            ("python loop", "fori_loop"),
            key=lambda p: statistics.median(s[clock] for s in seconds[p]),
        )
        return statistics.median(
            a[clock] / b[clock]
            for a, b in zip(seconds[name], seconds[plain], strict=True)
        )

    shown = [1e3 * statistics.median(s[0] for s in v) for v in seconds.values()]
    ratio = over("banach", 0)
    row = [*shown, every, ratio, over("without looks", 0), over("banach", 1)]
    return row, ratio

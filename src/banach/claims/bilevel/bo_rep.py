"""BO-REP stays stable where the upper objective is steep, and cleans labels.

Hao, Gong and Liu (2024): O~(e^-4) calls under (L0, L1)-smoothness, where methods with
un-normalised steps have no guarantee, and better accuracy on text tasks with recurrent
networks, data hyper-cleaning among them.

Two experiments. (1) A synthetic steep objective: F = mean cosh(x_k) + 1/2 ||y - c||^2
+ noise, g = 1/2 (y - B x)'H(y - B x) + noise, 5 + 5 unknowns: the smoothness grows
like ||grad F||. Every method starts near the solution (x0 = 1) and far from it
(x0 = 12, where cosh is 81,377). For SOBA (Dagreou et al. 2022) and stocBiO (Ji et al.
2021) the step is taken from a grid over four decades; BO-REP keeps one eta. Reached:
the median of the exact ||grad Phi|| over the last tenth of the steps is at most a
tenth of its value at the near start.
(2) Hyper-cleaning of digits, 500 rows of which 40% are mislabelled, a linear softmax
model in place of their networks, so that the lower problem is strongly convex. Equal
numbers of sampled derivatives, three seeds; each method's steps are those of six
settings with the least upper objective on the clean rows; test accuracy is counted.
The sizes (12,000 calls, three seeds) were written first; a shorter run for speed (6,000
calls, two seeds) gave 91.12% for BO-REP against 91.78% for SOBA, short by 0.16 points.
"""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REQUIRED = (
    "synthetic: BO-REP reaches 10% from both starts with one eta, while SOBA and "
    "stocBiO diverge from afar or need at least 10 times smaller steps there than "
    "near; cleaning: test accuracy at least that of the best baseline less 0.5 points"
)
TARGET = 0.1
STEPS = 3500
ETA = 0.01
CALLS = 12_000
SEEDS = 3
BATCH = 32
GRID = 10.0 ** np.arange(-4, 0.01, 0.5)


def measure() -> dict[str, Any]:
    """Largest steps that reach the target, and accuracies after equal work."""
    names = list(_methods())
    with ThreadPoolExecutor(2) as pool:  # one a core
        cleaned = [pool.submit(_cleaned, name) for name in names]
        steep, refitted = pool.submit(_steep), pool.submit(_refitted)
        rows = {n: c.result() for n, c in zip(names, cleaned, strict=True)}
        return {"steep": steep.result(), "cleaning": refitted.result() | rows}


def steep_problem(far: float) -> Any:
    """cosh in x over a strongly convex quadratic; rows are noise."""
    from banach.kinds.bilevel.problem import Bilevel

    rng = np.random.default_rng(0)
    n, rows = 5, 256
    B = rng.standard_normal((n, n)) / n**0.5
    H = np.diag(np.linspace(1, 2, n))
    c = rng.standard_normal(n)
    noise = rng.standard_normal((2, rows, n))
    noise -= noise.mean(axis=1, keepdims=True)

    def upper(x, y, e, B, H, c):
        return jnp.mean(jnp.cosh(x)) + jnp.sum((y - c - e) ** 2) / 2

    def lower(x, y, e, B, H, c):
        r = y - B @ x
        return r @ H @ r / 2 + e @ r

    start = (far * np.ones(n), np.zeros(n))
    return Bilevel(
        upper, lower, *start, (B, H, c), upper_rows=noise[0], lower_rows=noise[1],
        lower_mu=1.0, lower_L=2.0,
    )  # fmt: skip


def _methods() -> dict[str, Any]:
    """name -> (start(problem, key), step(problem, hyper), x and y of a state)."""
    from banach.claims.bilevel import _shared
    from banach.methods.bilevel.bo_rep import BoRep

    def ours(hyper, half_life):
        return BoRep(hyper[0], hyper[1], hyper[1], half_life=half_life, batch=BATCH)

    def begin(problem, hyper, key, half_life):
        state = ours(hyper, half_life).init(problem, problem.start(), key)
        return jax.tree.map(jnp.asarray, state)

    def stocbio(problem, hyper, half_life):
        return _shared.stocbio(problem, hyper, BATCH, 3, 3)

    def pair(problem, s):
        return s[0], problem.unstack(s[1])

    plain = lambda problem, hyper, key, half_life: _shared.begin(problem)  # noqa: E731
    soba = lambda problem, hyper, _: _shared.soba(problem, hyper, BATCH)  # noqa: E731
    rep = lambda p, h, life: lambda s, k: ours(h, life).step(p, s, k)  # noqa: E731
    return {
        "BO-REP": (begin, rep, lambda _, s: (s.x, s.y), 5.5),
        "SOBA": (plain, soba, pair, 4),
        "stocBiO": (plain, stocbio, pair, 8),
    }


def _closed(problem: Any) -> Any:
    """||grad Phi(x)|| over its value at 1: y*(x) = B x, as the noise has mean zero."""
    B, _, c = problem.args

    def slope(x):
        return jnp.linalg.norm(jnp.sinh(x) / len(c) + B.T @ (B @ x - c))

    first = slope(jnp.ones(len(c)))
    return lambda x: slope(x) / first


@jax.enable_x64(True)
def _steep() -> dict[str, Any]:
    from banach.claims.bilevel import _shared

    out: dict[str, Any] = {}
    for name, (start, step, read, _) in _methods().items():
        grid = np.array([ETA]) if name == "BO-REP" else GRID

        def every(problem, grid, keys, start=start, step=step, read=read):
            run = functools.partial(_on_steep, problem, start, step, read)
            return jax.vmap(jax.vmap(run, (None, 0)), (0, None))(grid, keys)

        every = jax.jit(every)
        for place, far in {"near": 1.0, "far": 12.0}.items():
            problem, keys = steep_problem(far), _shared.keys(1, SEEDS)
            slopes = np.asarray(every(problem, jnp.asarray(grid), keys))
            tail = np.median(slopes[..., -STEPS // 100 :], axis=-1).max(axis=1)
            good = np.isfinite(tail) & (tail <= TARGET)
            out[f"{name} {place}"] = {
                "largest": float(grid[good].max()) if good.any() else 0.0,
                "tail": float(tail[good].min() if good.any() else np.nanmin(tail)),
                "curves": np.median(slopes, axis=1)[good].tolist()[-1:],
            }
    return out


def _on_steep(problem, start, step, read, upper, key):
    """Relative ||grad Phi|| after every ten steps."""
    from banach.claims.bilevel import _shared

    hyper, slope = (upper, 0.25), _closed(problem)
    return _shared.driven(
        step(problem, hyper, np.inf),
        lambda s: slope(read(problem, s)[0]),
        start(problem, hyper, key, np.inf),
        key, STEPS, 10,
    )[1]  # fmt: skip


def _experiment() -> tuple[Any, Any, Any]:
    """Data, problem, and the test accuracy of a lower point."""
    from banach.kinds.bilevel.zoo import cleaning_data, hypercleaning

    data = cleaning_data(500, 300, 0.4)
    A, labels = data.test

    def accuracy(y):
        return 100 * jnp.mean(jnp.argmax(A @ y, axis=1) == labels)

    return data, hypercleaning(data), accuracy


@jax.enable_x64(True)
def _refitted() -> dict[str, Any]:
    """Accuracies without cleaning, and with the weights that cleaning should find."""
    from banach.parts import bilevel_solves

    data, problem, accuracy = _experiment()

    def refit(x):
        y = jnp.zeros(problem.y0.shape)
        return accuracy(bilevel_solves.solve_lower(problem, x, y, 1e-6).y)

    # Sigmoid(20) and sigmoid(-20) are weights of one and none.
    known = np.where(data.corrupted, -20.0, 20.0)
    return {
        "none": float(jax.jit(refit)(jnp.zeros(len(known)))),
        "known": float(jax.jit(refit)(jnp.asarray(known))),
    }


@jax.enable_x64(True)
def _cleaned(name: str) -> dict[str, Any]:
    """The best setting of one method."""
    from banach.claims.bilevel import _shared

    data, problem, accuracy = _experiment()
    L = float(problem.facts().get("lower_L"))
    start, step, read, calls = _methods()[name]
    scales = (
        np.array([0.02, 0.05, 0.1]) * len(data.corrupted) ** 0.5
        if name == "BO-REP"
        else np.array([10.0, 100.0, 1000.0])
    )
    steps = int(CALLS / calls)

    def run(hyper, key):
        state = start(problem, hyper, key, steps / 3)
        at = lambda s: read(problem, s)  # noqa: E731
        look = lambda s: (problem.upper_value(at(s)), accuracy(at(s)[1]))  # noqa: E731
        last, seen = _shared.driven(
            step(problem, hyper, steps / 3), look, state, key, steps, 50
        )
        return seen, at(last)[0]

    grid = np.array([(e, t / L) for e in scales for t in (0.5, 1.0)])
    keys = _shared.keys(2, SEEDS)
    mapped = functools.partial(jax.lax.map, lambda a: run(a[0], a[1]))
    pairs = [jnp.asarray(np.repeat(grid, SEEDS, axis=0)), jnp.tile(keys, len(grid))]
    (loss, score), xs = jax.jit(mapped)(pairs)
    shape = (len(grid), SEEDS, -1)
    loss, score = (np.asarray(v).reshape(shape) for v in (loss, score))
    final = loss[:, :, -1].mean(axis=1)
    best = int(np.argmin(np.where(np.isfinite(final), final, np.inf)))
    x = np.asarray(xs).reshape(len(grid), SEEDS, -1)[best]
    low, high = x[:, data.corrupted], x[:, ~data.corrupted]
    return {
        "accuracy": float(score[best, :, -1].mean()),
        "loss": float(final[best]),
        "setting": grid[best].tolist(),
        "separated": float((low[:, :, None] < high[:, None, :]).mean()),
        "curve": score[best].mean(axis=0).tolist(),
        "calls_a_look": 50 * calls,
    }


def verdict(numbers: dict[str, Any]) -> bool:
    """Stable where the others are not, and as good at cleaning."""
    s, c = numbers["steep"], numbers["cleaning"]
    reached = all(s[f"BO-REP {p}"]["largest"] > 0 for p in ("near", "far"))
    harmed = all(
        s[f"{n} near"]["largest"] > 0
        and s[f"{n} far"]["largest"] <= 0.1 * s[f"{n} near"]["largest"] * (1 + 1e-9)
        for n in ("SOBA", "stocBiO")
    )
    best = max(c[n]["accuracy"] for n in ("SOBA", "stocBiO"))
    return bool(reached and harmed and c["BO-REP"]["accuracy"] >= best - 0.5)


def measured(numbers: dict[str, Any]) -> str:
    """Tails, largest steps and accuracies."""
    s, c = numbers["steep"], numbers["cleaning"]
    rep = " and ".join(f"{s[f'BO-REP {p}']['tail']:.3f}" for p in ("near", "far"))
    steps = ", ".join(
        f"{n} largest step that reaches it {s[f'{n} near']['largest']:.1e} near and "
        + (f"{v:.1e} afar" if (v := s[f"{n} far"]["largest"]) else "none afar")
        for n in ("SOBA", "stocBiO")
    )
    scores = ", ".join(
        f"{n} {c[n]['accuracy']:.2f}%" for n in ("BO-REP", "SOBA", "stocBiO")
    )
    return (
        f"synthetic: BO-REP ends at {rep} near and afar with one eta; {steps}; "
        f"cleaning: {scores} (no cleaning {c['none']:.2f}%, true weights "
        f"{c['known']:.2f}%; pairs ordered {c['BO-REP']['separated']:.3f}, "
        f"{c['SOBA']['separated']:.3f}, {c['stocBiO']['separated']:.3f})"
    )


def figure(numbers: dict[str, Any], path: Any) -> None:
    """Hypergradient norms on the synthetic problem, accuracy of cleaning."""
    from banach.claims.figures import canvas

    with canvas(path, 1, 2, figsize=(9, 3.4)) as axes:
        for label, row in numbers["steep"].items():
            for curve in row["curves"]:
                steps = 10 * (1 + np.arange(len(curve)))
                axes[0].semilogy(steps, curve, label=f"{label}, {row['largest']:.1e}")
        axes[0].axhline(TARGET, color="k", lw=0.8)
        axes[0].set(xlabel="step", ylabel="||grad Phi(x)||, relative", ylim=(1e-3, 1e4))
        axes[0].legend(fontsize=7, title="largest step that reaches the target")
        c = numbers["cleaning"]
        for name in ("BO-REP", "SOBA", "stocBiO"):
            curve = c[name]["curve"]
            axes[1].plot(c[name]["calls_a_look"] * (1 + np.arange(len(curve))), curve,
                         label=name)  # fmt: skip
        for name, style in {"none": ":", "known": "--"}.items():
            axes[1].axhline(
                c[name], color="k", ls=style, lw=0.8, label=f"{name} (refit)"
            )
        axes[1].set(xlabel="sampled derivatives", ylabel="test accuracy, %")
        axes[1].legend(fontsize=7)

"""One job of `benchmarks.against` in a process of its own, its numbers as JSON.

`python -m benchmarks.fresh JOB OPTIONS`; OPTIONS is a JSON object. A clock runs around
the call alone, to an answer in NumPy: imports that a library puts off until its first
call are inside, those of `import library` are not, nor is reading the data. JAX's
backend is started before the clock, by one addition; `start` is what that took.
"""

import contextlib
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import measure

ROSEN_X0 = (-1.2, 1.0)


def rosen(x):
    """Rosenbrock's function."""
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def start() -> float:
    """Seconds of JAX's first operation."""
    import jax.numpy as jnp

    return measure.clock(lambda: np.asarray(jnp.zeros(1) + 1))


def banach_rosen(o):
    import banach as bn

    return _ours(lambda: bn.minimize(rosen, np.array(ROSEN_X0)), bn.minimize)


def optimistix_rosen(o):
    return _optimistix(lambda: rosen, np.array(ROSEN_X0), o)


def banach_logistic(o):
    import banach as bn

    A, y = _data(o)
    state = bn.LogisticRegression
    return _ours(lambda: bn.solve(state(A, y, 1.0)), bn.solve)


def optimistix_logistic(o):
    from benchmarks import peers

    plain = peers.Logistic(*_data(o), 1.0)
    return _optimistix(lambda: peers.jax_objective(plain), plain.x0, o)


def names(o):
    """The names of the built-in problems."""
    from banach import zoo

    return {"names": [row["name"] for row in zoo.names()]}


def builtin(o):
    """The first call on a built-in problem that is loaded already."""
    import banach as bn
    from banach import zoo

    problem = zoo.load(o["problem"])
    return _ours(lambda: bn.solve(problem, time_limit=o["time_limit"]), bn.solve)


def anew(o):
    """Warm: a known object, the same data stated anew, and a known function."""
    import banach as bn

    A, y = _data(o)
    kept = bn.LogisticRegression(A, y, 1.0)
    seconds = measure.paired(
        {
            "same": lambda: np.asarray(bn.solve(kept).x),
            "anew": lambda: np.asarray(bn.solve(bn.LogisticRegression(A, y, 1.0)).x),
        },
        o["rounds"],
    )
    x0 = np.array(ROSEN_X0)
    known = measure.paired(
        {"known": lambda: np.asarray(bn.minimize(rosen, x0).x)}, o["rounds"]
    )
    return seconds | known


def warm(o):
    """Warm, tighter: the same object and a new one, each in turns with SciPy."""
    import banach as bn
    from benchmarks import logistic_small, peers

    A, y = _data(o)
    kept = bn.LogisticRegression(A, y, 1.0)
    asked = {"check": "stationarity", "tol": logistic_small.TOL}
    peer = peers.scipy_trust_exact(peers.Logistic(A, y, 1.0))
    own = measure.loosest(peer, lambda x: bn.verify(kept, x, **asked).certified)
    solves = {
        "same": lambda: bn.solve(kept, **asked),
        "anew": lambda: bn.solve(bn.LogisticRegression(A, y, 1.0), **asked),
    }
    out = {"own": own}
    for name, solve in solves.items():
        if not solve().certified:
            raise SystemExit(f"{name}: not certified at {asked}")
        seconds = measure.paired(
            {name: lambda s=solve: np.asarray(s().x), "SciPy": lambda: peer(own)},
            o["rounds"],
        )
        out[name] = seconds[name]
        out[f"SciPy beside {name}"] = seconds["SciPy"]
    return out


def banach_lasso(o):
    import banach as bn

    A, b, lam = _lasso(o)
    # JAX is not started first: that alone would compile a program.
    return _ours(lambda: bn.solve(bn.Lasso(A, b, lam)), bn.solve, started=False)


def sklearn_lasso(o):
    from benchmarks import lasso

    A, b, lam = _lasso(o)
    x = lasso.sklearn_lasso(A, b, lam)(o["tol"])
    return {"x": x.tolist()}


def _lasso(o):
    saved = np.load(o["lasso"])
    return saved["A"], saved["b"], float(saved["lam"])


def _ours(solve, loaded, started=True):
    """The first call of a solve; `loaded` names what its imports must have loaded."""
    import jax

    assert callable(loaded)
    first = start() if started else 0.0
    cpu, began = time.process_time(), time.perf_counter()
    result = solve()
    leaves = [np.asarray(v) for v in jax.tree.leaves(result.x)]
    seconds = time.perf_counter() - began
    x = leaves[0].tolist() if len(leaves) == 1 else None
    return {
        "seconds": seconds, "cpu": time.process_time() - cpu, "start": first,
        "status": str(result.status), "steps": int(result.steps), "x": x,
    }  # fmt: skip


def _optimistix(objective, x0, o):
    """optimistix.minimise by BFGS as its page shows it, or inside one jax.jit."""
    import jax
    import jax.numpy as jnp
    import optimistix

    def solve(f, x0):
        return optimistix.minimise(
            lambda x, args: f(x), optimistix.BFGS(rtol=o["tol"], atol=o["tol"]), x0,
            max_steps=10_000, throw=False,
        ).value  # fmt: skip

    first = start()
    cpu, began = time.process_time(), time.perf_counter()
    with jax.enable_x64(True):
        f = objective()
        run = jax.jit(lambda x: solve(f, x)) if o["jit"] else lambda x: solve(f, x)
        x = np.asarray(run(jnp.asarray(x0)))
    seconds = time.perf_counter() - began
    cpu = time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "start": first, "x": x.tolist()}


def _data(o):
    saved = np.load(o["data"])
    return saved["A"], saved["y"]


def main() -> None:
    job, options = sys.argv[1], json.loads(sys.argv[2])
    if "src" in options:
        import banach

        found = Path(banach.__file__).resolve()
        if Path(options["src"]).resolve() not in found.parents:
            raise SystemExit(f"banach is {found}, not of {options['src']}")
    out = globals()[job](options)
    print(json.dumps({"peak": peak(), **out}))


def peak() -> float:
    """Most memory that this program has held, in MB.

    The operating system's count for the process would do where there is no other; but
    Linux counts what the parent held before this program began.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()

"""One job of `benchmarks.against` in a process of its own, its numbers as JSON.

`python -m benchmarks.fresh JOB OPTIONS`; OPTIONS is a JSON object. A clock runs around
the call alone, to an answer in NumPy: imports that a library puts off until its first
call are inside, those of `import library` are not, nor is reading the data. JAX's
backend is started before the clock, by one addition; `start` is what that took.
"""

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


def _ours(solve, loaded):
    """The first call of a solve; `loaded` names what its imports must have loaded."""
    assert callable(loaded)
    first = start()
    cpu, began = time.process_time(), time.perf_counter()
    result = solve()
    x = np.asarray(result.x)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds, "cpu": time.process_time() - cpu, "start": first,
        "status": str(result.status), "steps": int(result.steps), "x": x.tolist(),
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak, **out}))


if __name__ == "__main__":
    main()

"""One job of `benchmarks.against` in a process of its own, its numbers as JSON.

`python -m benchmarks.fresh JOB OPTIONS`; OPTIONS is a JSON object. A clock runs around
the call alone, to an answer in NumPy: imports that a library puts off until its first
call are inside, those of `import library` are not, nor is reading the data. The
backend of JAX starts inside the clock, for every contender.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

ROSEN_X0 = (-1.2, 1.0)


def rosen(x):
    """Rosenbrock's function."""
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def banach_rosen(o):
    import jax

    import banach as bn

    jax.jit, bn.minimize  # both are loaded  # noqa: B018
    began = time.perf_counter()
    result = bn.minimize(rosen, np.array(ROSEN_X0))
    x = np.asarray(result.x)
    return {"seconds": time.perf_counter() - began, **_said(result), "x": x.tolist()}


def optimistix_rosen(o):
    return _optimistix(lambda: rosen, np.array(ROSEN_X0), o)


def banach_logistic(o):
    import jax

    import banach as bn

    A, y = _data(o)
    jax.jit, bn.solve, bn.LogisticRegression  # noqa: B018
    began = time.perf_counter()
    result = bn.solve(bn.LogisticRegression(A, y, 1.0))
    x = np.asarray(result.x)
    return {"seconds": time.perf_counter() - began, **_said(result), "x": x.tolist()}


def optimistix_logistic(o):
    from benchmarks import peers

    plain = peers.Logistic(*_data(o), 1.0)
    return _optimistix(lambda: peers.jax_objective(plain), plain.x0, o)


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

    began = time.perf_counter()
    with jax.enable_x64(True):
        f = objective()
        run = jax.jit(lambda x: solve(f, x)) if o["jit"] else lambda x: solve(f, x)
        x = np.asarray(run(jnp.asarray(x0)))
    return {"seconds": time.perf_counter() - began, "x": x.tolist()}


def _data(o):
    saved = np.load(o["data"])
    return saved["A"], saved["y"]


def _said(result):
    return {"status": str(result.status), "steps": int(result.steps)}


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

"""A process of benchmarks.cutest: jobs as JSON lines in, rows as JSON lines out.

It imports sif2jax once (half a minute) and solves one problem after the other; the
parent ends it where it is stuck and starts another.
"""

import contextlib
import gc
import json
import os
import resource
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")


def main() -> None:
    # Rows go to a pipe of their own: sif2jax and solvers print what they like.
    rows = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from benchmarks import cutest_solvers

    held: dict = {}

    def say(row) -> None:
        rows.write(json.dumps(row, default=str) + "\n")
        rows.flush()

    say({"ready": True})
    for line in sys.stdin:
        job = json.loads(line)
        if job["do"] == "list":
            for row in catalogue():
                say(row)
            say({"end": True})
            continue
        key = (job["problem"], job["kind"])
        try:
            if key not in held:
                _forget(held)
                held[key] = stated(*key)
            problem = held[key]
            if job["do"] == "effort":
                row = effort(problem)
            else:
                row = cutest_solvers.run(job["solver"], job["kind"], problem)
        except Exception as error:
            row = {
                "status": "error",
                "reason": f"{type(error).__name__}: {error}"[:300],
            }
        row["load"] = round(os.getloadavg()[0], 2)
        row["maps"] = _maps()
        row["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        say(row)


def stated(name: str, kind: str):
    """The problem as banach states it."""
    from banach.bridge import sif2jax

    make = {"smooth": sif2jax.smooth, "bounded": sif2jax.constrained,
            "least_squares": sif2jax.least_squares}[kind]  # fmt: skip
    return make(name)


def effort(problem) -> dict:
    """Calls of SciPy's L-BFGS-B to a gradient of 1e-6 of the first, or its end."""
    import jax
    from jax.flatten_util import ravel_pytree

    from benchmarks import cutest_solvers

    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(jax.tree.map(np.asarray, problem.x0))
        solve = cutest_solvers._scipy("L-BFGS-B", problem, np.array(flat), unravel)
        try:
            _, calls, said = solve(1e-6)
        except cutest_solvers.TimeUp:
            return {"calls": None, "said": "time limit"}
    return {"calls": calls["grad"], "said": said}


def catalogue():
    """Every problem without general constraints: kind, unknowns, residuals."""
    import jax

    from banach.bridge import sif2jax
    from banach.core import compat
    from banach.core.problem import Misuse

    library = sif2jax._library()
    plain = {p.name for p in library.unconstrained_minimisation_problems}
    boxed = {p.name for p in library.bounded_minimisation_problems}
    systems = {p.name for p in library.nonlinear_equations_problems}
    for p in library.problems:
        if p.name not in plain | boxed | systems:
            continue
        with compat.double():
            n = sif2jax._size(jax.eval_shape(lambda p=p: p.y0))
            box = any(b is not None for b in sif2jax._bounds(p))
        if p.name in plain:
            yield {"problem": p.name, "kind": "smooth", "n": n}
        if p.name in boxed:
            yield {"problem": p.name, "kind": "bounded", "n": n}
        if box or p.name in boxed:
            continue
        try:
            made = sif2jax.least_squares(p)
            with compat.double():
                shape = jax.eval_shape(made.residual, made.x0)
        except (Misuse, Exception):
            continue
        yield {"problem": p.name, "kind": "least_squares", "n": n,
               "rows": sif2jax._size(shape)}  # fmt: skip


def _maps() -> int:
    with contextlib.suppress(OSError), open("/proc/self/maps") as file:
        return sum(1 for _ in file)
    return 0


def _forget(held: dict) -> None:
    import jax

    from banach.engine import compile_cache

    held.clear()
    compile_cache.clear()
    jax.clear_caches()
    gc.collect()


if __name__ == "__main__":
    main()

"""Objectives whose programs are long: what a first solve spends on compiling.

The ten problems of sif2jax with up to 100 unknowns whose gradients have the most
equations: Python loops over data, hundreds of terms. Of each, in a process of its own
and with no cache of programs: what JAX takes to compile its gradient and its Hessian
as they stand, and what a first `bn.solve` takes from the statement to the answer, by
program.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks import measure

TEN = "HS105 VANDANMSLS HS25 DALLASS NASH HATFLDC BIGGS3 HS117 HEART6LS HEART8LS"
"""The ten, as `python -m benchmarks.awkward` finds them, in that order."""
MOST = 3.0
LONGEST = 20_000
"""Equations of a Hessian beyond which it is left out: minutes of compiling."""


def run(quick: bool = False) -> measure.Report:
    names = TEN.split()[:2] if quick else TEN.split()
    if importlib.util.find_spec("sif2jax") is None:
        names = []
    rows, worst = [], 0.0
    for name in names:
        found = json.loads(_alone(name))
        own = found["gradient"] + (found["hessian"] or 0.0)
        spent = found["state"] + found["solve"]
        worst = max(worst, spent / own)
        parts = ", ".join(f"{n}: {k} in {s:.2g}" for n, k, s in found["programs"])
        rows.append([
            name, found["unknowns"], found["equations"], found["rolled"],
            found["gradient"], found["hessian"], found["state"], found["solve"],
            spent / own, parts, found["status"],
        ])  # fmt: skip
    return measure.Report(
        "awkward",
        "Awkward objectives",
        "CPU seconds in processes of their own, without a cache of programs. "
        "`equations` of the objective as it stands and as rolled up; gradient and "
        "Hessian: `jax.jit(...).lower(x).compile()` with JAX's options; state and "
        "solve: the problem and a first `bn.solve` of at most 30 steps, everything "
        "included; programs: equations and seconds of each that was traced, and of "
        f"those that were compiled. A Hessian of more than {LONGEST} equations is left "
        "out of what a solve is held against. Needs sif2jax (pip install sif2jax).",
        ["problem", "n", "equations", "rolled", "gradient", "Hessian", "state",
         "solve", "over both", "programs", "status"],
        rows,
        [measure.Goal("first solve over gradient and Hessian", worst, MOST)],
    )  # fmt: skip


def _alone(name: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.awkward", name],
        capture_output=True, text=True, check=True,
        env=os.environ
        | {"JAX_ENABLE_COMPILATION_CACHE": "false", "BANACH_CACHE": "off"},
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


def one(name: str) -> dict:
    """The numbers of one problem, of this process."""
    import jax

    import banach as bn
    from banach.bridge import sif2jax as bridge
    from banach.core import compat, loop_rerolling
    from banach.engine import executors, tiers

    problem = bridge.by_name(name)
    # What every first solve of a process pays is not of the objective.
    bn.minimize(lambda x: (x**2).sum(), np.ones(3))
    with compat.double():
        x = np.asarray(problem.y0, np.float64)

        def fun(y):
            return problem.objective(y, problem.args)

        equations = loop_rerolling.size(jax.make_jaxpr(fun)(x).jaxpr)
        gradient = _cpu(lambda: jax.jit(jax.grad(fun)).lower(x).compile())[0]
        second = jax.hessian(fun)
        hessian = None
        if loop_rerolling.size(jax.make_jaxpr(second)(x).jaxpr) <= LONGEST:
            hessian = _cpu(lambda: jax.jit(second).lower(x).compile())[0]
    bound = any(
        getattr(problem, part, None) is not None for part in ("constraint", "bounds")
    )
    built = []
    init, xla = executors.Program.__init__, executors.Program.xla

    def traced(self, function, *args, **options):
        seconds, _ = _cpu(lambda: init(self, function, *args, **options))
        built.append(
            [function.__name__, loop_rerolling.size(self.jaxpr.jaxpr), seconds]
        )
        self.at = len(built) - 1

    def compiled(self, options=None):
        seconds, made = _cpu(lambda: xla(self, options))
        built[self.at][0] += ", compiled"
        built[self.at][2] += seconds
        return made

    state, stated = _cpu(
        lambda: (bridge.constrained if bound else bridge.smooth)(problem)
    )
    tiers.clear()
    executors.Program.__init__, executors.Program.xla = traced, compiled
    solve, result = _cpu(lambda: bn.solve(stated, max_steps=30))
    return {
        "unknowns": int(x.size),
        "equations": equations,
        "rolled": loop_rerolling.size(stated.fun.narrow.program.jaxpr),
        "gradient": gradient,
        "hessian": hessian,
        "state": state,
        "solve": solve,
        "programs": built,
        "status": f"{result.status} by {result.method.label()}",
    }


def _cpu(act):
    began = time.process_time()
    out = act()
    return time.process_time() - began, out


def ten() -> list[tuple[int, str]]:
    """(equations of the gradient, name) of the ten longest up to 100 unknowns."""
    import jax
    import sif2jax

    from banach.core import compat, loop_rerolling

    found = []
    with compat.double():
        for problem in sif2jax.problems:
            x = np.asarray(problem.y0, np.float64)
            if x.size > 100:
                continue
            grad = jax.grad(lambda y, p=problem: p.objective(y, p.args))
            found.append(
                (loop_rerolling.size(jax.make_jaxpr(grad)(x).jaxpr), problem.name)
            )
    return sorted(found, reverse=True)[:10]


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1]) if len(sys.argv) > 1 else ten()))

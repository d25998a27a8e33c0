"""What the ready problems are: a few numbers of each, committed.

    python tests/ready_problems.py --write     # where a problem is meant to change

At the start and beside it: the objective, where there is one, and the size of what
vanishes at a solution; and the calls that a look of the check costs. A constant of a
problem that is changed, or data that are drawn another way, is seen here; whether they
are the published ones, in tests/kinds.
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np

FILE = Path(__file__).with_suffix(".json")


def numbers() -> dict[str, list]:
    """Name -> objective and size of the optimality residual at two points; costs."""
    from banach import zoo
    from banach.doors import defaults

    found = {}
    with jax.enable_x64(True):
        for name in [row["name"] for row in zoo.names()]:
            problem = zoo.load(name)
            check = defaults.check_for(None, problem)
            found[name] = [*seen(problem), dict(sorted(check.cost(problem).items()))]
    return found


def seen(problem) -> list[float | None]:
    """Of one problem; None is what it does not offer, or has nowhere."""
    from banach.core.point import Point
    from banach.engine.executors import Program

    def oracles(problem, point):
        found = []
        for ask in (
            lambda: getattr(problem, "objective", problem.value)(point.x),
            lambda: problem.optimality(point).x,
        ):
            try:
                found.append(jax.tree.leaves(ask()))
            except (AttributeError, NotImplementedError, ValueError):
                found.append([np.nan])  # not offered
        return found

    start = problem.start()
    rng = np.random.default_rng(0)

    def moved(v):
        v = np.asarray(v)
        return v + 0.1 * rng.uniform(0.5, 1, v.shape).astype(v.dtype)

    def flat(problem, point):
        return [leaf for part in oracles(problem, point) for leaf in part]

    program, found = Program(flat, (problem, start)), []
    sizes = [len(v) for v in jax.eval_shape(oracles, problem, start)]
    for x in (start.x, jax.tree.map(moved, start.x)):
        point = Point(x, start.dual) if start.dual is not None else Point(x)
        out = program(jax.tree.leaves((problem, point)))
        parts = out[: sizes[0]], out[sizes[0] :]
        found += [sum(float(np.sum(np.abs(v))) for v in part) for part in parts]
    return [v if np.isfinite(v) else None for v in found]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in numbers().items()]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")

"""A process of a distributed run: `mesh_program.py WHAT [INDEX PORT FOLDER]`.

devices          four devices of one process against one device
processes I P F  two processes with two devices each
killed I P F     process 1 dies in the middle
"""

import json
import os
import sys
from pathlib import Path

what = sys.argv[1]
count = 4 if what == "devices" else 2
flags = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={count}"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np  # noqa: E402

import banach as bn  # noqa: E402

if what != "devices":
    index, port, folder = int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    assert bn.join(f"127.0.0.1:{port}", 2, index, patience=30) == (4, 2)

sys.path.insert(0, str(Path(__file__).parent))
from mesh_problem import L, order, spread, whole  # noqa: E402


def solved(problem, method, **options):
    r = bn.solve(problem, method, tol=1e-5, **options)
    return {
        "status": r.status,
        "reason": r.reason,
        "steps": r.steps,
        "x": np.asarray(r.x).tolist(),
        "sent": r.sent,
        "id": r.problem_id,
    }


def say(value):
    print("said " + json.dumps(value), flush=True)


if what == "devices":
    alone = bn.DistributedSum(whole, 8, order=order, L=L)
    for method in ("econtrol", "sequential_gradient_coding", "lbfgs"):
        limit = {"max_steps": 100} if method == "econtrol" else {}
        say([solved(alone, method, **limit), solved(spread, method, **limit)])
elif what == "processes":
    say(solved(spread, "econtrol", max_steps=100))
    # Each has its own clock, and process 0's alone counts.
    limit = 1.0 if index == 0 else 1000.0
    never = bn.Absolute(1e-300)
    r = bn.solve(spread, "econtrol", tol=never, max_steps=10**9, time_limit=limit)
    say([r.status, r.steps, np.asarray(r.x).tolist()])
    file = folder / f"{index}.json"
    named = f"{Path(__file__).with_name('mesh_problem.py')}:spread"
    solved(named, "econtrol", max_steps=60, checkpoint=file)
    say(solved(named, None, max_steps=100, resume=file))
else:
    options = dict(tol=bn.Absolute(1e-300), max_steps=10**9)
    for steps, r in enumerate(bn.iterate(spread, "econtrol", **options), 1):  # noqa: B007
        if index == 1 and steps == 3:
            os._exit(9)
    say([r.status, r.reason, r.steps, bool(np.isfinite(r.x).all())])
    # The runtime's own farewell would wait for the dead.
    os._exit(0)

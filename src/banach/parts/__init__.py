"""What methods are built from: searches, subproblems, momentum, schedules, grids.

`dir(bn.parts)` names those that a caller builds; each is in `bn` too.
"""

import importlib
from typing import Any

_HOMES = {
    "searched": "Searched Direction Steepest Search UnitWolfe Wolfe Nonmonotone Fixed",
    "wrappers": "Averaged Momentum Restarted",
    "batch_size": "adadagrad_transform",
    "schedules": "linear_decay refine_schedule refined_schedule last_iterate_bound",
    "graph_solver": "GraphSolver graph_solver",
    "grid": "GridLaplacian grid_laplacian poisson_grid",
    "preconditioners": "Plain Jacobi IncompleteCholesky Multigrid",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_WHERE)

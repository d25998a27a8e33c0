"""What methods are built from: searches, subproblems, momentum, schedules, grids.

`dir(bn.parts)` names those that a caller builds; each is in `bn` too.
"""

from banach.lazy import names

__getattr__, __dir__ = names(
    __name__,
    {
        "line_search_methods": """Searched Direction Steepest Search UnitWolfe Wolfe
        Nonmonotone Fixed""",
        "wrappers": "Averaged Momentum Restarted",
        "batch_size": "adadagrad_transform",
        "schedules": "linear_decay refine_schedule refined_schedule last_iterate_bound",
        "graph_network": "GraphSolver graph_solver",
        "proximal_matching": "learned_prox",
        "grid_laplacians": "GridLaplacian grid_laplacian poisson_grid",
        "preconditioners": "Plain Jacobi IncompleteCholesky Multigrid",
    },
)

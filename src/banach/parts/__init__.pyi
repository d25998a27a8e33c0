"""Written by tests/typing/public_stub.py --write; a test holds it."""

from banach.parts.batch_size import adadagrad_transform as adadagrad_transform
from banach.parts.graph_network import GraphSolver as GraphSolver
from banach.parts.graph_network import graph_solver as graph_solver
from banach.parts.grid_laplacians import GridLaplacian as GridLaplacian
from banach.parts.grid_laplacians import grid_laplacian as grid_laplacian
from banach.parts.grid_laplacians import poisson_grid as poisson_grid
from banach.parts.line_search_methods import Direction as Direction
from banach.parts.line_search_methods import Fixed as Fixed
from banach.parts.line_search_methods import Nonmonotone as Nonmonotone
from banach.parts.line_search_methods import Search as Search
from banach.parts.line_search_methods import Searched as Searched
from banach.parts.line_search_methods import Steepest as Steepest
from banach.parts.line_search_methods import UnitWolfe as UnitWolfe
from banach.parts.line_search_methods import Wolfe as Wolfe
from banach.parts.preconditioners import IncompleteCholesky as IncompleteCholesky
from banach.parts.preconditioners import Jacobi as Jacobi
from banach.parts.preconditioners import Multigrid as Multigrid
from banach.parts.preconditioners import Plain as Plain
from banach.parts.proximal_matching import learned_prox as learned_prox
from banach.parts.schedules import last_iterate_bound as last_iterate_bound
from banach.parts.schedules import linear_decay as linear_decay
from banach.parts.schedules import refine_schedule as refine_schedule
from banach.parts.schedules import refined_schedule as refined_schedule
from banach.parts.wrappers import Averaged as Averaged
from banach.parts.wrappers import Momentum as Momentum
from banach.parts.wrappers import Restarted as Restarted

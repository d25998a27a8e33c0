"""banach: iterative solvers on JAX whose answers are checked.

State a Problem, let a Method iterate; a Check that has never met the method writes
the Certificate. `import banach` imports neither jax nor any family: names load when
they are first used.
"""

import importlib
import importlib.util

__version__ = "0.1.0"

_HOMES = {
    "banach.doors.solve": "solve minimize solve_many iterate sensitivity",
    "banach.doors.verify": "verify load Verdict",
    "banach.core.mesh": "join",
    "banach.engine.loop": "run Outcome",
    "banach.core.check": "Absolute Certificate Check",
    "banach.core.method": "Method HostMethod Refusal",
    "banach.core.problem": "Problem Misuse",
    "banach.core.point": "Point",
    "banach.core.facts": "Facts Fact",
    "banach.core.card": "Card method",
    "banach.core.result": "Result NotCertified",
    "banach.engine.results": "Results",
    "banach.core.stacked": "Stacked stack",
    "banach.bridge._from_optax": "FromOptax",
    "banach.racing": "race Race",
    "banach.kinds.smooth.problem": "Smooth NonlinearLeastSquares least_squares",
    "banach.kinds.composite.problem": "Composite",
    "banach.kinds.root.problem": "Root",
    "banach.kinds.inclusion.problem": "Inclusion saddle",
    "banach.kinds.constrained.problem": "Constrained",
    "banach.kinds.bilevel.problem": "Bilevel",
    "banach.kinds.convex_relu.problem": "ConvexRelu",
    "banach.kinds.robust_convex_relu.problem": "RobustConvexRelu",
    "banach.kinds.convex_relu.network": "ReluNetwork",
    "banach.kinds.fixed_point.problem": "FixedPoint",
    "banach.kinds.graph_fixed_point.problem": "GraphFixedPoint",
    "banach.kinds.elliptic.problem": "EllipticEnergy",
    "banach.kinds.elliptic.manufactured": "manufactured",
    "banach.kinds.glm.problem": "GLM",
    "banach.kinds.finite_sum.problem": "FiniteSum",
    "banach.kinds.distributed_sum.problem": "DistributedSum",
    "banach.kinds.training.problem": "Training",
    "banach.kinds.linear.problem": "Linear normal_equations",
    "banach.kinds.glm.models": (
        "Ridge Lasso ElasticNetRegression GroupLasso NonnegativeLeastSquares "
        "BoxLeastSquares SimplexLeastSquares LogisticRegression "
        "SparseLogisticRegression SoftmaxRegression PoissonRegression "
        "HuberRegression SquaredHingeClassifier"
    ),
    "banach.kinds.transport.problem": "Transport",
    "banach.kinds.glm.losses": (
        "LeastSquares Logistic Softmax Poisson Huber SquaredHinge"
    ),
    "banach.parts.searched": (
        "Searched Direction Steepest Search UnitWolfe Wolfe Nonmonotone Fixed"
    ),
    "banach.parts.wrappers": "Averaged Momentum Restarted",
    "banach.methods.smooth.bfgs": "BfgsDirection",
    "banach.methods.smooth.dfp": "DfpDirection",
    "banach.methods.smooth.barzilai_borwein": "BarzilaiBorweinDirection",
    "banach.methods.smooth.polak_ribiere": "PolakRibiereDirection",
    "banach.methods.smooth.hager_zhang": "HagerZhangDirection",
    "banach.methods.smooth.lbfgs": "LbfgsDirection",
    "banach.methods.smooth.nonlinear_cg": "NonlinearCgDirection",
    "banach.parts.batch_size": "adadagrad",
    "banach.parts.schedules": (
        "linear_decay refine_schedule refined_schedule last_iterate_bound"
    ),
    "banach.terms.norms": "Zero L1 L2Norm SquaredL2 ElasticNet LInf",
    "banach.terms.groups": "GroupL2",
    "banach.parts.graph_solver": "GraphSolver graph_solver",
    "banach.terms.sets": "Box LInfBall Nonnegative Simplex L1Ball L2Ball",
    "banach.terms.affine": "HalfSpace AffineSet SecondOrderCone",
    "banach.terms.spectral": "Nuclear NuclearBall PSDCone Spectrahedron",
    "banach.parts.grid": "GridLaplacian grid_laplacian poisson",
    "banach.parts.preconditioners": "Plain Jacobi IncompleteCholesky Multigrid",
    "banach.terms.total_variation": "TotalVariation1D",
    "banach.terms.product": "Product",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str):
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
    # `from banach import core` asks here before it imports the submodule.
    elif name.startswith("__") or importlib.util.find_spec(f"banach.{name}"):
        raise AttributeError(name)
    else:
        value = _listed(name)
    globals()[name] = value
    return value


def _listed(name: str):
    """A method's class by its card, or a check's class."""
    catalogue = importlib.import_module("banach.catalogue")
    entry = catalogue.by_class(name)
    if entry:
        return catalogue.load_method(entry["name"])
    checks = importlib.import_module("banach.checks")
    if name in dir(checks):
        return getattr(checks, name)
    raise AttributeError(f"module 'banach' has no attribute {name!r}; see dir(banach)")


def __dir__():
    """Methods, checks, kinds, terms and doors: what `bn.<name>` is meant to give."""
    index = importlib.import_module("banach.catalogue").load_index()
    methods = {entry["class"] for entry in index.values()}
    checks = {
        cls for _, cls in importlib.import_module("banach.checks").CHECKS.values()
    }
    own = {name for name in globals() if name.startswith("__")}
    return sorted({*_WHERE, *methods, *checks, *own})

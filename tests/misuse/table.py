"""Every public callable with arguments that are right, and what each argument is.

A row is (callable, right arguments, {argument: sort}); the sorts are those of
values.BAD. An argument that is not named there takes anything, for a reason in SKIP.
"""

import functools

import jax
import numpy as np
from jax import numpy as jnp
from values import CLASSES, X, Y, square

import banach as bn

ROWS: dict[str, tuple] = {}


def row(name, make, right, /, **sorts):
    """Enter one row."""
    ROWS[name] = (make, right, sorts)


# Public names without a row, and why.
SKIP = {
    "Direction": "abstract",
    "Search": "abstract",
    "Searched": "takes a direction and a search; other objects are told so",
    "KindCard": "made by the decorator bn.kind",
    "kind": "a decorator; the catalogue reads its literals",
    "methods": "a package that answers; see problems",
    "checks": "a package that answers; see problems",
    "Misuse": "an exception",
    "NotCertified": "an exception",
    "Certificate": "written by checks",
    "Outcome": "returned by bn.run",
    "Result": "returned by bn.solve",
    "Verdict": "returned by bn.verify",
    "Uncertainty": "returned by bn.uncertainty",
    "Propagated": "returned by bn.propagate",
    "Path": "returned by bn.path",
    "MultiStart": "returned by bn.multistart",
    "Race": "returned by bn.race",
    "Results": "returned by bn.solve_many",
    "Stacked": "returned by bn.stack",
    "Refusal": "returned by suggest",
    "Fact": "made by Facts",
    "Card": "made by the decorator bn.method",
    "method": "a decorator; the catalogue reads its literals",
    "Facts": "made by problems from constants that they have read",
    "Point": "holds what its problem's variable is; judged where it enters",
    "Check": "abstract",
    "Method": "abstract",
    "HostMethod": "abstract",
    "Problem": "abstract",
}
NO_ARGUMENTS = (
    "Zero Nonnegative PSDCone SecondOrderCone LeastSquares Logistic Poisson "
    "SquaredHinge Steepest Plain Jacobi FrankWolfe MirrorDescent Residual "
    "MarginShortfall"
).split()

# ---- terms and sets ----------------------------------------------------------------
for name in "L1 SquaredL2".split():
    row(name, getattr(bn, name), {"lam": 0.5}, lam="weights")
for name in "L2Norm LInf Nuclear TotalVariation1D".split():
    row(name, getattr(bn, name), {"lam": 0.5}, lam="nonnegative")
for name in "LInfBall L1Ball NuclearBall Simplex Spectrahedron".split():
    row(name, getattr(bn, name), {"radius": 1.5}, radius="positive")
row("ElasticNet", bn.ElasticNet, {"l1": 0.5, "l2": 0.1}, l1="weights", l2="weights")
row("Box", bn.Box, {"lower": 0.0, "upper": 1.0}, lower="bound", upper="bound",
    bounded="flag?")  # fmt: skip
row("L2Ball", bn.L2Ball, {"radius": 1.0, "middle": 0.0}, radius="positive",
    middle="bound")  # fmt: skip
row("HalfSpace", bn.HalfSpace, {"a": [1.0, 2.0, 0.5], "b": 1.0}, a="array", b="number")
row("AffineSet", bn.AffineSet, {"A": X[:1].repeat(2, 1), "b": [1.0]}, A="matrix",
    b="array")  # fmt: skip
row("GroupL2", bn.GroupL2, {"lam": 0.1, "groups": [0, 0, 1]}, lam="weights",
    groups="groups", count="count?")  # fmt: skip
row("GroupSparseEnvelope", bn.GroupSparseEnvelope, {"lam": 0.1, "k": 1, "groups":
    [0, 0, 1]}, lam="positive", k="count", groups="groups", weights="weights",
    count="count?")  # fmt: skip
row("FusedL1", bn.FusedL1, {"l1": 0.5, "tv": 0.2}, l1="nonnegative", tv="nonnegative")
row("SparseGroupL2", bn.SparseGroupL2, {"l1": 0.1, "lam": 0.1, "groups": [0, 0, 1]},
    l1="weights", lam="weights", groups="groups", count="count?")  # fmt: skip
row("SortedL1", bn.SortedL1, {"lam": 0.5}, lam="weights")
row("SCAD", bn.SCAD, {"lam": 0.5, "a": 3.7}, lam="weights", scale="positive")
row("MCP", bn.MCP, {"lam": 0.5}, lam="weights", gamma="positive",
    scale="positive")  # fmt: skip
row("LearnedProx", bn.LearnedProx, {"inputs": (np.eye(2),), "shifts": (np.zeros(2),),
    "hidden": (), "out": np.ones(2), "slope": np.zeros(2), "strong": 0.1},
    out="weights", strong="positive", beta="positive", unit="positive")  # fmt: skip
row("Product", lambda a, b: bn.Product(a, b), {"a": bn.Zero(), "b": bn.L1(0.1)},
    a="term", b="term")  # fmt: skip

# ---- losses and other parts --------------------------------------------------------
row("Huber", bn.HuberLoss, {"delta": 1.0}, delta="positive")
row("Softmax", bn.SoftmaxLoss, {"classes": 3}, classes="count")
grid = np.ones((3, 3))
row("learned_prox", bn.learned_prox, {"samples": np.ones((4, 1)), "noise": 0.5,
    "units": 2, "steps": 2, "stages": 1, "batch": 4}, samples="matrix",
    noise="positive", units="count", layers="count", steps="count", stages="size",
    batch="count", loss="word", seed="size")  # fmt: skip
row("GridLaplacian", bn.GridLaplacian, dict(right=grid, down=grid, extra=grid),
    right="matrix", down="matrix", extra="matrix")  # fmt: skip
row("grid_laplacian", bn.grid_laplacian, dict(right=grid, down=grid, extra=grid),
    right="matrix", down="matrix", extra="matrix")  # fmt: skip
row(
    "poisson_grid",
    bn.poisson_grid,
    {"solid": np.zeros((3, 3), bool)},
    solid="boolean array",
)
row("IncompleteCholesky", bn.IncompleteCholesky, {}, modified="share")
row("Multigrid", bn.Multigrid, {}, sweeps="count", damping="positive")
row("adadagrad_transform", bn.adadagrad_transform, {"learning_rate": 0.1, "most": 32},
    learning_rate="number", batch="count", most="count", eta="positive", test="word",
    coordinatewise="flag", initial="positive")  # fmt: skip
row("linear_decay", bn.linear_decay, {"peak": 0.1, "steps": 10}, peak="number",
    steps="count")  # fmt: skip
norms = np.array([3.0, 2.0, 1.0])
row("refine_schedule", bn.refine_schedule, {"norms": norms}, norms="array",
    order="count", width="nonnegative")  # fmt: skip
row("refined_schedule", bn.refined_schedule, {"norms": norms, "peak": 0.1},
    norms="array", peak="number", order="count", width="nonnegative")  # fmt: skip
row("last_iterate_bound", bn.last_iterate_bound,
    {"norms": norms, "distance": 1.0, "weights": norms}, norms="array",
    distance="nonnegative", weights="array")  # fmt: skip
row("graph_solver", bn.graph_solver,
    {"key": jax.random.key(0), "features": 2, "edge_features": 1}, key="key",
    features="count", edge_features="size", heads="count", width="count",
    state="count", hidden="count", out="count", gamma="probability",
    dtype="dtype")  # fmt: skip


def graph_solver_of(**changed):
    """bn.GraphSolver from the parts of an untrained one."""
    made = _untrained()
    parts = {k: getattr(made, k) for k in "listen edge node decode gamma heads".split()}
    return bn.GraphSolver(**parts | changed)


@functools.cache
def _untrained():
    return bn.graph_solver(jax.random.key(0), 2, 1)


row("GraphSolver", graph_solver_of, {}, listen="network", edge="network",
    node="network", decode="network", gamma="probability", heads="count")  # fmt: skip

# ---- facts, tolerances, cards ------------------------------------------------------
row("Absolute", bn.Absolute, {"tol": 1e-6}, tol="tolerance")
row("join", bn.join, {"coordinator": "localhost:1", "processes": 2, "index": 5},
    processes="count", index="size", patience="count")  # fmt: skip

# ---- problems ----------------------------------------------------------------------
x0 = np.zeros(2)
row("Smooth", bn.Smooth, {"fun": square, "x0": x0}, fun="function", x0="array",
    args="args", convex="flag", L="positive?", mu="nonnegative?",
    self_concordant="nonnegative?", radius="positive?", reference="point?")  # fmt: skip
row("least_squares", bn.least_squares, {"residual": lambda x: x - 1, "x0": x0},
    residual="function", x0="array", args="args", data="point?")  # fmt: skip
row("NonlinearLeastSquares", bn.NonlinearLeastSquares,
    {"residual": lambda x: x - 1, "x0": x0}, residual="function", x0="array",
    args="args", data="point?", reference="point?")  # fmt: skip
row("Composite", bn.Composite, {"smooth": square, "term": bn.L1(0.1), "x0": x0},
    smooth="function", term="term", x0="array", args="args", L="positive?",
    convex="flag?", mu="nonnegative?", step="positive?", rho="nonnegative",
    reference="point?")  # fmt: skip
row("Root", bn.Root, {"fun": lambda x: x**2 - 2, "x0": np.ones(2)}, fun="function",
    x0="array", args="args", scale="weights?", reference="point?")  # fmt: skip
row("FixedPoint", bn.FixedPoint, {"fun": lambda x: x / 2, "x0": np.ones(2)},
    fun="function", x0="array", args="args", contraction="below one?", norm="word",
    weights="array?", nonexpansive="flag", reference="point?")  # fmt: skip
row("Inclusion", bn.Inclusion, {"components": lambda z: z - 1, "z0": np.ones(2)},
    components="function", z0="array", term="term?", monotone="flag",
    cocoercive="positive?", cocoercive_average="positive?", L="positive?",
    L_average="positive?", mu="nonnegative?", radius="positive?", reference="point?",
    is_saddle="flag")  # fmt: skip
row("Structured", bn.Structured,
    {"f": square, "g": None, "h": bn.L1(0.1), "K": None, "x0": x0}, f="function?",
    g="term?", h="term", x0="array", args="args", L="positive?", convex="flag?",
    mu="nonnegative?", quadratic="flag", step="positive?",
    reference="point?")  # fmt: skip
row("TotalVariation", bn.TotalVariation, {"image": np.eye(3), "lam": 0.1},
    image="matrix", lam="positive", isotropic="flag")  # fmt: skip
row("GeneralizedLasso", bn.GeneralizedLasso,
    {"A": np.eye(3), "b": np.ones(3), "D": np.eye(3), "lam": 0.1}, A="matrix",
    b="array", D="matrix", lam="positive", g="term?")  # fmt: skip
row("saddle", bn.saddle, {"phi": lambda x, y: x @ y, "x0": x0, "y0": x0},
    phi="function", x0="array", y0="array")  # fmt: skip
row("Constrained", bn.Constrained,
    {"fun": square, "x0": x0, "eq": lambda x: x[0] - 1.0}, fun="function", x0="array",
    args="args", eq="function?", ineq="function?", lower="bound?", upper="bound?",
    reference="point?")  # fmt: skip
row("Bilevel", bn.Bilevel,
    {"upper": lambda x, y: jnp.sum(y**2), "lower": lambda x, y: jnp.sum((y - x) ** 2),
     "x0": x0, "y0": x0, "lower_strongly_convex": True},
    upper="function", lower="function", x0="array", y0="array", args="args",
    lower_strongly_convex="flag", lower_mu="positive?", lower_L="positive?",
    smoothness="positive?", blocks="flag")  # fmt: skip
row("FiniteSum", bn.FiniteSum,
    {"fun": lambda x, d: jnp.sum((d @ x) ** 2), "x0": x0, "data": X}, fun="function",
    x0="array", l2="weights?", convex="flag", L="positive?", mu="nonnegative?",
    reference="point?")  # fmt: skip
row("DistributedSum", bn.DistributedSum,
    {"whole": bn.GLM(X, Y, bn.SquaredLoss()).as_finite_sum(), "workers": 2},
    whole="problem", workers="count", L="positive?")  # fmt: skip
row("GLM", bn.GLM, {"A": X, "y": Y, "loss": bn.SquaredLoss()}, A="matrix", y="array",
    loss="loss", term="term?", intercept="flag", sample_weight="array?",
    offset="array?")  # fmt: skip
regression = {"A": X, "b": Y}
row("Lasso", bn.Lasso, regression | {"lam": 0.1}, A="matrix", b="array",
    lam="weights", intercept="flag")  # fmt: skip
row("Ridge", bn.Ridge, regression, A="matrix", b="array", l2="weights",
    intercept="flag")  # fmt: skip
row("ElasticNetRegression", bn.ElasticNetRegression,
    regression | {"l1": 0.1, "l2": 0.1}, A="matrix", b="array", l1="weights",
    l2="weights", intercept="flag")  # fmt: skip
row("GroupLasso", bn.GroupLasso, regression | {"lam": 0.1, "groups": [0, 1]},
    A="matrix", b="array", lam="weights", groups="groups",
    intercept="flag")  # fmt: skip
row("SparseGroupLasso", bn.SparseGroupLasso,
    regression | {"l1": 0.1, "lam": 0.1, "groups": [0, 1]}, A="matrix", b="array",
    l1="weights", lam="weights", groups="groups", intercept="flag")  # fmt: skip
row("FusedLasso", bn.FusedLasso, regression | {"l1": 0.1, "tv": 0.1}, A="matrix",
    b="array", l1="nonnegative", tv="nonnegative", intercept="flag")  # fmt: skip
row("SlopeRegression", bn.SlopeRegression, regression | {"lam": 0.1}, A="matrix",
    b="array", lam="weights", intercept="flag")  # fmt: skip
row("ScadRegression", bn.ScadRegression, regression | {"lam": 0.1}, A="matrix",
    b="array", lam="weights", scale="positive", intercept="flag")  # fmt: skip
row("McpRegression", bn.McpRegression, regression | {"lam": 0.1}, A="matrix",
    b="array", lam="weights", gamma="positive", scale="positive",
    intercept="flag")  # fmt: skip
row("NonnegativeLeastSquares", bn.NonnegativeLeastSquares, regression, A="matrix",
    b="array", intercept="flag")  # fmt: skip
row("BoxLeastSquares", bn.BoxLeastSquares, regression | {"lower": 0.0, "upper": 1.0},
    A="matrix", b="array", lower="bound", upper="bound", intercept="flag")  # fmt: skip
row("SimplexLeastSquares", bn.SimplexLeastSquares, regression, A="matrix", b="array",
    radius="positive")  # fmt: skip
row("HuberRegression", bn.HuberRegression, regression, A="matrix", b="array",
    delta="positive", l2="weights", intercept="flag")  # fmt: skip
labelled = {"A": X, "y": CLASSES}
for name, weight in [
    ("LogisticRegression", "l2"), ("SoftmaxRegression", "l2"),
    ("SquaredHingeClassifier", "l2"),
]:  # fmt: skip
    row(name, getattr(bn, name), labelled, A="matrix", y="labels", intercept="flag",
        **{weight: "weights"})  # fmt: skip
row("SparseLogisticRegression", bn.SparseLogisticRegression, labelled | {"lam": 0.1},
    A="matrix", y="labels", lam="weights", intercept="flag")  # fmt: skip
row("PoissonRegression", bn.PoissonRegression, labelled, A="matrix", y="array",
    l2="weights", intercept="flag")  # fmt: skip
row("ConvexRelu", bn.ConvexRelu, {"X": X, "y": Y, "beta": 0.1, "patterns": 3},
    X="matrix", y="array", beta="positive", patterns="count", loss="loss?",
    gated="flag", seed="size")  # fmt: skip
row("RobustConvexRelu", bn.RobustConvexRelu,
    {"X": X, "y": np.sign(CLASSES - 0.5), "beta": 0.1, "eps": 0.1, "patterns": 3},
    X="matrix", y="array", beta="positive", eps="nonnegative", patterns="count",
    seed="size")  # fmt: skip
row("ReluNetwork", bn.ReluNetwork, {"hidden": X, "output": np.ones(4)},
    hidden="matrix", output="array")  # fmt: skip
row("Linear", bn.Linear, {"A": np.eye(2), "b": np.ones(2)}, A="square", b="array",
    symmetric="flag?", positive_definite="flag?", sigma="positive?")  # fmt: skip
row("normal_equations", bn.normal_equations, {"A": X, "y": Y}, A="matrix", y="array",
    ridge="nonnegative", positive_definite="flag?")  # fmt: skip
row("Transport", bn.Transport,
    {"cost": np.ones((3, 3)), "a": np.ones(3) / 3, "b": np.ones(3) / 3, "eps": 0.1},
    cost="matrix", a="array", b="array", eps="positive")  # fmt: skip
row("EllipticEnergy", bn.EllipticEnergy,
    {"density": lambda s: s / 2, "load": np.ones((3, 3)), "lower": 1.0, "upper": 1.0},
    density="function", load="matrix", lower="positive", upper="positive",
    potential="function?", args="args")  # fmt: skip
row("Fractional", bn.Fractional,
    {"A": X, "b": Y, "lam": 0.1, "k": 2}, A="matrix", b="array", lam="positive",
    k="count", x0="array?")  # fmt: skip
row("manufactured", bn.manufactured,
    {"density": lambda s: s / 2, "exact": lambda x: jnp.sum(x), "n": 2},
    density="function", exact="function", n="count", dims="count",
    potential="function?", args="args")  # fmt: skip
row("GraphFixedPoint", bn.GraphFixedPoint,
    {"scores": np.zeros((1, 2)), "bias": np.ones((1, 2, 1)), "senders": [0, 1],
     "receivers": [1, 0]},
    scores="matrix", bias="array", gamma="probability")  # fmt: skip
row("NetworkFeasibility", bn.NetworkFeasibility,
    {"X": X, "y": CLASSES, "weights": (np.ones((3, X.shape[1] + 1)),)},
    X="matrix", y="array", margin="positive", activation="word")  # fmt: skip
row("Training", bn.Training,
    {"model": lambda p, x, k: x @ p, "loss": lambda z, t: jnp.sum((z - t) ** 2),
     "params": np.zeros((2, 1)), "inputs": X, "targets": Y[:, None]},
    model="function", loss="function", params="array", inputs="matrix",
    l2="nonnegative?", reference="point?")  # fmt: skip

# ---- methods -----------------------------------------------------------------------
row("AcceleratedGradient", bn.AcceleratedGradient, {"step_size": 0.1},
    step_size="positive", restart="flag")  # fmt: skip
row("Adadagrad", bn.Adadagrad, {"learning_rate": 0.1, "most": 64},
    learning_rate="positive", most="count", eta="positive", initial="positive",
    batch="count", chunk="count", test="word", coordinatewise="flag")  # fmt: skip
row("AdasketchNewton", bn.AdasketchNewton, {}, sketch="method", delta="positive",
    mu="positive", nu="positive", rho="positive", max_sweeps="count",
    max_tries="count")  # fmt: skip
row("Acoder", bn.Acoder, {"lipschitz": 1.0}, lipschitz="positive", mu="nonnegative",
    blocks="count")  # fmt: skip
row("Admm", bn.Admm, {"rho": 1.0}, rho="positive", norm="positive", alpha="positive",
    adapt="size")  # fmt: skip
row("Anderson", bn.Anderson, {"memory": 5}, memory="count", cutoff="nonnegative")
row("BoRep", bn.BoRep, {"eta": 0.1, "lower_step": 0.1, "nu": 0.1}, eta="positive",
    lower_step="positive", nu="positive", batch="count", period="count",
    updates="size", epochs="size")  # fmt: skip
row("Bsvrb", bn.Bsvrb, {"eta": 0.1, "tau": 0.1, "tau_v": 0.1}, eta="nonnegative",
    tau="positive", tau_v="positive", sampled="count", batch="count")  # fmt: skip
row("ChambollePock", bn.ChambollePock, {"tau": 0.1, "sigma": 0.1}, tau="positive",
    sigma="positive", gamma="nonnegative")  # fmt: skip
row("ConjugateGradient", bn.ConjugateGradient, {"preconditioner": bn.Jacobi()},
    preconditioner="network")  # fmt: skip
row("ConvergentGraphSolver", bn.ConvergentGraphSolver, {"direct": True}, direct="flag")
row("ConvexReluAdmm", bn.ConvexReluAdmm, {"rho": 1.0}, rho="positive",
    relaxation="positive", inner="count?")  # fmt: skip
row("DavisYin", bn.DavisYin, {"step_size": 1.0}, step_size="positive",
    norm="positive", relaxation="positive")  # fmt: skip
row("DeepConjugateDirection", bn.DeepConjugateDirection,
    {"network": lambda r, A: r}, network="network", memory="count")  # fmt: skip
row("DouglasRachford", bn.DouglasRachford, {"step_size": 1.0}, step_size="positive",
    norm="positive", relaxation="positive")  # fmt: skip
row("Econtrol", bn.Econtrol, {"step_size": 0.1, "eta": 0.1}, step_size="positive",
    eta="nonnegative", compressor="network", batch="count?")  # fmt: skip
row("Extragradient", bn.Extragradient, {"step_size": 0.1}, step_size="positive")
row("Fista", bn.Fista, {"lipschitz": 1.0}, lipschitz="positive", restart="flag",
    grow="flag")  # fmt: skip
row("NonconvexAcceleratedProx", bn.NonconvexAcceleratedProx,
    {"step_size": 0.1, "rho": 0.5}, step_size="positive", rho="nonnegative",
    restart="flag")  # fmt: skip
row("BacktrackingExtragradient", bn.BacktrackingExtragradient, {"share": 0.9},
    share="positive", shrink="positive", grow="positive")  # fmt: skip
row("BoundedLevenbergMarquardt", bn.BoundedLevenbergMarquardt, {"damping": 1e-3},
    damping="positive", rule="word")  # fmt: skip
row("Broyden", bn.Broyden, {}, sigma="positive", slack="positive")
row("Dogleg", bn.Dogleg, {"factor": 1.0}, factor="positive")
row("GaussNewton", bn.GaussNewton, {}, share="positive", halvings="count")
row("GoldenRatio", bn.GoldenRatio, {"phi": 1.5}, phi="positive")
row("GreedyBcd", bn.GreedyBcd, {"block": 3}, block="count", rule="word")
row("BcdProxReg", bn.BcdProxReg, {}, weight="positive", accuracy="nonnegative",
    inner="count")  # fmt: skip
row("VrCyclicBlockDescent", bn.VrCyclicBlockDescent,
    {"step_size": 0.1, "probability": 0.5, "batch": 3}, step_size="positive",
    probability="positive", batch="count", blocks="count")  # fmt: skip
row("Hyperlista", bn.Hyperlista, {}, c1="positive", c2="nonnegative", c3="nonnegative")
row("SaddleFreeNewton", bn.SaddleFreeNewton, {"damping": 0.1}, damping="nonnegative?")
row("AcceleratedStochasticCubic", bn.AcceleratedStochasticCubic, {"radius": 1.0},
    M="positive?", sigma="nonnegative", delta="nonnegative", radius="positive",
    batch="count?", hessian_batch="count?")  # fmt: skip
row("MomentumGinzburgLandau", bn.MomentumGinzburgLandau,
    {"step_size": 1.0, "c": 1.0}, step_size="positive", metric="square?",
    c="nonnegative", momentum="below one?", restart="flag")  # fmt: skip
row("FractionalCoordinateDescent", bn.FractionalCoordinateDescent, {},
    theta="nonnegative", ratio="flag")  # fmt: skip
row("AdaptiveCubic", bn.AdaptiveCubic, {"sigma": 1.0}, sigma="positive",
    eta1="positive", eta2="positive")  # fmt: skip
row("EnergyPreconditionedGd", bn.EnergyPreconditionedGd, {"eta": 0.1}, eta="positive?",
    metric="network", c="positive")  # fmt: skip
row("SymmetricPolyPrecond", bn.SymmetricPolyPrecond, {"tau": 1}, metric="square?",
    tau="size", krylov="flag")  # fmt: skip
row("ScaledGdLambda", bn.ScaledGdLambda, {"step_size": 0.1}, step_size="positive",
    damping="positive")  # fmt: skip
row("WorkingSetNewton", bn.WorkingSetNewton, {"first": 3}, first="count")
row("LearnedLmDamping", bn.LearnedLmDamping, {"damping": 1e-3}, policy="network",
    damping="positive")  # fmt: skip
row("Lbfgsb", bn.Lbfgsb, {"memory": 3}, memory="count")
row("ProximalNewton", bn.ProximalNewton, {"forcing": 0.1}, forcing="positive",
    decrease="positive", inner="count")  # fmt: skip
row("ProjectedNewton", bn.ProjectedNewton, {"margin": 0.1}, margin="positive")
row("PairwiseFrankWolfe", bn.PairwiseFrankWolfe, {"lipschitz": 1.0},
    lipschitz="positive")  # fmt: skip
row("AwayStepFrankWolfe", bn.AwayStepFrankWolfe, {"lipschitz": 1.0},
    lipschitz="positive")  # fmt: skip
row("LevenbergMarquardt", bn.LevenbergMarquardt, {"factor": 10.0}, factor="positive")
row("NewtonRoot", bn.NewtonRoot, {}, decrease="positive")
row("PowellHybrid", bn.PowellHybrid, {"factor": 10.0}, factor="positive")
row("GradientDescent", bn.GradientDescent, {"step_size": 0.1, "search": False},
    step_size="positive", search="flag")  # fmt: skip
row("GradientNormalizedNewton", bn.GradientNormalizedNewton, {}, curvature="network",
    gamma="positive", max_tries="count")  # fmt: skip
row("Halpern", bn.Halpern, {"step_size": 0.1}, step_size="positive")
row("HypergradientDescent", bn.HypergradientDescent, {"step_size": 0.1},
    step_size="positive", tolerance="positive", decay="positive")  # fmt: skip
row("LazyNewton", bn.LazyNewton, {}, period="count", contraction="radius",
    M="nonnegative?")  # fmt: skip
row("BarzilaiBorwein", bn.BarzilaiBorwein, {"memory": 10}, memory="count")
for name in "Bfgs Dfp HagerZhang PolakRibiere".split():
    row(name, getattr(bn, name), {"curvature": 0.4}, curvature="probability")
row("Sr1", bn.Sr1, {"radius": 1.0}, radius="radius")
row("Averaged", bn.Averaged, {"method": bn.Lbfgs(5)}, method="method", kind="word")
row("Momentum", bn.Momentum, {"method": bn.Lbfgs(5)}, method="method",
    weight="share?")  # fmt: skip
row("Restarted", bn.Restarted, {"method": bn.Lbfgs(5)}, method="method")
row("Nonmonotone", bn.Nonmonotone, {}, memory="count", decrease="probability")
row("UnitWolfe", bn.UnitWolfe, {}, decrease="probability", curvature="probability")
row("Wolfe", bn.Wolfe, {}, decrease="probability", curvature="probability")
row("Fixed", bn.Fixed, {"step_size": 0.1}, step_size="positive")
row("Lbfgs", bn.Lbfgs, {"memory": 5}, memory="count")
row("NewtonCg", bn.NewtonCg, {"radius": 1.0, "inner_steps": 10}, radius="radius",
    inner_steps="count")  # fmt: skip
row("NonlinearCg", bn.NonlinearCg, {"curvature": 0.1}, curvature="probability")
row("Picard", bn.Picard, {"relaxation": 1.0}, relaxation="positive")
row("ProximalGradient", bn.ProximalGradient, {"lipschitz": 1.0},
    lipschitz="positive", backtrack="flag")  # fmt: skip
row("ProjectionTraining", bn.ProjectionTraining, {"batch": 8}, batch="count",
    inner="count", iteration="word")  # fmt: skip
row("RefinedSchedule", bn.RefinedSchedule, {"peak": 0.1, "steps": 10},
    peak="positive", steps="count", base="word", batch="count",
    rounds="count")  # fmt: skip
row("RestartedPdhg", bn.RestartedPdhg, {"tau": 0.1, "sigma": 0.1}, tau="positive",
    sigma="positive", period="count")  # fmt: skip
row("RootNewton", bn.RootNewton, {}, rule="network")
row("SequentialGradientCoding", bn.SequentialGradientCoding, {}, scheme="network")
row("BlendedPairwiseFrankWolfe", bn.BlendedPairwiseFrankWolfe, {"lipschitz": 1.0},
    lipschitz="positive")  # fmt: skip
row("ProximalQuasiNewton", bn.ProximalQuasiNewton, {}, gamma="positive",
    decrease="positive")  # fmt: skip
row("SemismoothNewton", bn.SemismoothNewton, {"lipschitz": 1.0}, lipschitz="positive",
    ratio="positive", decrease="positive", damping="positive")  # fmt: skip
row(
    "Adafactor",
    bn.Adafactor,
    {},
    learning_rate="positive",
    decay="positive",
    clip="positive",
    eps1="positive",
    eps2="positive",
    weight_decay="nonnegative",
    relative="flag",
    scaled="flag",
    batch="count",
)
row(
    "AdagradNorm",
    bn.AdagradNorm,
    {},
    learning_rate="positive",
    b0="positive",
    batch="count",
)
row(
    "Adahessian",
    bn.Adahessian,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    power="share",
    weight_decay="nonnegative",
    block="size",
    every="count",
    batch="count",
)
row(
    "Amsgrad",
    bn.Amsgrad,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    lam="positive",
    nc="flag",
    decreasing="flag",
    batch="count",
)
row(
    "Apollo",
    bn.Apollo,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    weight_decay="nonnegative",
    scale="positive",
    growth="positive",
    rank="count",
    every="count",
    seed="size",
    mini="flag",
    batch="count",
)
row(
    "Blockwise_8bitState",
    bn.Blockwise_8bitState,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    block="count",
    least="count",
    batch="count",
)
row(
    "ClippedSgd",
    bn.ClippedSgd,
    {"step_size": 0.1},
    step_size="positive",
    max_norm="positive",
    decay="nonnegative",
    batch="count",
)
row(
    "Diana",
    bn.Diana,
    {"step_size": 0.1, "alpha": 0.1},
    step_size="positive",
    alpha="share",
    compressor="network",
)
row("Ef21", bn.Ef21, {"step_size": 0.1}, step_size="positive", compressor="network")
row(
    "Fira",
    bn.Fira,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    weight_decay="nonnegative",
    scale="positive",
    growth="positive",
    rank="count",
    every="count",
    batch="count",
)
row(
    "GradientTracking",
    bn.GradientTracking,
    {"step_size": 0.1},
    step_size="positive",
    graph="word",
)
row(
    "LocalSgd",
    bn.LocalSgd,
    {"step_size": 0.1},
    step_size="positive",
    decay="nonnegative",
    local_steps="count",
    batch="count?",
)
row(
    "MFac",
    bn.MFac,
    {},
    learning_rate="positive",
    damping="positive",
    momentum="below one",
    window="count",
    batch="count",
)
row(
    "Marina",
    bn.Marina,
    {"step_size": 0.1, "p": 0.1},
    step_size="positive",
    p="positive",
    compressor="network",
)
row(
    "NagGs",
    bn.NagGs,
    {},
    learning_rate="positive",
    mu="positive",
    gamma="positive",
    fixed="flag",
    batch="count",
)
row(
    "NonEuclideanTrustRegion",
    bn.NonEuclideanTrustRegion,
    {},
    learning_rate="positive",
    norm="word",
    momentum="below one",
    weight_decay="nonnegative",
    exact="flag",
    batch="count",
)
row(
    "NormalizedSgd",
    bn.NormalizedSgd,
    {},
    learning_rate="positive",
    momentum="below one",
    transport="flag",
    batch="count",
)
row(
    "OnlineSubspaceDescent",
    bn.OnlineSubspaceDescent,
    {},
    learning_rate="positive",
    rank="count",
    basis_rate="nonnegative",
    penalty="nonnegative",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    weight_decay="nonnegative",
    batch="count",
)
row(
    "PolyakStep",
    bn.PolyakStep,
    {"max_learning_rate": 0.1},
    c="positive",
    max_learning_rate="radius",
    f_min="number",
    batch="count",
)
row(
    "Powersgd",
    bn.Powersgd,
    {"step_size": 0.1},
    step_size="positive",
    momentum="below one",
    rank="count",
)
row(
    "PsgdLie",
    bn.PsgdLie,
    {},
    learning_rate="positive",
    fit_rate="positive",
    momentum="below one",
    group="word",
    rank="count",
    weight_decay="nonnegative",
    batch="count",
)
row(
    "Scaffold",
    bn.Scaffold,
    {"step_size": 0.1},
    step_size="positive",
    server_step="positive",
    local_steps="count",
    sampled="count?",
    batch="count?",
)
row(
    "ScalableShampoo",
    bn.ScalableShampoo,
    {},
    learning_rate="positive",
    b1="below one",
    b2="share",
    eps="positive",
    every="count",
    block="count",
    graft="word",
    nesterov="flag",
    weight_decay="nonnegative",
    batch="count",
)
row(
    "ScheduleFree",
    bn.ScheduleFree,
    {},
    learning_rate="positive",
    b1="share",
    b2="below one",
    eps="nonnegative",
    weight_decay="nonnegative",
    warmup="count",
    base="word",
    batch="count",
)
row(
    "Shampoo",
    bn.Shampoo,
    {},
    learning_rate="positive",
    eps="positive",
    momentum="below one",
    largest="count",
    batch="count",
)
row(
    "Sophia",
    bn.Sophia,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    gam="positive",
    eps="positive",
    weight_decay="nonnegative",
    every="count",
    batch="count",
)
row("Spider", bn.Spider, {"L": 0.1}, L="positive", epsilon="positive", batch="count")
row(
    "StableSpam",
    bn.StableSpam,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    g1="below one",
    g2="below one",
    g3="below one",
    eps="nonnegative",
    weight_decay="nonnegative",
    every="count",
    batch="count",
)
row("Storm", bn.Storm, {}, k="positive", w="positive", c="positive", batch="count")
row(
    "SubsetNormSubspaceMomentum",
    bn.SubsetNormSubspaceMomentum,
    {},
    learning_rate="positive",
    b1="below one",
    b2="below one",
    eps="nonnegative",
    weight_decay="nonnegative",
    rank="size",
    every="count",
    subsets="word",
    adagrad="flag",
    batch="count",
)
row(
    "TurboMuon",
    bn.TurboMuon,
    {},
    learning_rate="positive",
    momentum="below one",
    nesterov="flag",
    weight_decay="nonnegative",
    batch="count",
)
row("Saga", bn.Saga, {"step_size": 0.1}, step_size="positive", batch="count")
row("Svrg", bn.Svrg, {"step_size": 0.1, "inner": 3}, step_size="positive",
    inner="count", batch="count", last="flag")  # fmt: skip
row("Sarah", bn.Sarah, {"step_size": 0.1, "inner": 3}, step_size="positive",
    inner="count", batch="count", last="flag")  # fmt: skip
row("Katyusha", bn.Katyusha, {"L": 1.0, "mu": 0.1, "inner": 3}, L="positive",
    mu="positive", inner="count", batch="count")  # fmt: skip
row("Sgd", bn.Sgd, {"step_size": 0.1}, step_size="positive", decay="nonnegative",
    batch="count")  # fmt: skip
row("Sinkhorn", bn.Sinkhorn, {}, decay="positive", first="positive")
row("SinkhornNewtonSparse", bn.SinkhornNewtonSparse, {"sweeps": 1, "keep": 4},
    sweeps="size", keep="count", accuracy="positive", inner_steps="count",
    decay="positive", first="positive", newton_steps="count")  # fmt: skip
row("SobolevGradientFlow", bn.SobolevGradientFlow, {"step_size": 0.1},
    step_size="positive", shift="nonnegative")  # fmt: skip
row("TrustRegionNewton", bn.TrustRegionNewton, {"radius": 1.0}, radius="radius")
row("VrHalpern", bn.VrHalpern, {"step_size": 0.1, "L": 1.0}, step_size="positive",
    L="positive", effort="positive", batch="count", inexact="flag")  # fmt: skip
row("Scipy", bn.Scipy, {"algorithm": "BFGS"}, algorithm="algorithm?",
    options="options")  # fmt: skip
row("Sklearn", bn.Sklearn, {"algorithm": "lbfgs"}, algorithm="algorithm?",
    options="options")  # fmt: skip
row("Optax", bn.Optax, {"algorithm": "adam", "learning_rate": 0.1},
    algorithm="algorithm", learning_rate="number")  # fmt: skip
row("Optimistix", bn.Optimistix, {"solver": "BFGS"}, solver="algorithm?")


def rule(learning_rate):
    """A factory like those of optax."""
    raise AssertionError("built before its arguments were read")


row("FromOptax", bn.FromOptax, {"factory": rule, "learning_rate": 0.1},
    factory="function", oracle="callback?", searched="callback?", batch="count?",
    learning_rate="number")  # fmt: skip

# ---- checks ------------------------------------------------------------------------
_SCALED = (
    "BallGap Contraction CoordinateGap EnergyDistance EnergyGap ExactTransportGap "
    "FixedPointResidual FrankWolfeGap InclusionDistance InclusionResidual "
    "LinearResidual ProxStep ReluGap Stationarity StrongDistance StrongGap "
    "TransportGap VariationalGap"
).split()
row("KKT", bn.KKT, {}, screen="positive?", scale="positive?", wide="number")
for name in _SCALED:
    row(name, getattr(bn, name), {}, screen="positive?", scale="positive?")
for name in "EnergyError LinearDistance".split():
    row(name, getattr(bn, name), {}, screen="positive?", scale="positive?",
        sigma="positive?")  # fmt: skip
row("PrimalDualGap", bn.PrimalDualGap, {"scale": 1.0}, screen="positive?",
    scale="positive?")  # fmt: skip
row("PrimalDual", bn.PrimalDual, {"scale": 1.0, "coupled": 1.0}, screen="positive?",
    scale="positive", coupled="positive")  # fmt: skip
row("ProjectedResidual", bn.ProjectedResidual, {}, size="nonnegative?",
    start="nonnegative?")  # fmt: skip
for name in "Hypergradient HypergradientBound".split():
    row(name, getattr(bn, name), {}, screen="positive?")
for name in "Gap RobustReluGap".split():
    row(name, getattr(bn, name), {}, scale="positive?")
row("EnclosureCheck", bn.EnclosureCheck, {}, rigor="word")
row("FullSum", bn.FullSum, {}, gradient="check", screen="positive?")
row("GapDistance", bn.GapDistance, {}, gap="check")
row("RelativeDistance", bn.RelativeDistance, {}, distance="check?")
row("Goal", bn.Goal, {"target": 1.0}, target="number")
row("SecondOrder", bn.SecondOrder, {}, tol="positive?", curvature="nonnegative?",
    delta="probability", steps="count")  # fmt: skip
row("HeldOutRisk", bn.HeldOutRisk,
    {"losses": lambda z, t: jnp.zeros(4), "data": (X, Y), "target": 0.5},
    losses="function", target="number", low="number", high="number",
    delta="probability")  # fmt: skip
row("MeanCheck", bn.MeanCheck,
    {"draw": lambda x, key, n: jnp.zeros(n), "target": 0.5}, draw="function",
    target="number", low="number", high="number", delta="probability", batch="count",
    epochs="count")  # fmt: skip

# ---- doors -------------------------------------------------------------------------
problem = bn.Ridge(X, Y)
asked = dict(method="method?", start="start?", tol="tolerance", check="check?",
             max_steps="steps", time_limit="seconds", seed="seed")  # fmt: skip
row("solve", bn.solve, {"problem": problem}, problem="problem", digits="count?",
    rows="even",
    checkpoint="path?", checkpoint_seconds="seconds", resume="saved?",
    progress="callback?", **asked)  # fmt: skip
row("iterate", lambda **k: next(bn.iterate(**k)), {"problem": problem},
    problem="problem", rows="even", resume="saved?", live="flag",
    compile_free="flag", **asked)  # fmt: skip
row("minimize", bn.minimize, {"fun": square, "x0": x0}, fun="function", x0="array",
    args="args", rows="even", checkpoint="path?", resume="saved?",
    progress="callback?", **asked)  # fmt: skip
many = {k: v for k, v in asked.items() if k != "start"}
row("solve_many", bn.solve_many, {"problems": [problem]}, problems="problems",
    starts="problems?", progress="callback?", **many)  # fmt: skip
row("path", bn.path, {"problem": bn.Lasso(X, Y, lam=1.0), "multiples": [1.0]},
    problem="problem", points="count", down_to="positive", tol="tolerance",
    folds="size", seed="seed", max_steps="steps")  # fmt: skip
row("multistart", bn.multistart, {"problem": problem, "starts": 2},
    problem="problem", spread="positive", tol="tolerance", seed="seed",
    max_steps="steps")  # fmt: skip
row("stack", bn.stack, {"problems": [problem]}, problems="problems")
row("problems", bn.problems, {}, kind="name?")
row("explain", bn.explain, {"name": "fista"}, name="name")
row("run", bn.run,
    {"problem": problem, "method": bn.Lbfgs(5), "check": bn.Gap()}, problem="problem",
    method="method", start="start?", check="check", tol="tolerance",
    max_steps="steps", key="key?", every="count?", trace="even")  # fmt: skip
row("race", bn.race, {"problem": problem, "methods": ["lbfgs"]}, problem="problem",
    methods="methods?", start="start?", tol="tolerance", check="check?",
    max_steps="steps", time_limit="seconds", patience="positive?", seed="seed",
    seeds="count",
    name="name?", command="text", progress="callback?")  # fmt: skip
row("verify", bn.verify, {"answer": problem, "x": x0}, answer="saved", x="point",
    problem="saved?", check="check?", tol="tolerance?", seed="seed")  # fmt: skip
row("load", bn.load, {"path": "run.json"}, path="saved", trust="flag")
row("reproduce", bn.reproduce, {"path": "report.json"}, path="saved",
    problem="saved?", time_limit="seconds")  # fmt: skip
row(
    "uncertainty",
    bn.uncertainty,
    {"result": None},
    result="problem",
    level="probability",
    kind="word",
    sigma="array?",
    allow_uncertified="flag",
)
row(
    "propagate",
    bn.propagate,
    {"result": None, "fun": jnp.sum},
    result="problem",
    fun="function",
    args="args",
    level="probability",
    observation="flag",
    kind="word",
    sigma="array?",
    allow_uncertified="flag",
)
row("sensitivity", bn.sensitivity, {"result": None, "cotangent": x0},
    result="problem")  # fmt: skip

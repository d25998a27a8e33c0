"""Every kind x every argument x a table of bad values: one Misuse that names it.

And the other side of the door: any real dtype in any byte order is the same problem.
Nothing here is compiled.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.problem import Misuse

A = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25], [-2.0, 1.0]])
Y = np.array([1.0, -1.0, 1.0, -1.0])
START = np.array([0.5, -0.25])
SPD = np.array([[3.0, 1.0], [1.0, 2.0]])


def square(x, *data):
    return jnp.sum(x**2)


def half(x, *data):
    return x / 2


def masked(a):
    a = np.asarray(a, float)
    return np.ma.array(a, mask=np.zeros(a.shape, bool))


def spoilt(a, value):
    a = np.asarray(a, float).copy()
    a.flat[0] = value
    return a


def array(good, zero=True):
    """Bad values for real data like `good`."""
    bad = {
        "None": None,
        "complex": np.asarray(good) + 0j,
        "text": "data",
        "words": np.full(np.shape(good), "a"),
        "objects": np.full(np.shape(good), None),
        "masked": masked(good),
        "NaN": spoilt(good, np.nan),
        "infinite": spoilt(good, np.inf),
        "minus infinite": spoilt(good, -np.inf),
        "rounded": np.full(np.shape(good), 2**53 + 1),
        "beyond": np.full(np.shape(good), np.longdouble("1e4000")),
        "dates": np.full(np.shape(good), "2020-01-01", "M8[D]"),
        "cube": np.ones((2, 2, 2, 2)),
        "ragged": [[1.0], [1.0, 2.0]],
    }
    return bad


def number(low="positive", optional=True):
    bad = {
        "True": True,
        "text": "0.1",
        "complex": 1j,
        "NaN": np.nan,
        "infinite": np.inf,
        "two": [1.0, 2.0],
        "objects": np.array(None),
        "masked": masked(1.0),
        "rounded": 2**53 + 1,
    }
    bad |= {"negative": -1.0} if low else {}
    bad |= {"zero": 0.0, "False": np.False_} if low == "positive" else {}
    return bad if optional else bad | {"None": None}


def flag(optional=False):
    bad = {"no": "no", "one": 1, "zero": 0, "float": 1.0, "array": np.ones(1, bool)}
    return bad if optional else bad | {"None": None}


def integer(low=0):
    below = {"low": low - 1} if low is not None else {}
    return below | {"True": True, "half": 1.5, "text": "3", "complex": 1j, "list": [3]}


def variable(good):
    bad = array(good)
    for name in ("cube", "ragged"):
        del bad[name]
    return bad | {"booleans": np.asarray(good) > 0, "empty": np.zeros(0)}


def boundary(good):
    bad = array(good)
    for name in ("None", "infinite", "minus infinite", "beyond"):
        del bad[name]
    return bad | {"flag": True}


def returns(value):
    return lambda *arguments: value


def raises(*arguments):
    raise KeyError("inside")


def assigns(x, *data):
    x = jax.tree.leaves(x)[0]
    x[...] = 1.0


FUNCTIONS = {
    "number": 3.0,
    "text": "f",
    "none": None,
    "arity": lambda: 1.0,
    "nothing": returns(None),
    "words": returns("a"),
    "numpy": lambda x, *d: float(np.sum(np.asarray(jax.tree.leaves(x)[0]) ** 2)),
    "scipy": lambda x, *d: np.exp(jax.tree.leaves(x)[0]).sum(),
    "branch": lambda x, *d: x if jnp.sum(jax.tree.leaves(x)[0]) > 0 else -x,
    "range": lambda x, *d: range(jnp.sum(jax.tree.leaves(x)[0]).astype(int)),
    "float": lambda x, *d: float(jnp.sum(jax.tree.leaves(x)[0])),
    "selects": lambda x, *d: x[jnp.asarray(x) > 0].sum(),
    "assigns": assigns,
    "raises": raises,
    "integers": lambda x, *d: jax.tree.map(lambda v: v.astype(int), x),
    "complex": lambda x, *d: jax.tree.map(lambda v: v * 1j, x),
    "masked": lambda x, *d: jnp.sum(jax.tree.leaves(x)[0] * masked(np.ones(2))),
}
SCALAR = {"vector": lambda x, *d: jnp.ones(2)} | FUNCTIONS
OPTIONAL = {k: v for k, v in SCALAR.items() if k != "none"}
ARGS = {
    "bare": 3.0,
    "array": np.ones(2),
    "list": [1.0],
    "none": None,
    "text": ("a",),
    "complex": (1j,),
    "masked": (masked(1.0),),
    "NaN": (np.array([np.nan]),),
    "object": (object(),),
}
WEIGHTS = {k: v for k, v in array(Y).items() if k != "None"} | {
    "negative": -np.ones(4),
    "short": np.ones(3),
}
REAL_TARGETS = array(Y) | {"short": np.ones(3)}
COUNTS = REAL_TARGETS | {"negative": -np.ones(4)}
LABELS = {
    "None": None,
    "inside None": ["a", None, "a", "b"],
    "masked": masked(Y),
    "NaN": spoilt(Y, np.nan),
    "fractions": np.array([0.5, 1.0, 0.5, 1.0]),
    "complex": Y + 0j,
    "mixed": ["a", 1, "a", 1],
    "one word": ["a"] * 4,
    "objects": [object()] * 4,
    "short": np.ones(3),
    "dates": np.full(4, "2020-01-01", "M8[D]"),
}
TWO = LABELS | {"three": ["a", "b", "c", "a"], "one number": [7] * 4}
TERMS = {"number": 0.1, "text": "l1", "class": bn.L1, "loss": bn.LogisticLoss()}


def glm(b="b", targets=REAL_TARGETS, **more):
    """The arguments that every model shares."""
    shared = {
        "A": array(A),
        b: targets,
        "intercept": flag(),
        "sample_weight": WEIGHTS,
        "offset": {k: v for k, v in WEIGHTS.items() if k != "negative"},
    }
    return shared | more


def reference(good=START):
    bad = variable(good)
    del bad["None"]
    return bad | {"short": np.ones(5)}


def penalty(low="nonnegative"):
    """Of a term or a loss; their own tables hold the rest."""
    bad = {"NaN": np.nan, "infinite": np.inf, "negative": -1.0}
    return bad | ({"zero": 0.0} if low == "positive" else {})


def weight():
    """For one number, or one for each of the two unknowns."""
    return {k: v for k, v in number().items() if k != "two"} | {
        "a zero": np.array([1.0, 0.0]),
        "long": np.ones(3),
    }


def ridge():
    return {k: v for k, v in number("nonnegative").items() if k != "two"}


BILEVEL = dict(
    upper=lambda x, y: (x - 1) ** 2 + y**2,
    lower=lambda x, y: (y - x) ** 2,
    x0=0.5,
    y0=1.0,
)
TRAIN = dict(
    model=lambda p, x, key: x @ p,
    loss=lambda z, t: (z - t) ** 2,
    params=START,
    inputs=A,
    targets=Y,
)
ONE_LEVEL = {
    "complex": 1j,
    "text": "a",
    "NaN": np.nan,
    "flag": True,
    "masked": masked(1.0),
}
SUM = bn.FiniteSum(lambda x, d: jnp.sum((x @ d[0] - d[1]) ** 2), START, (A, Y))
EDGES = dict(
    scores=np.zeros((1, 2)),
    bias=np.ones((1, 2, 1)),
    senders=[0, 1],
    receivers=[1, 0],
)
NODES = {
    "None": None,
    "floats": [0.0, 1.0],
    "flags": [True, False],
    "negative": [-1, 0],
    "beyond": [0, 2],
    "wraps": [2**32, 0],
    "text": ["a", "b"],
    "masked": np.ma.array([0, 1], mask=[0, 1]),
    "short": [0],
}
ROWS = {
    k: v for k, v in array(A).items() if k not in ("None", "rounded", "cube", "dates")
} | {"number": 3.0}

# name: (constructor, good arguments, {argument: bad values})
KINDS = {
    "Lasso": (bn.Lasso, dict(A=A, b=Y, lam=0.1), glm(lam=penalty())),
    "Ridge": (bn.Ridge, dict(A=A, b=Y, l2=0.1), glm(l2=penalty())),
    "ElasticNet": (
        bn.ElasticNetRegression,
        dict(A=A, b=Y, l1=0.1, l2=0.1),
        glm(l1=penalty(), l2=penalty()),
    ),
    "Logistic": (bn.LogisticRegression, dict(A=A, y=Y), glm("y", TWO, l2=penalty())),
    "SparseLogistic": (
        bn.SparseLogisticRegression,
        dict(A=A, y=Y, lam=0.1),
        glm("y", TWO, lam=penalty()),
    ),
    "Softmax": (
        bn.SoftmaxRegression,
        dict(A=A, y=[0, 1, 2, 1]),
        glm("y", LABELS, classes=integer(2), l2=penalty()),
    ),
    "Poisson": (
        bn.PoissonRegression,
        dict(A=A, y=[0, 1, 2, 1]),
        glm("y", COUNTS, l2=penalty()),
    ),
    "Huber": (
        bn.HuberRegression,
        dict(A=A, b=Y),
        glm(delta=penalty("positive"), l2=penalty()),
    ),
    "SquaredHinge": (
        bn.SquaredHingeClassifier,
        dict(A=A, y=Y),
        glm("y", TWO, l2=penalty()),
    ),
    "GroupLasso": (
        bn.GroupLasso,
        dict(A=A, b=Y, lam=0.1, groups=[0, 1]),
        glm(lam=penalty()),
    ),
    "Nonnegative": (bn.NonnegativeLeastSquares, dict(A=A, b=Y), glm()),
    "GLM": (
        bn.GLM,
        dict(A=A, y=Y, loss=bn.SquaredLoss(), term=bn.L1(0.1)),
        glm(
            "y",
            loss={"text": "squared", "None": None, "class": bn.HuberLoss},
            term=TERMS,
        ),
    ),
    "Smooth": (
        bn.Smooth,
        dict(fun=square, x0=START, args=(1.0,)),
        dict(
            fun=SCALAR,
            x0=variable(START),
            args=ARGS,
            convex=flag(),
            L=number(),
            mu=number(),
            self_concordant=number(),
            radius=number(),
            reference=reference(),
        ),
    ),
    "NonlinearLeastSquares": (
        bn.NonlinearLeastSquares,
        dict(residual=half, x0=START),
        dict(
            residual=FUNCTIONS,
            x0=variable(START),
            args=ARGS,
            data=reference(),
            reference=reference(),
        ),
    ),
    "least_squares": (
        bn.least_squares,
        dict(residual=half, x0=START),
        dict(residual=FUNCTIONS, x0=variable(START), args=ARGS, data=reference()),
    ),
    "Composite": (
        bn.Composite,
        dict(smooth=square, term=bn.L1(0.1), x0=START),
        dict(
            smooth=SCALAR,
            term=TERMS | {"None": None, "shape": bn.L1(np.ones(3))},
            x0=variable(START),
            args=ARGS,
            convex=flag(optional=True),
            L=number(),
            mu=number(),
            step=number(),
            rho=number("nonnegative", optional=False),
            reference=reference(),
        ),
    ),
    "Root": (
        bn.Root,
        dict(fun=half, x0=START),
        dict(
            fun=FUNCTIONS | {"short": lambda x, *d: x[:1]},
            x0=variable(START),
            args=ARGS,
            scale=weight(),
            reference=reference(),
        ),
    ),
    "Inclusion": (
        bn.Inclusion,
        dict(components=half, z0=START, data=A),
        dict(
            components=FUNCTIONS | {"short": lambda z, *d: z[:1]},
            z0=variable(START),
            data=ROWS,
            term=TERMS,
            monotone=flag(),
            is_saddle=flag(),
            cocoercive=number(),
            cocoercive_average=number(),
            L=number(),
            L_average=number(),
            mu=number(),
            radius=number(),
            reference=reference(),
        ),
    ),
    "saddle": (
        bn.saddle,
        dict(phi=lambda x, y: x @ y, x0=START, y0=START),
        dict(
            phi=SCALAR,
            x0=variable(START),
            y0=variable(START),
            monotone=flag(),
            L=number(),
            term=TERMS,
        ),
    ),
    "Constrained": (
        bn.Constrained,
        dict(fun=square, x0=START, eq=square, lower=-1.0, upper=1.0),
        dict(
            fun=SCALAR,
            x0=variable(START),
            args=ARGS,
            eq={k: v for k, v in FUNCTIONS.items() if k != "none"},
            ineq={k: v for k, v in FUNCTIONS.items() if k != "none"},
            linear={
                "array": A,
                "shape": (A, Y[:2]),
                "complex": (A[:1] + 0j, Y[:1]),
                "NaN": (spoilt(A[:1], np.nan), Y[:1]),
                "masked": (A[:1], masked(Y[:1])),
                "text": "A",
            },
            lower=boundary(START) | {"crossed": 2.0, "none left": np.inf},
            upper=boundary(START) | {"crossed": -2.0, "none left": -np.inf},
            reference=reference(),
        ),
    ),
    "Bilevel": (
        bn.Bilevel,
        BILEVEL,
        dict(
            upper=SCALAR,
            lower=SCALAR,
            x0=ONE_LEVEL,
            y0=ONE_LEVEL,
            args=ARGS,
            blocks=flag(),
            lower_strongly_convex=flag(),
            lower_mu=number(),
            lower_L=number(),
            upper_rows=ROWS,
            lower_rows=ROWS,
            smoothness={
                "number": 1.0,
                "missing": {"cross": 1.0},
                "negative": dict(upper_x=-1, upper_y=1, cross=1, hess=1),
                "flag": dict(upper_x=1, upper_y=True, cross=1, hess=1),
                "text": dict(upper_x=1, upper_y=1, cross="1", hess=1),
            },
        ),
    ),
    "FixedPoint": (
        bn.FixedPoint,
        dict(fun=half, x0=START),
        dict(
            fun=FUNCTIONS | {"short": lambda x, *d: x[:1]},
            x0=variable(START),
            args=ARGS,
            contraction=number() | {"one": 1.0, "more": 1.5},
            norm={"other": "1", "number": 2, "None": None},
            weights=weight(),
            nonexpansive=flag(),
            reference=reference(),
        ),
    ),
    "GraphFixedPoint": (
        bn.GraphFixedPoint,
        EDGES,
        dict(
            scores=variable(EDGES["scores"]),
            bias=variable(EDGES["bias"]),
            senders=NODES,
            receivers=NODES,
            gamma=number(optional=False) | {"one": 1.0},
        ),
    ),
    "EllipticEnergy": (
        bn.EllipticEnergy,
        dict(density=lambda s: s / 2, load=np.ones(3), lower=1.0, upper=1.0),
        dict(
            density=FUNCTIONS | {"sums": square},
            load=variable(np.ones(3)) | {"box": np.ones((2, 3))},
            lower=number(optional=False) | {"crossed": 2.0},
            upper=number(optional=False) | {"crossed": 0.5},
            x0=reference(np.ones(3)),
            args=ARGS,
            curvature={
                "number": 1.0,
                "three": (0.0, 1.0, 2.0),
                "crossed": (1.0, 0.0),
                "None": (0.0, None),
                "NaN": (0.0, np.nan),
                "flag": (False, 1.0),
                "text": "01",
                "nonconvex": (-100.0, 0.0),
            },
        ),
    ),
    "Fractional": (
        bn.Fractional,
        dict(A=A, b=Y, lam=0.1, k=1),
        dict(
            A=array(A) | {"empty column": A * [1.0, 0.0]},
            b=REAL_TARGETS,
            lam=number(optional=False),
            k=integer(1) | {"None": None, "three": 3},
            x0={k: v for k, v in reference().items()} | {"zero": 0 * START},
            reference=reference(),
        ),
    ),
    "FiniteSum": (
        bn.FiniteSum,
        dict(fun=square, x0=START, data=(A, Y)),
        dict(
            fun=SCALAR,
            x0=variable(START),
            data=ROWS | {"None": None, "uneven": (A, Y[:2])},
            l2=ridge(),
            convex=flag(),
            L=number(),
            mu=number(),
            reference=reference(),
            noisy=OPTIONAL,
            provenance={"other": "guessed", "None": None},
        ),
    ),
    "DistributedSum": (
        bn.DistributedSum,
        dict(whole=SUM, workers=2),
        dict(
            whole={"None": None, "number": 3.0, "Smooth": bn.Smooth(square, START)},
            workers=integer(1) | {"many": 5},
            L=number(),
            mesh={"number": 2, "text": "workers"},
            order={
                "short": [0, 1],
                "twice": [0, 0, 1, 2],
                "floats": [0.0, 1.0, 2.0, 3.0],
                "flags": [True, False, True, False],
                "text": list("abcd"),
                "masked": np.ma.array([0, 1, 2, 3], mask=[0, 0, 0, 1]),
            },
        ),
    ),
    "Training": (
        bn.Training,
        TRAIN,
        dict(
            model={"None": None, "text": "model", "arity": lambda p: p}
            | {"numpy": lambda p, x, key: np.asarray(p) @ x},
            loss={"None": None, "vector": lambda z, t: jnp.ones(2)}
            | {"arity": lambda z: z, "branch": lambda z, t: z if z > t else t},
            params=variable(START),
            inputs=ROWS | {"None": None},
            targets=ROWS | {"None": None},
            held_out={
                "bare": A,
                "number": 3.0,
                "masked": (masked(A), Y),
                "NaN": (spoilt(A, np.nan), Y),
                "shape": (A[:, :1], Y),
            },
            l2=ridge(),
            reference=reference(),
        ),
    ),
    "Linear": (
        bn.Linear,
        dict(A=SPD, b=START),
        dict(
            A=array(SPD)
            | {"wide": A.T, "moves": lambda x: x + 1.0}
            | {k: v for k, v in FUNCTIONS.items() if k not in ("number", "none")},
            b=variable(START),
            x0=reference(),
            args=ARGS,
            symmetric=flag(optional=True),
            positive_definite=flag(optional=True),
            sigma=number(),
        ),
    ),
    "normal_equations": (
        bn.normal_equations,
        dict(A=A, y=Y),
        dict(
            A=array(A),
            y=variable(Y) | {"short": Y[:2]},
            ridge=number("nonnegative", optional=False),
            positive_definite=flag(optional=True),
        ),
    ),
    "Transport": (
        bn.Transport,
        dict(cost=np.abs(A), a=np.full(4, 0.25), b=np.full(2, 0.5), eps=0.1),
        dict(
            cost=array(A),
            a=array(np.full(4, 0.25))
            | {"negative": np.array([-0.25, 0.75, 0.25, 0.25])}
            | {"zero": np.array([0.0, 0.5, 0.25, 0.25]), "short": np.full(2, 0.5)},
            b=array(np.full(2, 0.5)) | {"negative": np.array([-0.5, 1.5])},
            eps=number(optional=False),
        ),
    ),
    "Transport.points": (
        bn.Transport.points,
        dict(x=A, y=A[:2], eps=0.1),
        dict(
            x=array(A),
            y=array(A) | {"other space": np.ones((2, 3))},
            eps=number(optional=False),
            cost={"other": "cosine", "None": None, "number": 2},
        ),
    ),
    "ConvexRelu": (
        bn.ConvexRelu,
        dict(X=A, y=Y, beta=0.1, patterns=2),
        dict(
            X=array(A) | {"zero": np.zeros((4, 2))},
            y=REAL_TARGETS,
            beta=number(optional=False),
            patterns=integer(1)
            | {"other": "some", "None": None, "twos": 2 * np.ones((1, 4))},
            loss={
                "text": "squared",
                "unbounded": bn.PoissonLoss(),
                "class": bn.HuberLoss,
            },
            gated=flag(),
            seed=integer() | {"None": None},
        ),
    ),
    "RobustConvexRelu": (
        bn.RobustConvexRelu,
        dict(X=A, y=Y, beta=0.1, eps=0.01, patterns=2),
        dict(
            X=array(A),
            y=REAL_TARGETS,
            beta=number(optional=False),
            eps=number(optional=False),
            patterns=integer(1) | {"all": "all", "None": None},
            seed=integer() | {"None": None},
        ),
    ),
    "NetworkFeasibility": (
        bn.NetworkFeasibility,
        dict(X=A, y=[0, 1, 0, 1], weights=(np.ones((3, 3)), np.ones((2, 4)))),
        dict(
            X=array(A),
            y=array(np.array([0.0, 1.0, 0.0, 1.0]), zero=False)
            | {"short": np.zeros(3), "half": [0.5, 1, 0, 1], "third": [0, 1, 2, 1]},
            weights={
                "array": np.ones((2, 3)),
                "None": None,
                "none": (),
                "one unit": (np.ones((1, 3)),),
                "apart": (np.ones((3, 3)), np.ones((2, 3))),
                "nan": (np.ones((3, 3)) * np.nan, np.ones((2, 4))),
            },
            activation={"other": "tanh", "None": None},
            margin=number(optional=False),
        ),
    ),
    "manufactured": (
        bn.manufactured,
        dict(density=lambda s: s / 2, exact=lambda x: x[0], n=2),
        dict(
            density={k: v for k, v in SCALAR.items() if k != "masked"},
            exact=SCALAR,
            n=integer(1) | {"None": None},
            dims=integer(1) | {"three": 3},
            args=ARGS,
        ),
    ),
    "ReluNetwork": (
        bn.ReluNetwork,
        dict(hidden=A, output=Y),
        dict(hidden=array(A), output=array(Y) | {"short": Y[:2]}),
    ),
}
CASES = [
    (kind, argument, name)
    for kind, (_, _, arguments) in KINDS.items()
    for argument, values in arguments.items()
    for name in values
]
# The message speaks of the field that the argument becomes.
ALSO = {"b": "y|b", "l2": "l2|lam|SquaredL2|ElasticNet", "l1": "l1|ElasticNet"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_arguments_make_a_valid_problem(kind):
    make, good, _ = KINDS[kind]
    made = make(**good)
    if hasattr(made, "validate"):
        made.validate()


@pytest.mark.parametrize(
    ("kind", "argument"), sorted({(k, a) for k, a, _ in CASES}), ids=str
)
def test_a_bad_value_is_one_misuse_that_names_the_argument(kind, argument):
    make, good, arguments = KINDS[kind]
    wrong = []
    for name, value in arguments[argument].items():
        try:
            make(**good | {argument: value})
        except Misuse as error:
            words = f"({ALSO.get(argument, re.escape(argument))})"
            if not re.search(rf"(?<![a-zA-Z]){words}(?![a-zA-Z])", str(error)):
                wrong.append(f"{name}: not named in {str(error)!r}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            wrong.append(f"{name}: accepted")
    assert not wrong, "\n".join(wrong)


def test_the_sweep_is_wide():
    assert len(CASES) > 1500


# Every entry is a whole number that all of these hold exactly.
EXACT = np.array([[1, 2], [0, 3], [5, 1], [2, 2]])
DTYPES = [">f8", ">f4", "f2", "g", "i1", ">i4", "u8", ">u2", "f4", "f8"]


def exact_problems(A, y):
    return [
        bn.Ridge(A, y, 0.5, sample_weight=y, offset=y),
        bn.SoftmaxRegression(A, y),
        bn.Transport(A, y, y[1:3] * 2, 0.5),
        bn.Smooth(square, y, (A,), reference=y),
        bn.Composite(square, bn.L1(0.5), y),
        bn.Root(half, y, scale=y + y.dtype.type(1)),
        bn.Inclusion(lambda z, d: d * z, y[:2], A),
        bn.Constrained(square, y[:2], linear=(A[:1], y[:1]), upper=y[:2]),
        bn.FixedPoint(half, y),
        bn.FiniteSum(square, y[:2], (A, A), l2=y[:2]),
        bn.Linear(A[:2], y[:2]),
        bn.normal_equations(A, y, 1.0),
        bn.ConvexRelu(A, y, 0.5, np.ones((1, 4))),
        bn.EllipticEnergy(lambda s: s / 2, y, lower=1, upper=1),
        bn.GraphFixedPoint(A[None, 0], A[None], [0, 1], [1, 0], 0.5),
        bn.NetworkFeasibility(A, y - y.min() > 1, (np.outer(y[:2], y[:3]),)),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_real_dtype_is_the_same_problem(dtype):
    """The labels 1 .. 4 are classes; all else are numbers."""
    y = np.array([2, 4, 1, 3])
    native = exact_problems(EXACT.astype(float), y.astype(float))
    for one, two in zip(
        exact_problems(EXACT.astype(dtype), y.astype(dtype)), native, strict=True
    ):
        for p, q in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
            assert p.dtype.isnative and p.dtype in (np.float32, *_WHOLE, np.float64)
            np.testing.assert_array_equal(p, q)
        one.validate()


_WHOLE = [np.dtype(k) for k in ("b", "i4", "i8", "u2", "u4", "u8", "?", "i1")]


def test_booleans_are_data_and_bfloat16_is_float32():
    p = bn.Ridge(EXACT > 1, EXACT[:, 0] > 1, 0.5)
    np.testing.assert_array_equal(p.A, (EXACT > 1) * 1.0)
    assert p.A.dtype == np.float64
    half_wide = jnp.asarray(EXACT, jnp.bfloat16)
    p = bn.Ridge(half_wide, half_wide[:, 0], 0.5)
    assert p.A.dtype == np.float32 and p.term.lam.dtype == np.float32
    np.testing.assert_array_equal(p.A, EXACT)


def test_a_changed_value_of_a_longdouble_is_said():
    third = np.ones(2, np.longdouble) / 3
    with pytest.warns(UserWarning, match="x0 was rounded from"):
        p = bn.Smooth(square, third)
    np.testing.assert_array_equal(p.x0, [1 / 3, 1 / 3])


def test_whole_numbers_beyond_the_floats_are_refused_and_never_rounded():
    big = np.array([2**53, 2**53 + 1, 5, 7])
    for state in (
        lambda: bn.Ridge(A, big, 0.5),
        lambda: bn.Ridge(A, Y, 0.5, sample_weight=big),
        lambda: bn.PoissonRegression(A, big),
        lambda: bn.Ridge(np.stack([big, big], 1), Y, 0.5),
        lambda: bn.Smooth(square, big),
        lambda: bn.Ridge(A, jnp.asarray(big), 0.5),
        lambda: bn.Smooth(square, START, L=2**53 + 1),
        lambda: bn.Constrained(square, START, lower=-(2**53) - 1),
    ):
        with pytest.raises(Misuse, match="would round"):
            state()
    # Labels are compared as integers, which are exact.
    p = bn.LogisticRegression(A, [2**53, 2**53 + 1, 2**53, 2**53])
    assert p.classes == (2**53, 2**53 + 1)
    np.testing.assert_array_equal(p.y, [-1, 1, -1, -1])
    # Data of a function stay integers.
    p = bn.Smooth(square, START, (big.astype(">i8"),))
    assert p.args[0].dtype == np.int64 and p.args[0][1] == 2**53 + 1
    # float32 features would round this target: the run is in float64.
    p = bn.Ridge(A.astype(np.float32), [2**24 + 1, 0, 0, 0], 0.5)
    assert p.A.dtype == np.float64 and p.y[0] == 2**24 + 1
    assert bn.Ridge(A.astype(np.float32), [2**24, 0, 0, 0], 0.5).A.dtype == np.float32


def test_jax_in_32_bits_neither_wraps_nor_overflows():
    with jax.enable_x64(False):
        start = jnp.asarray([1.0, 2.0])
        with pytest.raises(Misuse, match="integers that int32 cannot"):
            bn.Smooth(square, start, (np.array([2**40]),))
        with pytest.raises(Misuse, match="beyond the range of float32"):
            bn.Smooth(square, start, (np.array([1e200]),))
        with pytest.raises(Misuse, match="would round"):
            bn.Ridge(jnp.asarray([[2**24 + 1]]), np.ones(1), 0.5)


def test_a_weight_is_in_the_dtype_of_the_data_before_a_branch_sees_it():
    """1e-60 is 0 in float32: penalised to a branch, and free to the formula."""
    narrow, wide = A.astype(np.float32), A
    p = bn.Ridge(narrow, Y.astype(np.float32), 1e-60)
    assert p.term.lam == 0 and p.no_gap() is not None
    assert not p.facts().has("strongly_convex")
    assert bn.Ridge(wide, Y, 1e-60).facts().has("strongly_convex")
    with pytest.raises(Misuse, match="float32|positive"):
        bn.BoxLeastSquares(narrow, Y.astype(np.float32), -1e60, 1.0)
    with pytest.raises(Misuse, match="beta must be positive"):
        bn.ConvexRelu(narrow, Y.astype(np.float32), 1e-60, 2)
    with pytest.raises(Misuse, match="eps must be positive"):
        masses = [np.full(k, 1 / k, np.float32) for k in (4, 2)]
        bn.Transport(abs(narrow), *masses, 1e-60)


LABELLED = [
    (["no", "yes", "no", "yes"], ("no", "yes"), [-1, 1, -1, 1]),
    (np.array(["b", "a", "b", "b"]), ("a", "b"), [1, -1, 1, 1]),
    (np.array(["b", "a", "b", "b"], object), ("a", "b"), [1, -1, 1, 1]),
    ([10, 20, 10, 10], (10, 20), [-1, 1, -1, -1]),
    (np.array([3.0, -7.0, 3.0, 3.0]), (-7, 3), [1, -1, 1, 1]),
    (np.array([2, 1, 2, 2], ">i2"), (1, 2), [1, -1, 1, 1]),
    ([0, 1, 1, 0], (0, 1), [-1, 1, 1, -1]),
    ([True, False, True, True], (False, True), [1, -1, 1, 1]),
    ([-1.0, 1.0, 1.0, -1.0], (), [-1, 1, 1, -1]),
]


@pytest.mark.parametrize(("y", "classes", "codes"), LABELLED)
def test_any_two_labels_are_sorted_as_numpy_unique_does(y, classes, codes):
    for state in (bn.LogisticRegression, bn.SquaredHingeClassifier):
        p = state(A, y, 0.5)
        assert p.classes == classes
        np.testing.assert_array_equal(p.y, codes)
        p.validate()
        for name in classes:
            assert repr(name) in p.formula()
    p = bn.ConvexRelu(A, y, 0.5, 2, loss=bn.LogisticLoss())
    assert p.classes == classes
    np.testing.assert_array_equal(p.y, codes)
    p.validate()


@pytest.mark.parametrize(
    ("y", "options", "classes", "codes"),
    [
        (["c", "a", "b", "a"], {}, ("a", "b", "c"), [2, 0, 1, 0]),
        ([30, 10, 10, 20], {}, (10, 20, 30), [2, 0, 0, 1]),
        ([2, 0, 0, 2], {}, (0, 2), [1, 0, 0, 1]),
        ([2, 0, 0, 1], {}, (), [2, 0, 0, 1]),
        ([2, 0, 0, 2], {"classes": 4, "intercept": False}, (), [2, 0, 0, 2]),
        (["x", "y", "y", "x"], {"classes": 2}, ("x", "y"), [0, 1, 1, 0]),
    ],
)
def test_softmax_takes_any_labels(y, options, classes, codes):
    p = bn.SoftmaxRegression(A, y, **options)
    assert p.classes == classes and p.y.dtype == np.int32
    np.testing.assert_array_equal(p.y, codes)
    p.validate()
    with pytest.raises(Misuse, match="at least two classes"):
        bn.SoftmaxRegression(A, ["one"] * 4)
    with pytest.raises(Misuse, match=r"3 classes, got 2: 'a', 'b'"):
        bn.SoftmaxRegression(A, ["a", "b", "a", "b"], classes=3)

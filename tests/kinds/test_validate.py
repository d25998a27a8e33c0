"""`Problem.validate`: every demand of the constructor again, on an edited instance."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_door import KINDS

import banach as bn
from banach.core.problem import Misuse, Problem

A = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25], [-2.0, 1.0]])
Y = np.array([1.0, -1.0, 1.0, -1.0])
MADE = {k: make(**good) for k, (make, good, _) in KINDS.items()}
MADE = {k: p for k, p in MADE.items() if isinstance(p, Problem)}


def leaves(problem):
    """Paths and values of the floating data; captured constants are the author's."""
    found, _ = jax.tree_util.tree_flatten_with_path(problem)
    return [
        (i, jax.tree_util.keystr(path), v)
        for i, (path, v) in enumerate(found)
        if np.issubdtype(v.dtype, np.floating) and v.size and "consts" not in str(path)
    ]


def with_leaf(problem, index, value):
    parts, structure = jax.tree.flatten(problem)
    parts[index] = value
    return jax.tree.unflatten(structure, parts)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("value", [np.nan, 1j, "shape", "dtype"])
def test_no_leaf_may_be_spoilt(kind, value):
    problem = MADE[kind]
    problem.validate()
    for index, path, leaf in leaves(problem):
        # A term takes one number, or one for each coordinate.
        if value == "shape" and path.startswith((".term", ".loss")):
            continue
        if value == "shape":
            bad = np.concatenate([np.ravel(leaf), np.ones(1)])
        elif value == "dtype":
            bad = np.asarray(leaf).astype(np.float16)
        else:
            bad = np.asarray(leaf) * np.asarray(value)
        with pytest.raises(Misuse):
            with_leaf(problem, index, bad).validate()
            pytest.fail(f"{path} was accepted")


def put(problem, **fields):
    """A copy with fields of any kind, as a file may hold them."""
    made = object.__new__(type(problem))
    for name, value in (vars(problem) | fields).items():
        object.__setattr__(made, name, value)
    return made


LASSO = bn.Lasso(A, Y, 0.1, sample_weight=np.ones(4))
NAMED = bn.LogisticRegression(A, ["no", "yes", "no", "yes"])
COLUMNS = bn.Lasso(A, Y, 0.1, columns=["age", "size"])
SMOOTH = bn.Smooth(lambda x: x @ x, Y, L=2.0, mu=1.0)
LINEAR = MADE["Linear"]
EDITED = {
    "negative weight": lambda: put(LASSO, weight=-LASSO.weight),
    "no weight": lambda: put(LASSO, weight=0 * LASSO.weight),
    "flag": lambda: put(LASSO, intercept="no"),
    "other term": lambda: put(LASSO, term=bn.LogisticLoss()),
    "other loss": lambda: put(LASSO, loss=None),
    "term's weight": lambda: put(LASSO, term=put(LASSO.term, lam=np.asarray(-0.1))),
    "rows": lambda: put(LASSO, y=LASSO.y[:3]),
    "text": lambda: put(LASSO, A="A"),
    "nothing": lambda: put(LASSO, A=None),
    "codes": lambda: put(NAMED, y=np.array([0.0, 1.0, 0.0, 1.0])),
    "one class of two": lambda: put(NAMED, classes=("no",)),
    "names": lambda: put(NAMED, classes=("yes", "no")),
    "unknown names": lambda: put(NAMED, classes=None),
    "a column without a name": lambda: put(COLUMNS, columns=("age",)),
    "a name twice": lambda: put(COLUMNS, columns=("age", "age")),
    "no name": lambda: put(COLUMNS, columns=("age", 1.5)),
    "names of nothing": lambda: put(COLUMNS, columns=None),
    "mu beyond L": lambda: put(SMOOTH, mu=np.asarray(3.0)),
    "negative L": lambda: put(SMOOTH, L=np.asarray(-3.0)),
    "reference": lambda: put(SMOOTH, reference=np.ones(3)),
    "convex": lambda: put(SMOOTH, convex=1),
    "function": lambda: put(SMOOTH, fun=3.0),
    "eps": lambda: put(MADE["Transport"], eps=np.asarray(-0.1)),
    "masses": lambda: put(MADE["Transport"], a=-MADE["Transport"].a),
    "sums": lambda: put(MADE["Transport"], a=2 * MADE["Transport"].a),
    "patterns": lambda: put(MADE["ConvexRelu"], masks=np.ones((1, 4), bool)),
    "beta": lambda: put(MADE["ConvexRelu"], beta=np.asarray(0.0)),
    "listed": lambda: put(MADE["ConvexRelu"], listed="most"),
    "gated": lambda: put(MADE["ConvexRelu"], gated=0),
    "worst case": lambda: put(MADE["RobustConvexRelu"], eps=np.asarray(-1.0)),
    "labels": lambda: put(MADE["NetworkFeasibility"], y=np.full(4, 2, np.int32)),
    "gamma": lambda: put(MADE["GraphFixedPoint"], gamma=np.asarray(1.0)),
    "nodes": lambda: put(MADE["GraphFixedPoint"], senders=np.array([0, 2], np.int32)),
    "definite": lambda: put(
        MADE["Linear"], A=put(MADE["Linear"].A, entries=-np.eye(2))
    ),
    "singular": lambda: put(MADE["Linear"], sigma=np.asarray(-1.0)),
    "crossed": lambda: put(MADE["Constrained"], lower=np.full(2, 2.0)),
    "terms": lambda: put(MADE["FiniteSum"], n=3),
    "l2": lambda: put(MADE["FiniteSum"], l2=np.asarray(-1.0)),
    "counted": lambda: put(MADE["DistributedSum"], n=3),
    "workers": lambda: put(MADE["DistributedSum"], workers=3),
    "held out": lambda: put(MADE["Training"], held_out=(A, Y * np.nan)),
    "ellipticity": lambda: put(MADE["EllipticEnergy"], lower=np.asarray(2.0)),
    "many": lambda: put(MADE["Fractional"], k=3),
    "contraction": lambda: put(MADE["FixedPoint"], q=np.asarray(1.5)),
    "curvature": lambda: put(MADE["Bilevel"], lower_mu=np.asarray(-1.0)),
    "weak": lambda: put(MADE["Composite"], weak=True),
    "part": lambda: put(MADE["Composite"], smooth=put(SMOOTH, mu=np.asarray(3.0))),
}


@pytest.mark.parametrize("case", EDITED, ids=[c.replace(" ", "_") for c in EDITED])
def test_an_edited_problem_is_refused(case):
    with pytest.raises(Misuse):
        EDITED[case]().validate()


def test_a_problem_under_trace_validates_what_can_be_seen():
    def value(lam):
        problem = eqx.tree_at(lambda p: p.term.lam, LASSO, lam)
        problem.validate()
        return problem.objective(jnp.ones(2))

    jax.eval_shape(value, jnp.asarray(0.1))


def test_the_message_names_the_leaf():
    with pytest.raises(Misuse, match=r"GLM\.y is not what the constructor stores"):
        put(LASSO, y=LASSO.y.astype(np.float32)).validate()


LEAVES = {
    "negative weight": (lambda p: p.term.lam, -0.75, "nonnegative"),
    "complex weight": (lambda p: p.term.lam, 0.5j, "real"),
    "flag for a weight": (lambda p: p.term.lam, np.array(True), "got True"),
    "text for a weight": (lambda p: p.term.lam, "0.5", "real"),
}


@pytest.mark.parametrize("case", LEAVES, ids=[c.replace(" ", "_") for c in LEAVES])
def test_a_weight_that_no_constructor_saw_is_read_at_the_door(case):
    where, value, says = LEAVES[case]
    edited = eqx.tree_at(where, bn.Lasso(A, Y, lam=0.25), value)
    far = np.full(A.shape[1], 40.0)
    for ask in (
        lambda: bn.solve(edited),
        lambda: bn.verify(edited, far),
        lambda: bn.solve_many([edited, edited]),
        lambda: next(iter(bn.iterate(edited))),
    ):
        with pytest.raises(Misuse, match=says):
            ask()


def test_sides_and_targets_that_no_constructor_saw_are_read_too():
    box = bn.BoxLeastSquares(A, Y, lower=-1.0, upper=0.5)
    empty = eqx.tree_at(lambda p: p.term.lower, box, np.array(0.75))
    with pytest.raises(Misuse, match="Box is empty"):
        bn.verify(empty, np.full(A.shape[1], 0.75))
    goal = eqx.tree_at(lambda g: g.target, bn.Goal(3.0), np.array(3 - 2j))
    with pytest.raises(Misuse, match="target must hold real numbers"):
        bn.solve(box, check=goal)

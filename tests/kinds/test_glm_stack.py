"""Linear models of many lanes stated at once: the same problems, the same refusals."""

import numpy as np
import pytest

import banach as bn
from banach.core.problem import Misuse
from banach.core.result import problem_id

LANES, N, P = 7, 20, 3
rng = np.random.default_rng(0)
A = rng.normal(size=(LANES, N, P))
B = rng.normal(size=(LANES, N))
Y = rng.integers(0, 2, (LANES, N))
EACH = np.arange(1.0, LANES + 1)
WORDS = np.array(["no", "yes"])
LOW = -np.ones((LANES, P))


def changed(array, index, value):
    out = np.array(array)
    out[index] = value
    return out


MODELS = {
    "one a lane": (bn.LogisticRegression, (A, Y, 1.0), {}),
    "A shared": (bn.LogisticRegression, (A[0], Y, EACH), {}),
    "a path": (bn.Lasso, (A[0], B[0], EACH), {"intercept": True}),
    "weights": (bn.ElasticNetRegression, (A, B, EACH, 0.3), {"sample_weight": abs(B)}),
    "huber": (bn.HuberRegression, (A, B, EACH), {}),
    "offset": (bn.PoissonRegression, (A, Y), {"offset": B}),
    "softmax": (bn.SoftmaxRegression, (A, Y), {}),
    "text": (bn.SoftmaxRegression, (A, WORDS[Y]), {}),
    "lists": (bn.LogisticRegression, (A, [[int(v) + 3 for v in r] for r in Y]), {}),
    "box": (bn.BoxLeastSquares, (A, B, LOW, EACH), {}),
    "simplex": (bn.SimplexLeastSquares, (A, B, EACH), {}),
    "groups": (bn.GroupLasso, (A, B, EACH, [0, 0, 1]), {}),
    "fused": (bn.FusedLasso, (A, B, EACH, 0.3), {}),
    "scad": (bn.ScadRegression, (A, B, EACH, 3.7, 2.0), {}),
    "columns": (bn.Lasso, (A, B, np.array([1.0, 2.0, 3.0])), {}),
    "float32": (
        bn.NonnegativeLeastSquares, (A.astype(np.float32), B.astype(np.float32)), {},
    ),
}  # fmt: skip
SHARED = {"A shared": {0}, "a path": {0, 1}, "groups": {3}}


@pytest.mark.parametrize("name", MODELS)
def test_lanes_are_the_problems_of_the_constructor(name):
    model, args, data = MODELS[name]
    stack = model.stack(*args, **data)
    assert len(stack) == LANES
    shared = SHARED.get(name, ())

    def own(i, at, value):
        each = np.ndim(value) and at not in shared and len(value) == LANES
        return value[i] if each else value

    for i, problem in enumerate(stack):
        given = [own(i, at, v) for at, v in enumerate(args)]
        rest = {k: v[i] if k in ("sample_weight", "offset") else v
                for k, v in data.items()}  # fmt: skip
        assert problem_id(problem) == problem_id(model(*given, **rest))


def test_a_shared_matrix_is_held_once():
    stack = bn.LogisticRegression.stack(A[0], Y)
    assert [v.shape for v in stack.leaves[:2]] == [(N, P), (LANES, N)]
    assert stack[1].A.base is stack[2].A.base or stack[1].A is stack[2].A
    generic = bn.GLM.stack(A, B, bn.SquaredLoss(), bn.L1(0.5))
    assert problem_id(generic[3]) == problem_id(bn.Lasso(A[3], B[3], 0.5))


REFUSED = {
    "NaN": (bn.LogisticRegression, (changed(A, (4, 2, 1), np.nan), Y),
            r"lane 4: A holds NaN or infinity, first at index \[2, 1\]"),
    "inf": (bn.Lasso, (A, changed(B, (3, 2), np.inf), 1.0), "lane 3: y holds NaN"),
    "one class": (bn.LogisticRegression, (A, changed(Y, 5, 1)), "lane 5: .*both"),
    "weight": (bn.LogisticRegression, (A, Y, changed(EACH, 2, -1)),
               "lane 2: SquaredL2 lam must be nonnegative"),
    "delta": (bn.HuberRegression, (A, B, changed(EACH, 4, np.nan)),
              "lane 4: Huber delta must be positive"),
    "box": (bn.BoxLeastSquares, (A, B, changed(LOW, 6, 9.0), EACH), "lane 6: Box"),
    "labels": (bn.LogisticRegression, (A, changed(2 * Y, 1, 3 * Y[1])),
               "the lanes together: .*two classes, got 3"),
    "NaN label": (bn.LogisticRegression, (A, changed(1.0 * Y, (6, 0), np.nan)),
                  "lane 6: y holds NaN"),
    "counts": (bn.PoissonRegression, (A, changed(Y, (2, 1), -3)), "lane 2: Poisson"),
    "rows": (bn.Lasso, (A, B[:, :-1], 1.0), "lane 0: y has shape"),
    "lanes": (bn.LogisticRegression, (A, Y[:5]), "disagree .*: A 7, y 5"),
    "nothing": (bn.LogisticRegression, (A[0], Y[0]), "nothing here differs"),
    "complex": (bn.Lasso, (A * 1j, B, 1.0), "A must hold real numbers"),
    "masked": (bn.Lasso, (np.ma.masked_array(A), B, 1.0), "masked array"),
    "masked y": (bn.LogisticRegression, (A, np.ma.masked_array(Y)), "masked array"),
    "no axes": (bn.Lasso, (1.0, B, 1.0), r"A must have shape \(lanes, n, p\)"),
    "no lanes": (bn.Lasso, (A[:0], B[:0], 1.0), "there are no lanes"),
    "missing": (bn.Lasso, (A, B), r"Lasso\.stack needs lam"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_misuse_names_the_lane(name):
    model, args, said = REFUSED[name]
    with pytest.raises(Misuse, match=said):
        model.stack(*args)


def test_weights_are_read_for_every_lane():
    weight = np.ones((LANES, N))
    with pytest.raises(Misuse, match="lane 6: sample_weight has a negative entry"):
        bn.Lasso.stack(A, B, 1.0, sample_weight=changed(weight, (6, 3), -1))
    with pytest.raises(Misuse, match="lane 1: sample_weight is 0 everywhere"):
        bn.Lasso.stack(A, B, 1.0, sample_weight=changed(weight, 1, 0))
    with pytest.raises(Misuse, match="sklearn's 1 / C"):
        bn.LogisticRegression.stack(A, Y, C=2.0)


def test_a_lane_of_unequal_columns_gives_every_lane_its_view():
    wide = A * np.where(np.arange(LANES) == 3, 1, 1)[:, None, None]
    wide[3] *= np.array([1.0, 1e3, 1.0])
    stack = bn.Lasso.stack(wide, B, 0.5)
    assert stack[0].uneven(stack) == 3
    even = bn.Lasso.stack(A, B, 0.5)
    assert [p.view() for p in even] == [None] * LANES and even[0].uneven(even) is None
    out = bn.solve_many(stack, "fista", tol=1e-8, max_steps=2000)
    assert out.certified.all() and out.steps.max() < 300
    assert out[3].manifest["view"] == "columns scaled"
    # The weight of a lane's own penalty counts too.
    heavy = bn.Ridge.stack(wide, B, np.full(LANES, 1e9))
    assert heavy[0].uneven(heavy) is None
    for p in heavy:
        assert p.view() is None

"""The table of terms that the other modules test, and what construction refuses."""

import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.terms.affine import AffineSet, HalfSpace, SecondOrderCone
from banach.terms.fused import FusedL1
from banach.terms.group_envelope import GroupSparseEnvelope
from banach.terms.groups import GroupL2, SparseGroupL2
from banach.terms.norms import L1, ElasticNet, L2Norm, LInf, SquaredL2, Zero
from banach.terms.sets import Box, L1Ball, L2Ball, LInfBall, Nonnegative, Simplex
from banach.terms.sorted_l1 import SortedL1
from banach.terms.spectral import Nuclear, NuclearBall, PSDCone, Spectrahedron
from banach.terms.term import Set, Term
from banach.terms.total_variation import TotalVariation1D


class Case(NamedTuple):
    term: Term
    shape: tuple[int, ...] = (6,)

    @property
    def is_set(self):
        return isinstance(self.term, Set)


W = np.array([0.5, 0.0, 1.0, 2.0, 0.1, 0.7])
A = np.array([[1.0, 2, 0, -1, 0, 1], [0, 1, 1, 0, 3, 0]])
LOW, HIGH = np.array([-1.0, 0, -2, -1, 0.5, -3]), np.array([1.0, 0, 3, -0.5, 2, 0.25])
LABELS = np.array([0, 1, 0, 2, 1, -1])

CASES = {
    "zero": Case(Zero()),
    "l1": Case(L1(0.7)),
    "l1_weights": Case(L1(W)),
    "l2_norm": Case(L2Norm(0.8)),
    "squared_l2": Case(SquaredL2(0.6)),
    "squared_l2_weights": Case(SquaredL2(W)),
    "elastic_net": Case(ElasticNet(0.5, 0.25)),
    "elastic_net_mixed": Case(ElasticNet(W, np.array([0.0, 0, 0, 1, 2, 0.5]))),
    "group": Case(GroupL2(0.9, ((0, 3), (1, 2, 5), (4,)))),
    "group_labels": Case(GroupL2([0.9, 0.4, 0.0], LABELS)),
    "envelope": Case(GroupSparseEnvelope(0.6, 2, [0, 1, 0, 2, 1, 3], [1.0, 0.5, 2, 1])),
    "k_support": Case(GroupSparseEnvelope(1.0, 3, range(6))),
    "linf": Case(LInf(1.1)),
    "sorted_l1": Case(SortedL1([1.3, 1.0, 0.6, 0.6, 0.2, 0.0])),
    "fused": Case(FusedL1(0.4, 0.6)),
    "sparse_group": Case(SparseGroupL2(0.5, 0.7, ((0, 3), (1, 2, 5), (4,)))),
    "sparse_group_labels": Case(SparseGroupL2(W, [0.9, 0.4, 0.0], LABELS)),
    "nuclear": Case(Nuclear(0.4), (3, 2)),
    "tv": Case(TotalVariation1D(0.6)),
    "box": Case(Box(LOW, HIGH)),
    "half_box": Case(Box(-0.5, np.array([1, np.inf, 2, np.inf, 0, 1.0]))),
    "linf_ball": Case(LInfBall(0.9)),
    "nonnegative": Case(Nonnegative()),
    "simplex": Case(Simplex(1.5)),
    "l1_ball": Case(L1Ball(1.2)),
    "l2_ball": Case(L2Ball(1.3, W - 0.4)),
    "halfspace": Case(HalfSpace(A[0], 0.3)),
    "affine": Case(AffineSet(A, np.array([1.0, -2]))),
    "affine_dependent": Case(AffineSet(np.vstack([A, A[0] + A[1]]), [1.0, -2, -1])),
    "second_order_cone": Case(SecondOrderCone()),
    "psd": Case(PSDCone(), (3, 3)),
    "nuclear_ball": Case(NuclearBall(0.8), (3, 2)),
    "spectrahedron": Case(Spectrahedron(1.2), (2, 2)),
}
SETS = [name for name, case in CASES.items() if case.is_set]
COMPACT = [name for name, case in CASES.items() if "lmo" in case.term.offers()]
DUAL = [name for name, case in CASES.items() if "conjugate" in case.term.offers()]


def batch(seed, shape, count=64):
    """Points at scales 1e-3 to 1e3, a quarter of them rounded so that ties occur."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 3, (count,) + (1,) * len(shape))
    v = rng.normal(size=(count, *shape)) * scale
    v[::4] = np.round(rng.normal(size=v[::4].shape) * 2) / 2
    return v


def programs(term):
    """prox and value on a batch, compiled once for each term."""
    return (
        jax.jit(lambda v, t: jax.vmap(term.prox)(v, t)),
        jax.jit(jax.vmap(term.value)),
    )


def test_offers_follow_the_structure():
    assert set(COMPACT) == {
        *("box", "linf_ball", "simplex", "l1_ball", "l2_ball"),
        *("nuclear_ball", "spectrahedron"),
    }
    assert all("project" in CASES[name].term.offers() for name in SETS)
    assert set(DUAL) - set(COMPACT) == {
        *("l1", "l1_weights", "l2_norm", "squared_l2", "squared_l2_weights"),
        *("elastic_net", "elastic_net_mixed", "group", "group_labels", "linf"),
        *("nuclear", "envelope", "k_support"),
        *("sorted_l1", "sparse_group", "sparse_group_labels", "fused"),
    }


BAD = [
    (lambda: L1(-1), "nonnegative and finite, got -1"),
    (lambda: L1([1.0, np.nan]), "lam holds NaN or infinity, first at index [1]"),
    (lambda: ElasticNet(1, -2), "ElasticNet l2"),
    (lambda: SquaredL2(np.inf), "got inf"),
    (lambda: L2Norm([1.0, 2.0]), "must be one number"),
    (lambda: GroupL2(1, ((0, 1), (1, 2))), "overlapping groups"),
    (lambda: GroupL2(1, ((0, 1), (3,))), "each once"),
    (lambda: GroupL2(1, [0.0, 1.0]), "integer label for each"),
    (lambda: GroupL2([1.0, 2.0], [0, 1, 2]), "one weight for each of the 3"),
    (lambda: GroupL2(1, [0, 5], 3), "count must be at least 6"),
    (lambda: GroupL2(1, [-2, 0]), "label >= -1"),
    (lambda: GroupSparseEnvelope(1, 3, [0, 1]), "k must be at most 2"),
    (lambda: GroupSparseEnvelope(0, 1, [0, 1]), "lam must be positive"),
    (lambda: GroupSparseEnvelope(1, 1, [0, 1], [1.0]), "one for each of the 2"),
    (lambda: GroupSparseEnvelope(1, 1, [-1, 0]), "label >= 0"),
    (lambda: SparseGroupL2(-1, 1, [0, 0]), "SparseGroupL2 l1 must be"),
    (lambda: FusedL1([1.0, 2.0], 1.0), "FusedL1 l1 must be one number"),
    (lambda: FusedL1(1.0, -1.0), "FusedL1 tv"),
    (lambda: FusedL1(1.0, 1.0).prox(np.ones((2, 2)), 1.0), "one 1-D array"),
    (lambda: SparseGroupL2(1, [1.0, 2.0], [0, 0]), "one weight for each of the 1"),
    (lambda: SparseGroupL2(1, 1, [0, 1]).value(np.ones(3)), "SparseGroupL2 has labels"),
    (lambda: SparseGroupL2(1, 1, ((0, 1), (1, 2))), "SparseGroupL2 groups must cover"),
    (lambda: SortedL1(-1), "nonnegative and finite, got -1"),
    (lambda: SortedL1([1.0, 2.0]), "sort it, np.sort(lam)[::-1]"),
    (lambda: SortedL1(np.ones((2, 2))), "a vector with one weight a rank"),
    (lambda: SortedL1([2.0, 1.0]).value(np.ones(3)), "3 weights, one a rank"),
    (lambda: TotalVariation1D(-0.1), "TotalVariation1D lam"),
    (lambda: Box(1, [2.0, 0.5]), "Box is empty"),
    (lambda: Box(0, np.nan), "Box upper is NaN"),
    (lambda: Box(0, np.inf, bounded=True), "infinite sides"),
    (lambda: Simplex(0), "must be positive"),
    (lambda: L1Ball(-1), "must be positive"),
    (lambda: L2Ball(np.inf), "must be positive and finite"),
    (lambda: L2Ball(1, np.nan), "L2Ball middle must be real and finite"),
    (lambda: HalfSpace(np.zeros(3), 1), "HalfSpace a is 0"),
    (lambda: HalfSpace(np.ones(3), np.ones(2)), "HalfSpace b must be one number"),
    (lambda: AffineSet(np.ones((2, 3)), np.ones(3)), "b of shape (m,)"),
    (lambda: AffineSet(np.ones((2, 3)), [1.0, 2.0]), "AffineSet is empty"),
    (lambda: AffineSet(np.zeros((1, 3)), [0.0]), "nonzero A"),
    (lambda: L1(W).value(np.ones(3)), "one for each coordinate"),
    (lambda: L1((W, W)).value(np.ones(6)), "structure"),
    (lambda: GroupL2(1, [0, 1]).value(np.ones(3)), "one label for each"),
    (lambda: Simplex().project((np.ones(3), np.ones(3))), "ravel first"),
    (lambda: Nuclear(1).value(np.ones(3)), "one 2-D array"),
    (lambda: PSDCone().project(np.ones((2, 3))), "square"),
    (lambda: AffineSet(A, [1.0, 2.0]).project(np.ones(5)), "6 columns"),
    (lambda: Box(0, np.inf).lmo(np.ones(2)), "give finite sides"),
    (lambda: Box(0, np.inf).fenchel_young(1, 1, 0), "lacks the oracle conjugate"),
    (lambda: L1(1).lmo(np.ones(2)), "lacks the oracle lmo"),
    (lambda: L1(1).project(np.ones(2)), "lacks the oracle project"),
    (lambda: Nonnegative().dual_scale(np.ones(2), 0), "scaling cannot repair"),
    (lambda: LInfBall(1).diameter(), "diameter(like)"),
    (lambda: Box(0, 1).diameter(), "diameter(like)"),
]


@pytest.mark.parametrize("build, message", BAD)
def test_bad_input_names_the_cure(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def test_traced_hyperparameters_skip_the_tests_and_are_differentiable():
    v = np.array([3.0, -2.0, 0.1])
    got = jax.jit(jax.jacfwd(lambda lam: L1(lam).prox(v, 2.0)))(0.5)
    np.testing.assert_allclose(got, [-2.0, 2.0, 0.0])
    box = jax.jit(lambda lo: Box(lo, 1.0).offers() and Box(lo, 1.0).project(v))(-1.0)
    np.testing.assert_allclose(box, [1.0, -1.0, 0.1])
    level = jax.jit(lambda a, b: AffineSet(a, b).project(jnp.ones(6)))(A, W[:2])
    np.testing.assert_allclose(A @ level, W[:2], atol=1e-14)

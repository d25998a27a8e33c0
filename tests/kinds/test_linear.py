"""Linear: oracles against NumPy, facts and how they are known, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.facts import CONSTRUCTION, DECLARED
from banach.core.point import Point
from banach.parts.grid_laplacians import grid_laplacian, obstacles, poisson_grid
from banach.parts.sparse import SparseMatrix

RNG = np.random.default_rng(6)
Q = RNG.standard_normal((5, 5))
SPD = Q @ Q.T + np.eye(5)
B = RNG.standard_normal(5)


class Coo:
    """Looks like one of SciPy's sparse matrices."""

    def __init__(self, A):
        self.row, self.col = np.nonzero(A)
        self.data, self.shape = A[self.row, self.col], A.shape

    def tocoo(self):
        return self


def provenance(p):
    f = p.facts()
    return f.provenance("symmetric"), f.provenance("positive_definite")


def test_oracles_against_numpy():
    p, x = bn.Linear(SPD, B), RNG.standard_normal(5)
    np.testing.assert_allclose(p.matvec(x), SPD @ x, rtol=1e-14)
    np.testing.assert_allclose(p.residual(x), B - SPD @ x, rtol=1e-13)
    assert float(p.objective(x)) == pytest.approx(np.sum((B - SPD @ x) ** 2) / 2)
    np.testing.assert_allclose(p.optimality(Point(x)).x, SPD @ x - B, rtol=1e-13)
    np.testing.assert_array_equal(p.start().x, np.zeros(5))
    np.testing.assert_allclose(p.matrix(), SPD)
    assert float(p.facts().L) >= np.linalg.norm(SPD, 2)
    assert p.size() == 5 and p.default_check() == "linear_residual"


def test_a_sparse_matrix_is_read_with_repeated_and_unsorted_entries():
    A = np.where(np.abs(SPD) > 1, SPD, 0)
    coo = Coo(A)
    order = RNG.permutation(len(coo.data))
    coo.row, coo.col, coo.data = coo.row[order], coo.col[order], coo.data[order]
    # One entry in two halves.
    coo.row, coo.col = np.append(coo.row, coo.row[0]), np.append(coo.col, coo.col[0])
    coo.data = np.append(coo.data, coo.data[0] / 2)
    coo.data[0] /= 2
    p, x = bn.Linear(coo, B), RNG.standard_normal(5)
    assert isinstance(p.A, SparseMatrix)
    np.testing.assert_allclose(p.matvec(x), A @ x, rtol=1e-14)
    np.testing.assert_allclose(p.A.diagonal(), np.diag(A))
    np.testing.assert_allclose(p.A.absolute(np.abs(x)), np.abs(A) @ np.abs(x))
    assert provenance(p) == (CONSTRUCTION, None)
    assert p.A.longest >= np.count_nonzero(A, axis=1).max()
    assert float(p.A.norm()) >= np.linalg.norm(A, 2)
    lone = bn.Linear(Coo(np.triu(A)), B)
    assert provenance(lone) == (None, None)


def test_a_function_of_a_pytree():
    space = {"a": np.ones(2), "b": np.ones((2, 1))}

    def A(x, k):
        return {
            "a": k * x["a"] + x["b"][:, 0],
            "b": (x["a"] + 3 * x["b"][:, 0])[:, None],
        }

    p = bn.Linear(A, space, args=(2.0,), positive_definite=True)
    assert provenance(p) == (DECLARED, DECLARED)
    r = bn.solve(p, tol=1e-10).require()
    np.testing.assert_allclose(r.x["a"], np.full(2, 0.4), rtol=1e-9)
    np.testing.assert_allclose(r.x["b"], np.full((2, 1), 0.2), rtol=1e-9)


def test_normal_equations():
    M, y = RNG.standard_normal((9, 4)), RNG.standard_normal(9)
    p, x = bn.normal_equations(M, y, 0.3), RNG.standard_normal(4)
    H = M.T @ M + 0.3 * np.eye(4)
    np.testing.assert_allclose(p.matvec(x), H @ x, rtol=1e-13)
    np.testing.assert_allclose(p.b, M.T @ y, rtol=1e-13)
    np.testing.assert_allclose(p.A.diagonal(), np.diag(H), rtol=1e-13)
    np.testing.assert_allclose(
        p.A.absolute(np.abs(x)),
        np.abs(M).T @ np.abs(M) @ np.abs(x) + 0.3 * np.abs(x),
        rtol=1e-13,
    )
    assert provenance(p) == (CONSTRUCTION, CONSTRUCTION)
    assert float(p.facts().mu) == 0.3 and float(p.facts().L) >= np.linalg.norm(H, 2)
    # Without a ridge a Cholesky factorisation proves it; of lower rank it does not.
    assert provenance(bn.normal_equations(M, y))[1] == CONSTRUCTION
    assert provenance(bn.normal_equations(M[:3], y[:3]))[1] is None


def test_a_grid_laplacian_is_what_its_weights_say():
    n, m = 4, 5
    right, down, extra = (RNG.uniform(0.1, 2, (n, m)) for _ in range(3))
    A = grid_laplacian(right, down, extra)
    K = np.asarray(A.matrix(jnp.zeros((n, m))))
    for i in range(n):
        for j in range(m):
            k = i * m + j
            if j + 1 < m:
                assert K[k, k + 1] == K[k + 1, k] == -right[i, j]
            if i + 1 < n:
                assert K[k, k + m] == K[k + m, k] == -down[i, j]
            assert K[k].sum() == pytest.approx(extra[i, j])
    x = np.abs(RNG.standard_normal((n, m)))
    np.testing.assert_allclose(
        np.ravel(A.absolute(x)), np.abs(K) @ x.ravel(), rtol=1e-13
    )
    np.testing.assert_allclose(np.ravel(A.diagonal()), np.diag(K))
    assert float(A.norm()) >= np.linalg.norm(K, 2)
    p = bn.Linear(A, x)
    assert provenance(p) == (CONSTRUCTION, CONSTRUCTION)


def test_poisson_around_obstacles():
    solid = obstacles(16, 3)
    A = poisson_grid(solid)
    assert solid.any() and np.array_equal(A.isolated(), solid)
    # No flux through walls: a constant gives b only on the outer ring and obstacles.
    flow = np.asarray(A.matvec(jnp.ones((16, 16))))
    inner = np.zeros_like(solid)
    inner[1:-1, 1:-1] = True
    assert np.all(flow[inner & ~solid] == 0) and np.all(flow[solid] == 1)
    assert flow[0, 0] == 2 and flow[0, 5] == 1
    assert np.linalg.eigvalsh(np.asarray(A.matrix(jnp.zeros((16, 16)))))[0] > 0


def test_facts_are_known_as_they_say():
    assert provenance(bn.Linear(SPD, B)) == (CONSTRUCTION, CONSTRUCTION)
    assert provenance(bn.Linear(SPD, B, symmetric=False)) == (None, None)
    assert provenance(bn.Linear(SPD, B, positive_definite=False))[1] is None
    assert provenance(bn.Linear(np.diag([1.0, -1.0]), B[:2])) == (CONSTRUCTION, None)
    assert provenance(bn.Linear(np.ones((2, 2)), B[:2])) == (CONSTRUCTION, None)
    off = SPD.copy()
    off[0, 1] = np.nextafter(off[0, 1], 9)
    assert provenance(bn.Linear(off, B)) == (None, None)
    assert provenance(bn.Linear(off, B, symmetric=True))[0] == DECLARED
    # Nothing is found out about traced data.
    seen = []
    jax.jit(lambda A: seen.append(provenance(bn.Linear(A, B))) or A)(SPD)
    assert seen == [(None, None)]


def test_definiteness_is_not_proved_where_it_is_false():
    for _ in range(20):
        V, _ = np.linalg.qr(RNG.standard_normal((12, 12)))
        values = np.append(RNG.uniform(0.5, 2, 11), -1e-15)
        A = (V * values) @ V.T
        A = (A + A.T) / 2
        assert provenance(bn.Linear(A, np.ones(12)))[1] is None


def skew():
    return SPD + np.triu(Q, 1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: bn.Linear(skew(), B, symmetric=True), "declared symmetric"),
        (lambda: bn.Linear(skew(), B, positive_definite=True), "declared symmetric"),
        (lambda: bn.Linear(Coo(skew()), B, symmetric=True), "normal_equations"),
        (lambda: bn.Linear(lambda x: skew() @ x, B, symmetric=True), "u'\\(A v\\)"),
        (lambda: bn.Linear(lambda x: -x, B, positive_definite=True), "positive"),
        (lambda: bn.Linear(-SPD, B, positive_definite=True), "diagonal"),
        (
            lambda: bn.Linear(SPD, B, symmetric=False, positive_definite=True),
            "drop one",
        ),
        (lambda: bn.Linear(SPD[:4], B[:4]), "square"),
        (lambda: bn.Linear(SPD, B[:4]), "vector \\(5,\\)"),
        (lambda: bn.Linear(SPD, {"a": B}), "vector"),
        (lambda: bn.Linear(B, B), "must be a matrix"),
        (lambda: bn.Linear(SPD * np.nan, B), "NaN"),
        (lambda: bn.Linear(SPD, B * np.inf), "NaN or infinity"),
        (lambda: bn.Linear(SPD * 1j, B), "real"),
        (lambda: bn.Linear(SPD, B, sigma=-1.0), "sigma must be positive"),
        (lambda: bn.Linear(SPD, B, args=(1.0,)), "args"),
        (lambda: bn.Linear(SPD, B, x0=np.ones(4)), "x0"),
        (lambda: bn.Linear(lambda x: x + 1, B), "not linear"),
        (lambda: bn.Linear(lambda x: x * jnp.abs(x), B), "not linear"),
        (lambda: bn.Linear(lambda x: x[:3], B), "shapes"),
        (
            lambda: bn.Linear(poisson_grid(np.zeros((4, 4), bool)), np.ones((4, 5))),
            "4 x 4",
        ),
        (lambda: poisson_grid(np.zeros((4, 4))), "boolean"),
        (lambda: poisson_grid(closed()), "singular"),
        (lambda: grid_laplacian(np.ones((3, 3)), -np.ones((3, 3)), 1), "2 axes"),
        (
            lambda: grid_laplacian(*[-np.ones((3, 3))] * 3),
            "nonnegative",
        ),
        (lambda: bn.normal_equations(SPD, B, -1.0), "ridge"),
        (lambda: bn.normal_equations(SPD, B[:3]), "5 rows"),
    ],
)
def test_bad_input_is_refused_with_the_cure(build, words):
    with pytest.raises(bn.Misuse, match=words):
        build()


def closed():
    solid = np.zeros((7, 7), bool)
    solid[1:6, 1:6] = True
    solid[3, 3] = False
    return solid


def test_lists_and_integers_are_numbers():
    r = bn.solve(bn.Linear([[2, 1], [1, 3]], [3, 4]), tol=1e-12).require()
    np.testing.assert_allclose(r.x, [1, 1], rtol=1e-11)


def test_solve_many_gives_each_its_verdict():
    bad = np.diag([1.0, 2.0, 3.0, 4.0, -1.0])
    problems = [bn.Linear(k * SPD, B) for k in (1.0, 2.0, 3.0)]
    results = bn.solve_many(problems, tol=1e-10)
    for k, r in zip((1, 2, 3), results, strict=True):
        assert r.certified
        np.testing.assert_allclose(r.x, np.linalg.solve(k * SPD, B), rtol=1e-8)
    with pytest.raises(bn.Misuse, match="positive_definite"):
        bn.solve(bn.Linear(bad, B))


def test_a_matrix_that_is_not_symmetric_is_refused_with_the_cure():
    skewed = SPD + np.triu(Q, 1)
    for method in ("conjugate_gradient", bn.ConjugateGradient(bn.Plain())):
        with pytest.raises(bn.Misuse, match="normal_equations"):
            bn.solve(bn.Linear(skewed, B), method)
    r = bn.solve(bn.normal_equations(skewed, B), tol=1e-10)
    np.testing.assert_allclose(r.require().x, np.linalg.solve(skewed, B), rtol=1e-8)


def test_sensitivity_is_the_derivative_of_the_solution():
    r = bn.solve(bn.Linear(SPD, B), tol=1e-12)
    c = RNG.standard_normal(5)
    out = bn.sensitivity(r, c)
    inverse = np.linalg.inv(SPD)
    np.testing.assert_allclose(out.gradient.b, inverse @ c, rtol=1e-8)
    np.testing.assert_allclose(
        out.gradient.A.entries, -np.outer(inverse @ c, inverse @ B), rtol=1e-7
    )

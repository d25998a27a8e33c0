"""Generalised linear models: a loss of A x + b, and a term on the coefficients."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import compat, tree
from banach.core.facts import CONSTRUCTION, Fact, Facts
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.parts.norms import SquaredL2, Zero
from banach.parts.sets import Set
from banach.parts.term import Term
from banach.problems import glm_bounds, glm_inputs
from banach.problems.glm_inputs import known
from banach.problems.glm_null import null_intercept
from banach.problems.losses import Logistic, Loss, Poisson, Softmax, SquaredHinge

Scalar = Float[Array, ""]
_TERM = frozenset({"prox", "project", "lmo"})
_SMOOTH = frozenset({"value", "grad", "hvp", "hess"})


class GLM(Problem):
    """minimise F(x) = sum_i w_i l(<a_i, c> + b + o_i, y_i) + g(c); no factor 1/n.

    x is one array: the coefficients c, shape (p,) or (p, K) for softmax, and with
    `intercept=True` a last row b, never penalised. w are `sample_weight`, o `offset`.
    Terms Zero and SquaredL2 belong to value, grad, hvp and hess; with any other term
    these are of the losses alone, and prox, project and lmo are the term's.

    Labels: numbers for LeastSquares and Huber; -1/+1 or 0/1 for Logistic and
    SquaredHinge; nonnegative for Poisson; 0 .. K-1 for Softmax. Bad data raise Misuse.
    """

    kind: ClassVar[str] = "GLM"

    A: Any
    y: Any
    weight: Any
    offset: Any
    loss: Loss
    term: Term
    intercept: bool = eqx.field(static=True)

    def __init__(
        self,
        A: Any,
        y: Any,
        loss: Loss,
        term: Term | None = None,
        *,
        intercept: bool = False,
        sample_weight: Any = None,
        offset: Any = None,
    ):
        _check_kinds(loss, term, offset)
        A = glm_inputs.matrix(A)
        n = A.shape[0]
        y = glm_inputs.vector(y, "y", n, None)
        floating = [A] + ([] if loss.discrete else [y])
        floating += [np.asarray(v) for v in (sample_weight, offset) if _listed(v)]
        floating += [v for v in (sample_weight, offset) if v is not None]
        kinds = [np.dtype(v.dtype) for v in floating if hasattr_dtype(v)]
        dtype = A.dtype
        for kind in kinds:
            if jnp.issubdtype(kind, jnp.floating):
                dtype = jnp.promote_types(dtype, kind)
        self.A = A.astype(dtype) if A.dtype != dtype else A
        self.y = loss.labels(y, dtype)
        self.weight = glm_inputs.weights(sample_weight, n, dtype)
        if offset is not None:
            offset = glm_inputs.vector(offset, "offset", n, dtype)
        self.offset = offset
        self.loss = loss
        self.term = Zero() if term is None else term
        self.intercept = bool(intercept)
        self._check_term()
        if self.intercept:
            self._check_intercept()

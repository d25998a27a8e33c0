"""Block coordinate descent with proximal regularisation, inexact in every block."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, Whole, count, real
from banach.core.method import Method
from banach.methods.composite import _curvature
from banach.terms.product import Product


class BcdProxRegState(eqx.Module):
    """Iterate with f and its gradient, L and lam of the blocks, what it cost."""

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    lipschitz: Float[Array, " m"]
    lam: Float[Array, " m"]
    trials: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "prox"},
    assumes={"smooth"},
    paper="kwon2023complexity",
)
class BcdProxReg(Method):
    """Minimise over a block at a time, not too far from where it is.

    x_i+ near argmin_u f(x_1+, .., x_{i-1}+, u, x_{i+1}, ..) + g_i(u) + h_i(u)

    h_i(u) = lam / 2 ||u - x_i||^2

    The blocks are the leaves of x, the parts of a `Product`, or all of x where the
    term does not split. For a smooth f, convex or not, and sets, min_k s(x_k)^2 falls
    as 1 / k: s(x) is the largest <-grad f(x), x' - x> over the x' of the set within 1
    of x. No block has to be minimised exactly.

    The inner solver is ours: proximal gradient steps of 1 / (L_i + lam_i), L_i found
    by backtracking, until a subgradient of the subproblem is at most `accuracy` lam_i
    ||u - x_i||, or after `inner` of them. So is the scale: lam_i = `weight` L_i, set
    with the first of these steps (the paper has one lam for all, above L where blocks
    are not convex, and summable errors in place of relative ones).

    Fails by being slow where blocks depend on each other. A step takes the whole
    gradient, and a smaller `weight` fewer and longer sweeps.
    """

    weight: Real = real(0.1)
    accuracy: Real = real(0.5, low="nonnegative")
    inner: Whole = count(50)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        one = jnp.ones((), tree.dtype(start.x))
        L = jnp.ones(len(split(problem, start.x)[0]), one.dtype)
        n, f = jnp.ones((), jnp.int32), jnp.asarray(f, one.dtype)
        return BcdProxRegState(start.x, f, g, L, self.weight * L, n, one < 0)

    def step(self, problem, state, key):
        x, f, g, n = state.x, state.f, state.g, state.trials
        ways = []
        for i, L in enumerate(state.lipschitz):
            x, f, g, *way, spent = self._block(problem, i, x, f, g, L)
            ways.append(way)
            n = n + spent
        L, lam = (jnp.stack(v) for v in zip(*ways, strict=True))
        stuck = tree.max_abs(tree.sub(x, state.x)) == 0
        return BcdProxRegState(x, f, g, 0.9 * L, lam, n, stuck)

    def _block(self, problem, i, x, f, g, L):
        """The block moved: x, f, grad f, L, lam, and trials."""
        (parts, back), dtype = split(problem, x), f.dtype
        first = parts[i]

        def of(v):
            return split(problem, v)[0][i]

        def put(u):
            return back([*parts[:i], u, *parts[i + 1 :]])

        def go(carry):
            return carry[-1] & (carry[6] < 40)

        def trial(carry):
            x, f, g, L, lam, done, failed, n, _ = carry
            lam = jnp.where(done == 0, self.weight * L, lam)
            u = of(x)
            pull = tree.axpy(lam, tree.sub(u, first), of(g))
            t = 1 / (L + lam)
            new = put(of(problem.prox(put(tree.axpy(-t, pull, u)), t)))
            f_new, g_new = problem.value_and_grad(new)
            f_new, v = jnp.asarray(f_new, dtype), of(new)
            ok = _curvature.bounded(L, (u, f, of(g)), (v, f_new, of(g_new)))
            rest = tree.axpy(L, tree.sub(u, v), tree.sub(of(g_new), of(g)))
            far = self.accuracy * lam * tree.norm(tree.sub(v, first))
            x, f, g = tree.where(ok, (new, f_new, g_new), (x, f, g))
            done, failed = done + ok, jnp.where(ok, 0, failed + 1)
            on = ~ok | ((tree.norm(rest) > far) & (done < self.inner))
            return x, f, g, jnp.where(ok, L, 2 * L), lam, done, failed, n + 1, on

        zero = jnp.zeros((), jnp.int32)
        carry = x, f, g, L, self.weight * L, zero, zero, zero, zero == 0
        x, f, g, L, lam, _, _, n, _ = jax.lax.while_loop(go, trial, carry)
        return x, f, g, L, lam, n

    def calls(self, state):
        return {"value": state.trials, "grad": state.trials, "prox": state.trials - 1}


def split(problem, x):
    """The blocks of x, and what puts them together."""
    term = getattr(problem, "term", None)
    if isinstance(term, Product):
        return list(x), tuple
    if getattr(term, "separable", False):
        leaves, structure = jax.tree.flatten(x)
        return leaves, structure.unflatten
    return [x], lambda parts: parts[0]

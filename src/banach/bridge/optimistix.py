"""Minimisers of Optimistix: BFGS, L-BFGS, nonlinear CG, gradient descent."""

import inspect
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.bridge import _inputs
from banach.bridge._from_optax import MOTIONLESS, split
from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import OPEN
from banach.core.method import Method, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.validation import shown

NAMES = ("BFGS", "DFP", "GradientDescent", "LBFGS", "NelderMead", "NonlinearCG")


class OptimistixState(eqx.Module):
    """Accepted point, the arrays of Optimistix's state, steps taken and motionless."""

    x: PyTree
    inner: PyTree
    steps: Int[Array, ""]
    motionless: Int[Array, ""]


@method(
    problem="Smooth", needs={"value", "grad"}, paper="rader2024optimistix", cost=None
)
class Optimistix(Method):
    """A minimiser of Optimistix: `Optimistix("BFGS")`, or an instance of one.

    Its `init` and `step` run inside the compiled loop with both tolerances zero;
    its own verdict (`terminate`) is shown beside ours, and never read. One step is one
    trial of its line search, so that a step may leave the point where it was; a run of
    100 steps without motion ends as stalled. Counts are one value and at most one
    gradient a step.

    GradientDescent takes 1/L as its learning rate. Terms and sets are refused.

    Args:
        solver: the name of a minimiser, or an instance.
        hyper: its arguments.

    Source: Rader, Lyons and Kidger, Optimistix, arXiv:2402.09983 (2024).

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Optimistix("BFGS")).status
        'certified'
    """

    hyper: dict[str, Any]
    solver: Any = eqx.field(static=True)
    fixed: tuple = eqx.field(static=True)

    def __init__(self, solver: Any = None, **hyper: Any):
        if solver is None and hyper:
            raise Misuse(
                f"{', '.join(hyper)}: hyperparameters belong to a minimiser; name it, "
                'e.g. bn.Optimistix("BFGS")'
            )
        if solver is None:
            # What `suggest` finds for the problem.
            self.solver = self.hyper = self.fixed = OPEN
            return
        if not _instance(solver):
            allowed = inspect.signature(_factory(solver)).parameters
            if ours := sorted({"rtol", "atol"} & set(hyper)):
                raise Misuse(
                    f"{' and '.join(ours)}: Optimistix's own stopping is off, because "
                    "the check decides; use tol= of bn.solve"
                )
            if unknown := sorted(set(hyper) - set(allowed)):
                raise Misuse(
                    f"optimistix.{solver} has no argument {unknown[0]!r}; it has "
                    f"{', '.join(allowed)}"
                )
        elif hyper:
            raise Misuse(
                f"{', '.join(hyper)}: an instance has its hyperparameters already; "
                "pass them where it is made, or give the name of the solver"
            )
        elif not (hasattr(solver, "init") and hasattr(solver, "step")):
            raise Misuse(
                f"optimistix takes the name or an instance of a minimiser, got "
                f"{shown(solver)}"
            )
        self.solver = solver
        self.hyper, self.fixed = split(hyper)

    @classmethod
    def suggest(cls, problem, facts):
        """The default for this problem, or a Refusal."""
        return cls.variant("BFGS", problem, facts)

    @classmethod
    def variant(cls, name, problem, facts):
        """A minimiser by name."""
        _inputs.algorithm(name, "optimistix", "minimiser", NAMES)
        if not _installed():
            return Refusal(
                "optimistix",
                f'optimistix:{name} needs Optimistix: pip install "banach[peers]"',
            )
        if name == "LBFGS" and tree.dtype(problem.start().x) != jnp.float64:
            # Its memory has JAX's default dtype, which inside a run is float64.
            return Refusal(
                "float64",
                "optimistix:LBFGS fails on a narrow start where 64 bits are on; pass a "
                "float64 start, or use lbfgs or optimistix:BFGS",
            )
        if name != "GradientDescent":
            return cls(name)
        L = facts.L
        if L is None:
            return Refusal(
                "L",
                "optimistix:GradientDescent takes 1/L as its learning rate and L is "
                "unknown: declare L=... on the problem, or pass "
                "bn.Optimistix('GradientDescent', learning_rate=...)",
            )
        return cls(name, learning_rate=1 / float(L))

    @classmethod
    def variants(cls, problem, facts):
        """What a race runs; without the library nothing."""
        return ("BFGS", "LBFGS", "NonlinearCG") if _installed() else ()

    def init(self, problem, start, key):
        """The state before the first step."""
        zero = jnp.zeros((), jnp.int32)
        x = jax.tree.map(jnp.asarray, start.x)
        arrays = eqx.filter(self._init(problem, x), eqx.is_array)
        return OptimistixState(x, arrays, zero, zero)

    def step(self, problem, state, key):
        """One step of the peer."""
        # What is not an array in the state (tags, functions) is the same each time.
        struct = eqx.filter_eval_shape(self._init, problem, state.x)
        rest = eqx.filter(struct, _is_struct, inverse=True)
        inner = eqx.combine(state.inner, rest)
        x, inner, _ = self._solver().step(
            _objective, state.x, problem, {}, inner, frozenset()
        )
        still = tree.max_abs(tree.sub(x, state.x)) == 0
        return OptimistixState(
            x,
            eqx.filter(inner, eqx.is_array),
            state.steps + 1,
            jnp.where(still, state.motionless + 1, 0),
        )

    def point(self, state):
        """The current point."""
        return Point(state.x)

    def stuck(self, state):
        """Whether nothing moved for a hundred steps."""
        return state.motionless >= MOTIONLESS

    def calls(self, state):
        """Evaluations so far."""
        return {"value": state.steps, "grad": state.steps}

    def said(self, state):
        """What `terminate` would answer at this state, its tolerances being zero."""
        import optimistix

        result = getattr(state.inner, "result", None)
        done = getattr(state.inner, "terminate", None)
        if done is None:
            return {"status": "no verdict kept in its state", "message": ""}
        status = f"terminate {bool(done)}"
        if result is None:
            return {"status": status, "message": ""}
        words = str(optimistix.RESULTS[result]).strip()
        return {"status": status, "message": words or "RESULTS.successful"}

    def label(self):
        """The peer and its algorithm."""
        named = isinstance(self.solver, str)
        return f"optimistix:{self.solver if named else type(self.solver).__name__}"

    def _solver(self) -> Any:
        if not isinstance(self.solver, str):
            return self.solver
        more = dict(self.fixed)
        return _factory(self.solver)(rtol=0.0, atol=0.0, **self.hyper, **more)

    def _init(self, problem, x):
        struct = jax.eval_shape(lambda v: _objective(v, problem)[0], x)
        return self._solver().init(
            _objective, x, problem, {}, struct, None, frozenset()
        )


def _objective(x: PyTree, problem: Any) -> tuple[Array, None]:
    # The carry of its search has the dtype of x, whatever that of the data is.
    return problem.value(x).astype(tree.dtype(x)), None


def _is_struct(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def _installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("optimistix") is not None


def _instance(solver: Any) -> bool:
    if not _installed():
        return False
    import optimistix

    return isinstance(solver, optimistix.AbstractMinimiser)


def _factory(name: str) -> Any:
    _inputs.algorithm(name, "optimistix", "minimiser", NAMES)
    if not _installed():
        raise Misuse(f'optimistix:{name} needs Optimistix: pip install "banach[peers]"')
    import optimistix

    return vars(optimistix)[name]

"""The base of every problem kind."""

import abc
import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, dataclass_transform

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, memoised_calls, problem_text
from banach.core.door import Made
from banach.core.facts import Facts
from banach.core.fitted import Fitted
from banach.core.kind import KindCard
from banach.core.misuse import Misuse
from banach.core.point import Point

__all__ = ["Misuse", "Problem", "demands", "modules", "recheck", "sound"]


# Oracles that a user may call by hand.
ORACLES = (
    "value grad value_and_grad hvp hess objective prox project lmo operator map "
    "residual jacobian constraints undefined"
).split()


# What is asked of a problem as if it were solved, or an estimator.
_ANSWERED = {
    "fit": " fits it, its data are those it was stated with",
    "run": " solves it",
    "solve": " solves it",
    **dict.fromkeys(("x", "coef", "status", "certified"), " gives the answer, .{0}"),
    **dict.fromkeys(("success", "message", "nit", "cost"), " gives the answer"),
    **dict.fromkeys(("coef_", "intercept_"), " gives the answer, .coef and .intercept"),
}


@dataclass_transform(field_specifiers=(dataclasses.field, eqx.field))
class _Kind(Made):
    """The class of kinds: oracles called by hand keep the problem's precision."""

    def __new__(mcs, name: str, bases: tuple, space: dict, **options: Any) -> Any:
        """The class, with its oracles `in_own_precision`, and what is asked of it."""
        own: dict[str, Any] = {
            k: in_own_precision(space[k]) for k in ORACLES if k in space
            and inspect.isfunction(space[k])}  # fmt: skip
        own |= {
            k: memoised_calls.Question(v, k in memoised_calls.ONCE)
            for k, v in space.items()
            if k in memoised_calls.ASKED and inspect.isfunction(v)
        }
        return super().__new__(mcs, name, bases, space | own, **options)


def in_own_precision(oracle: Any) -> Any:
    """The oracle; outside a run a problem in float64 is evaluated in 64 bits.

    JAX's global flag is off by default, and would narrow points and data alike. Traced
    values keep the caller's precision, as the pure `run` does.
    """

    @functools.wraps(oracle)
    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        if jax.config.jax_enable_x64 or compat.any_tracer((self, args, keywords)):
            return oracle(self, *args, **keywords)
        wide = any(
            getattr(leaf, "dtype", None) == np.float64
            for leaf in jax.tree.leaves((self, args, keywords))
        )
        if not wide:
            return oracle(self, *args, **keywords)
        with compat.double():
            return jax.device_get(oracle(self, *args, **keywords))

    return call


class Problem(eqx.Module, metaclass=_Kind):
    """A mathematical problem. Data are array leaves; structure is static.

    A kind implements the abstract members and whichever oracles it names in
    `oracles()`: `value(x)`, `grad(x)`, `value_and_grad(x)`, `hvp(x, v)`, `hess(x)`
    (dense, in the order of `tree.ravel`), `prox(v, t)`, `project(v)`, `lmo(g)`.
    Where there is a term beside the smooth part, value/grad/hvp/hess are those of
    the smooth part and `objective` is the whole.

    Example:
        >>> problem = bn.Ridge(np.eye(2), np.ones(2), l2=1.0)
        >>> (
        ...     isinstance(problem, bn.Problem),
        ...     problem.kind,
        ...     float(problem.objective(np.zeros(2))),
        ... )
        (True, 'GLM', 1.0)
    """

    kind: ClassVar[str]
    card: ClassVar[KindCard | None] = None
    """What `bn.kind(...)` says of the class; oracles and checks follow from it."""

    def oracles(self) -> frozenset[str]:
        """Names of the oracles that this instance offers (static).

        Those of the card; a kind whose instances differ says which.
        """
        return self._carded().oracles

    @abc.abstractmethod
    def space(self) -> PyTree:
        """Structure of the variable, a pytree of `jax.ShapeDtypeStruct`."""

    @abc.abstractmethod
    def start(self) -> Point:
        """A feasible default start."""

    @abc.abstractmethod
    def facts(self) -> Facts:
        """What is known about this instance, with provenance."""

    @abc.abstractmethod
    def optimality(self, point: Point) -> Point:
        """A residual of the structure of the point, zero exactly at solutions."""

    @abc.abstractmethod
    def objective(self, x: PyTree) -> Any:
        """The whole objective (or merit) at x, a scalar."""

    @abc.abstractmethod
    def formula(self) -> str:
        """The exact objective as one line of text."""

    def default_check(self) -> str:
        """Name of the one default quantity of this instance: the card's first."""
        return self._carded().checks[0]

    def _carded(self) -> KindCard:
        if self.card is None:
            raise Misuse(
                f"{type(self).__name__} has no card: write @bn.kind(name=..., "
                "oracles=..., checks=...) above the class, or define oracles() and "
                "default_check()"
            )
        return self.card

    @classmethod
    def stack(cls, *args: Any, shared: Any = (), **named: Any) -> Any:
        """Many problems of this class at once, for `bn.solve_many`.

        The arguments are those of the constructor. Every array among them has a first
        axis of lanes, one entry a problem; numbers, functions and terms are those of
        all lanes, and so are the arguments named in `shared`. Each lane passes the
        constructor; linear models are read as a whole (`bn.LogisticRegression.stack`).

        Returns:
            Stacked: a sequence of the problems.

        Raises:
            Misuse: lengths that disagree; what the constructor refuses, with the lane.
        """
        from banach.core.stacked import of_class

        return of_class(cls, args, named, shared)

    def restated(self) -> "Problem | None":
        """The same problem through its own constructor, from its own fields.

        `validate` compares the two. None (a kind that gives no constructor again):
        only the demands of the modules inside are made again.
        """
        return None

    def through_constructor(self, **others: Any) -> Any:
        """What `restated` is where the constructor's arguments are fields.

        Each argument is given the field of its name, or what stands in `others`.
        """
        names = inspect.signature(type(self).__init__).parameters
        own = {f.name for f in dataclasses.fields(self)}
        return type(self)(**{n: getattr(self, n) for n in names if n in own} | others)

    def validate(self) -> None:
        """Make every demand of the constructor again, on this very instance.

        For a problem that no constructor made: read from a file, or edited leaf by
        leaf. The terms, losses and operators inside repeat their own demands, the
        kind reads all of its fields anew, and the outcome must be this instance:
        leaves of another value, shape or dtype are not what the constructor stores.

        Raises:
            Misuse: what a constructor would have refused, or would have stored
                otherwise.
        """
        try:
            for inner in modules(self):
                recheck(inner)
            again = self.restated()
            if again is not None:
                _unchanged(self, again)
        except Misuse:
            raise
        except Exception as error:
            raise Misuse(
                f"this {type(self).__name__} is malformed, its constructor fails on "
                f"its own fields ({type(error).__name__}: {error}); state the problem "
                "anew"
            ) from None

    def essential(self) -> frozenset[str]:
        """Oracles of which a method must use at least one, or it solves another
        problem: prox, project or lmo where there is a term. Empty: none."""
        return frozenset()

    def prices(self) -> Mapping[str, float]:
        """Work of one call of an oracle, where a value is 1 and a gradient 2."""
        return {}

    def instead(self, oracle: str) -> str | None:
        """What to do where a method needs an oracle that this kind lacks, if known."""
        return None

    def view(self, always: bool = False) -> Any:
        """How methods should see this instance (`parts.view.View`), or None: as it is.

        `always`: the view that the kind has, whether or not it would change much.
        """
        return None

    def views(self) -> tuple[Any, ...]:
        """How this instance looks as other kinds (`core.view.Way`), in declared order.

        A method that does not take the problem as it stands meets the first view that
        it takes; each is there, or says why it is not.
        """
        return ()

    def uneven(self, stack: Any) -> int | None:
        """A lane of a stack of such problems that has a view, or None.

        All lanes are then seen through the views of their own; no loop over them where
        the kind has none.
        """
        if type(self).view is Problem.view:
            return None
        lanes = range(len(stack))
        return next((i for i in lanes if stack.view(i).view() is not None), None)

    def is_quadratic(self) -> bool:
        """Whether the smooth part is known to be a quadratic (static)."""
        return False

    def smooth_facts(self) -> Facts:
        """What is known of the smooth part alone; a term may bring more of its own."""
        return self.facts()

    def term_value(self, x: PyTree) -> Any:
        """The term at x: the objective without its smooth part."""
        return self.objective(x) - self.value(x)

    def pass_bytes(self) -> int:
        """Memory that one gradient may touch, where that is more than the data.

        Sizes the first chunk of a run, before anything was timed.
        """
        return 0

    def reference_point(self) -> Point | None:
        """What "small" is relative to, from problem data only; None: absolute."""
        return None

    def companion(self, x: PyTree) -> PyTree | None:
        """The sums of the absolute terms of the gradient's components at x.

        What each is held against, at the reference, where components carry different
        units (CERTIFICATES 2.7). None: they carry one unit.
        """
        return None

    def undefined(self, x: PyTree) -> Any:
        """Whether f(x) is not a number; x then solves nothing."""
        return jnp.isnan(self.value(x))

    def residual_step(self) -> Any:
        """The t of the prox residual ||x - prox(x - t grad, t)||, from data only."""
        L = self.facts().L
        return 1.0 if L is None else 1 / L

    def unsolvable(self) -> tuple[str, str] | None:
        """("infeasible" | "unbounded", proof in words) if the data show it."""
        return None

    def diagnosis(self, x: PyTree) -> str | None:
        """Why a run may get no further at x, and the cure, where the data tell."""
        return None

    def unattained(self, x: PyTree) -> str | None:
        """Why no minimiser exists, in words, if the data or x prove that."""
        return None

    def stronger(self) -> str | None:
        """A check that bounds where the default one is a residual, at like cost."""
        return None

    def untried(self, x: PyTree) -> str | None:
        """What a start that passes a residual check as it stands may be, in words."""
        return None

    def beside(self) -> Point | None:
        """A start near the own one, where a residual check may pass at a start that is
        a saddle, a maximum or flat; None where that cannot be."""
        return None

    def layout(self) -> Any:
        """The mesh of devices that the oracles run on (core.mesh.Layout), or None."""
        return None

    def local(self) -> "Problem":
        """The same problem on this process's default device alone."""
        return self

    def as_finite_sum(self) -> "Problem":
        """This problem as a finite sum, or a refusal naming the cure."""
        raise Misuse(
            f"{self.kind} holds no list of terms; state it as bn.FiniteSum or bn.GLM"
        )

    def named(self, x: PyTree) -> tuple[Any, Any] | None:
        """(coefficients, intercept) of x by the names of the data, or None: x has none.

        What `result.coef` and `result.intercept` are.
        """
        return None

    def told(self) -> list[tuple[str, str]]:
        """Lines (word, text) about the data that belong into a printed answer."""
        return []

    def told_at(self, x: PyTree) -> list[tuple[str, str]]:
        """Lines (word, text) about an x that is not certified, for a printed answer."""
        return []

    def predict(self, x: PyTree, new: Any, *, offset: Any = None) -> Any:
        """What x expects of new rows, or a refusal naming the kinds that do so."""
        raise Misuse(
            f"{self.kind} predicts nothing; call your own model at result.x, or state "
            "a linear one, e.g. bn.Ridge(A, y) or bn.LogisticRegression(A, y)"
        )

    def predict_proba(self, x: PyTree, new: Any, *, offset: Any = None) -> Any:
        """The probability of each class, or a refusal naming the kinds that do so."""
        raise Misuse(
            f"{self.kind} gives no probabilities; state a bn.LogisticRegression or "
            "bn.SoftmaxRegression"
        )

    def fitted(self, x: PyTree) -> Fitted:
        """x as a fit of data, for its standard errors, or a refusal with the cure."""
        raise Misuse(
            f"a {self.kind} is no fit of data with rows of their own, which standard "
            "errors are made of: state bn.least_squares(residual, x0), or a linear "
            "model such as bn.Ridge(A, y, l2=0) or bn.LogisticRegression(A, y, l2=0)"
        )

    def __getattr__(self, name: str) -> Any:
        said = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in _ANSWERED:
            said += (
                f": it is a problem; bn.solve(problem){_ANSWERED[name].format(name)}"
            )
        raise AttributeError(said)

    def title(self) -> str:
        """What this instance is called in print: its class, or the model it is."""
        return type(self).__name__

    def __repr__(self) -> str:
        return problem_text.one_line(self)

    def size(self) -> int:
        """Number of scalar unknowns."""
        return sum(_entries(leaf.shape) for leaf in jax.tree.leaves(self.space()))


def modules(value: Any) -> list[eqx.Module]:
    """The modules inside a module (terms, losses, operators), problems left out."""
    found: list[eqx.Module] = []

    def visit(part: Any) -> None:
        if isinstance(part, eqx.Module) and not isinstance(part, Problem):
            found.append(part)
            visit(vars(part))
        elif isinstance(part, dict):
            visit(tuple(part.values()))
        elif isinstance(part, tuple | list):
            for each in part:
                visit(each)

    visit(vars(value))
    return found


def recheck(module: eqx.Module) -> None:
    """The demands that the constructor of a module made, on its fields as they are.

    Its converters and `__check_init__` run again; its numbers are real and not NaN.
    """
    name = type(module).__name__
    demands(module)
    for field in dataclasses.fields(module):
        for leaf in jax.tree.leaves(getattr(module, field.name)):
            _is_real(leaf, f"{name}.{field.name}")


def demands(module: eqx.Module) -> None:
    """The converters and the `__check_init__` of a module, on its present fields."""
    for field in dataclasses.fields(module):
        convert = field.metadata.get("converter")
        if convert is not None:
            convert(getattr(module, field.name))
    for cls in type(module).__mro__:
        check = vars(cls).get("__check_init__")
        if check is not None:
            check(module)


def sound(problem: Problem) -> None:
    """The demands of the terms, losses and operators inside, on their present fields.

    An edit of a leaf passes no constructor, and a formula of a weight that is
    negative or complex may certify whatever it is asked.
    """
    for inner in modules(problem):
        if isinstance(type(inner), Made):
            recheck(inner)


def _is_real(leaf: Any, name: str) -> None:
    if not isinstance(leaf, np.ndarray | np.generic | jax.Array):
        return
    if leaf.dtype.kind not in "biuf" and not isinstance(leaf, jax.Array):
        raise Misuse(f"{name} must hold real numbers, got {leaf.dtype}")
    if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
        raise Misuse(f"{name} must hold real numbers, got {leaf.dtype}")
    floating = jnp.issubdtype(leaf.dtype, jnp.floating)
    if floating and not isinstance(leaf, jax.core.Tracer):
        if np.isnan(np.asarray(leaf)).any():
            raise Misuse(f"{name} holds NaN; give it numbers")


def _unchanged(one: Problem, again: Problem) -> None:
    name = type(one).__name__
    paths, structure = jax.tree_util.tree_flatten_with_path(one)
    if structure != jax.tree.structure(again):
        raise Misuse(
            f"this {name} holds fields of another structure than its constructor "
            "stores; state the problem anew"
        )
    for (path, leaf), fresh in zip(paths, jax.tree.leaves(again), strict=True):
        if not _alike(leaf, fresh):
            raise Misuse(
                f"{name}{jax.tree_util.keystr(path)} is not what the constructor "
                "stores (another value, shape or dtype); state the problem anew"
            )


def _alike(leaf: Any, fresh: Any) -> bool:
    if np.shape(leaf) != np.shape(fresh) or leaf.dtype != fresh.dtype:
        return False
    hidden = isinstance(leaf, jax.core.Tracer) or isinstance(fresh, jax.core.Tracer)
    # Keys and extended dtypes have no values to compare outside JAX.
    if hidden or jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        return True
    return bool(np.array_equal(np.asarray(leaf), np.asarray(fresh)))


def _entries(shape: tuple[int, ...]) -> int:
    n = 1
    for d in shape:
        n *= d
    return n

"""What a user hands over: variables, data and functions, read once and checked."""

import contextlib
import numbers
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, trace_errors, tree, validation
from banach.core.problem import Misuse, recheck
from banach.core.traced_function import TracedFunction, trace
from banach.kinds import sparse_input
from banach.parts.sparse import SparseMatrix
from banach.terms.term import Term

CURVATURES = (
    "strong convexity never exceeds the Lipschitz constant of the gradient; correct "
    "or drop one"
)


class Function(eqx.Module):
    """A user's function of (x, *args), traced in the dtype of its variable.

    A float32 function is traced a second time with float64 arguments, so that a
    check can judge a float32 point in float64: `tree.cast(problem, wide)` is all
    that it takes. `wide` is None where that is impossible.
    """

    narrow: TracedFunction
    wide: TracedFunction | None

    def __call__(self, x: PyTree, *args: PyTree) -> PyTree:
        """Evaluate; results take the dtype of x, floats where x holds whole numbers."""
        kind = tree.dtype(x)
        if jnp.issubdtype(kind, jnp.integer):
            x = jax.tree.map(lambda v: jnp.asarray(v, float), x)
            kind = tree.dtype(x)
        fun = self.narrow
        if self.wide is not None and kind == np.float64:
            fun = self.wide
        return tree.cast(fun(x, *args), kind)


def moved(x: PyTree) -> PyTree:
    """A point beside x: each entry by up to a tenth of the largest (of 1 where all are
    0), in a fixed direction that is orthogonal to nothing in particular."""
    size = max(float(np.max(np.abs(v), initial=0)) for v in jax.tree.leaves(x))
    rng = np.random.default_rng(1)

    def one(v: Any) -> Any:
        v = np.asarray(v)
        step = 0.1 * (size if size > 0 else 1.0) * rng.uniform(0.2, 1, v.shape)
        return v + (step * rng.choice([-1.0, 1.0], v.shape)).astype(v.dtype)

    return jax.tree.map(one, x)


def variable(x0: PyTree, name: str = "x0") -> PyTree:
    """A start as floating arrays, one dtype a leaf; numbers and lists become NumPy.

    Raises Misuse for anything but finite real numbers, for booleans, and where
    there are no entries.
    """
    x0 = _each(lambda leaf, where: _entry(leaf, where, name), x0, name)
    if sum(np.size(leaf) for leaf in jax.tree.leaves(x0)) == 0:
        raise Misuse(f"{name} has no entries; pass at least one number to solve for")
    return x0


def _entry(leaf: Any, where: str, name: str) -> Any:
    dtype = getattr(leaf, "dtype", None)
    if isinstance(leaf, bool) or (dtype is not None and np.dtype(bool) == dtype):
        raise Misuse(
            f"{where} holds True and False, where the variable is real; pass "
            f"{name}.astype(float) if 0 and 1 are meant"
        )
    return validation.array(leaf, where)


def sides(bound: PyTree, name: str) -> PyTree:
    """Bounds as floating arrays; +-inf where there is none."""

    def one(leaf: Any, where: str) -> Any:
        if np.ndim(leaf) or isinstance(leaf, list):
            return validation.array(leaf, where, infinite=True)
        return validation.number(leaf, where, infinite=True)

    return _each(one, bound, name)


def read(x0: PyTree, args: Any) -> tuple[PyTree, tuple]:
    """A start and extra arguments, checked, in the dtypes that JAX will give them."""
    return canonical(variable(x0), arguments(args))


def data(value: PyTree, name: str) -> PyTree:
    """A function's data: real, finite arrays; whole numbers, flags and keys stay so.

    Integers and booleans keep their dtype, because they may index and choose; floats
    of any width and byte order are read as `reading.array` does. Sparse matrices are
    refused: their entries are no rows.
    """
    return _each(_row, value, name)


def _row(leaf: Any, where: str) -> Any:
    if isinstance(leaf, SparseMatrix):
        raise Misuse(
            f"{where} is a sparse matrix, whose rows have no one length; pass the "
            "entries of each row padded to the longest and their columns beside them, "
            "or state a linear model and use its as_finite_sum(), which does so"
        )
    return validation.datum(leaf, where)


def _argument(leaf: Any, where: str) -> Any:
    if isinstance(leaf, SparseMatrix) or validation.is_sparse(leaf):
        return sparse_input.sparse(leaf, where)
    return validation.datum(leaf, where)


def arguments(args: Any) -> tuple:
    """Extra arguments of a function as a tuple of pytrees of arrays.

    One of SciPy's sparse matrices becomes a `SparseMatrix`, of which `A @ x` and
    `A.T @ y` are products for a function of JAX.
    """
    if not isinstance(args, tuple):
        word = callable(args) or isinstance(args, str)
        cure = "leave out jac=: JAX differentiates" if word else "write args=(data,)"
        raise Misuse(f"args must be a tuple, got {validation.shown(args)}; {cure}")
    return tuple(_each(_argument, a, f"args[{i}]") for i, a in enumerate(args))


def constant(value: Any, name: str, low: str | None = "positive") -> Any:
    """A declared constant as a leaf: None, or a finite scalar, positive if not said."""
    if value is None:
        return None
    value = validation.number(value, name, low=low)
    return value.astype(float) if isinstance(value, np.ndarray) else value


def ordered(low: Any, high: Any, names: tuple[str, str], cure: str) -> None:
    """Refuse a lower constant that exceeds an upper one, by more than roundings."""
    if low is None or high is None or compat.any_tracer((low, high)):
        return
    if float(low) > (1 + 1e-9) * float(high):
        raise Misuse(
            f"{names[0]} = {float(low):g} exceeds {names[1]} = {float(high):g}; {cure}"
        )


def weights(x0: PyTree, value: Any, name: str, low: str) -> PyTree:
    """One number for all, or numbers in the structure and shapes of x0; signed."""
    if _one_number(value):
        one = validation.number(value, name, low=low)
        spread = lambda v: full(v, one, name)  # noqa: E731
        value = jax.tree.map(spread, x0)
    value = like(x0, value, name)
    for leaf in jax.tree.leaves(value):
        validation.array(leaf, name, low=low)
    return value


def reference(x0: PyTree, point: PyTree) -> PyTree:
    """The declared reference, or None."""
    return None if point is None else like(x0, point, "reference")


def like(x0: PyTree, point: PyTree, name: str = "reference") -> PyTree:
    """A second point in the structure, shapes and dtypes of the first, or Misuse."""
    point = variable(point, name)
    same = jax.tree.structure(point) == jax.tree.structure(x0) and all(
        p.shape == q.shape
        for p, q in zip(jax.tree.leaves(point), jax.tree.leaves(x0), strict=True)
    )
    if not same:
        want = [tuple(v.shape) for v in jax.tree.leaves(x0)]
        raise Misuse(
            f"{name} must have the structure and shapes of x0, {want}; got shapes "
            f"{[tuple(v.shape) for v in jax.tree.leaves(point)]}"
        )
    return jax.tree.map(lambda p, q: narrowed(p, q.dtype, name), point, x0)


def narrowed(value: Any, dtype: Any, name: str) -> Any:
    """A floating array in the run's dtype; Misuse where a finite number overflows."""
    if value.dtype == dtype:
        return value
    with np.errstate(over="ignore", under="ignore"):
        out = value.astype(dtype)
    if compat.is_tracer(out) or np.dtype(dtype).itemsize >= value.dtype.itemsize:
        return out
    if (np.isfinite(np.asarray(value)) & ~np.isfinite(np.asarray(out))).any():
        raise Misuse(
            f"{name} holds numbers beyond the range of {np.dtype(dtype)}, the dtype of "
            "the problem; give its data in float64, or change the units"
        )
    return out


def optional(value: Any, name: str) -> bool | None:
    """A flag, or None where the library is to find out."""
    return None if value is None else validation.flag(value, name)


def is_term(term: Any, kind: str) -> None:
    """Refuse what is no Term of banach.terms."""
    if not isinstance(term, Term):
        raise Misuse(
            f"{kind} needs a term of banach.terms, got {validation.shown(term)}; pass "
            "e.g. bn.L1(0.1), bn.SquaredL2(1.0) or bn.L2Ball(1.0)"
        )


def smooth_part(problem: Any, kind: str) -> None:
    """Refuse a problem that is no differentiable function."""
    if not {"value", "grad"} <= problem.oracles() or problem.essential():
        raise Misuse(
            f"{kind} needs a smooth part, and {problem.kind} is none; pass a function, "
            "or bn.Smooth(f, x0)"
        )


def acts(call: Callable, x0: PyTree, name: str) -> None:
    """Refuse a term that does not map the variable to its own shapes."""
    try:
        out = jax.eval_shape(call, x0)
    except Misuse as error:
        raise Misuse(f"{name}: {error}") from None
    except (TypeError, ValueError, IndexError) as error:
        raise Misuse(
            f"{name} does not fit a variable of shapes {shapes(x0)}: "
            f"{first_line(error)}; give it numbers in the structure of the variable"
        ) from None
    if shapes(out) != shapes(x0):
        raise Misuse(
            f"{name} maps a variable of shapes {shapes(x0)} to {shapes(out)}; give "
            "it numbers in the structure of the variable"
        )


def shapes(x: PyTree) -> list[tuple[int, ...]]:
    """The shapes of all leaves."""
    return [tuple(np.shape(v)) for v in jax.tree.leaves(x)]


def first_line(error: Exception) -> str:
    """What an error says, without its traceback or its advice."""
    text = str(error).strip()
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__


def in_dtype(part: Any, dtype: Any) -> Any:
    """A term or loss whose numbers are in the dtype of the problem, read again.

    A weight that is positive in float64 and 0 in float32 would otherwise be
    penalised to a branch and free to the formula.
    """

    def one(leaf: Any) -> Any:
        kind = getattr(leaf, "dtype", None)
        if kind is None or not jnp.issubdtype(kind, jnp.floating):
            return leaf
        return narrowed(leaf, dtype, type(part).__name__)

    leaves, structure = jax.tree.flatten(part)
    cast = [one(v) for v in leaves]
    if all(new is old for new, old in zip(cast, leaves, strict=True)):
        return part
    made = jax.tree.unflatten(structure, cast)
    recheck(made)
    return made


def cast(value: Any, dtype: Any, name: str) -> Any:
    """Numbers of any real dtype in the dtype of the problem, or None."""
    if value is None:
        return None
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value.astype(dtype)
    return narrowed(value, dtype, name)


def full(v: Any, one: Any, name: str) -> Any:
    """One number in every entry of an array like v."""
    if compat.is_tracer(one) or isinstance(one, jax.Array):
        return jnp.full(v.shape, one, v.dtype)
    return np.full(v.shape, narrowed(one, v.dtype, name))


def _one_number(value: Any) -> bool:
    whole = jax.tree.structure(value) == jax.tree.structure(0)
    return value is not None and whole and not np.ndim(value)


def _each(one: Callable[[Any, str], Any], tree_: PyTree, name: str) -> PyTree:
    """Map over the leaves of a pytree with the path of each in its name.

    A list of numbers is one array; None in the place of data is refused.
    """
    if tree_ is None:
        raise Misuse(f"{name} must hold numbers, got None; pass arrays or numbers")

    def call(path: Any, leaf: Any) -> Any:
        return one(leaf, name + jax.tree_util.keystr(path))

    try:
        return jax.tree_util.tree_map_with_path(call, tree_, is_leaf=_whole)
    except Misuse:
        raise
    except (TypeError, ValueError) as error:
        raise Misuse(
            f"{name} is no pytree of arrays ({error}); pass arrays, or dicts with "
            "text keys, tuples and lists of them"
        ) from None


def function(fun: Callable, x0: PyTree, args: tuple, name: str) -> Function:
    """Trace fun(x, *args), in 64 bits where x0 is NumPy and nothing is traced."""
    everything = (x0, args)
    if isinstance(fun, Function):
        _traced_for(fun, everything, name)
        return fun
    with context(x0, args):
        narrow = trace(fun, x0, *args, name=name)
        wide = None
        if tree.dtype(x0) == jnp.float32 and not compat.any_tracer(everything):
            wide = _widened(fun, x0, args, name)
    return Function(narrow, wide)


_MAYBE_ROUGH = frozenset({"while", "pure_callback", "io_callback"})


def _traced_for(fun: Function, everything: tuple, name: str) -> None:
    """Refuse a traced function beside a variable or data of other shapes."""
    x0, args = everything
    program = fun.narrow.program
    given = jax.tree.structure((x0, *args)), shapes((x0, *args))
    want = program.in_tree, [tuple(v.aval.shape) for v in program.jaxpr.invars]
    if given != want:
        raise Misuse(
            f"{name} was traced for arguments of shapes {want[1]}, got {given[1]}; "
            "state the problem anew with the function itself"
        )


def differentiable(fun: Function, x0: PyTree, args: tuple, name: str) -> None:
    """Refuse a function without a gradient, where its program gives reason to doubt.

    Everything else is differentiable by the rules of JAX, and costs nothing here.
    """
    if not compat.holds(fun.narrow.program.jaxpr, _MAYBE_ROUGH):
        return

    def pulled(x: PyTree) -> PyTree:
        out, back = jax.vjp(lambda v: fun.narrow(v, *args), x)
        return back(out)

    taken = lambda x: jax.eval_shape(pulled, x)  # noqa: E731
    with context(x0, args), trace_errors.translated(taken, (x0,), name):
        taken(x0)


def context(x0: PyTree, args: tuple) -> Any:
    """The 64-bit context for a NumPy start, nothing for JAX arrays and tracers."""
    ambient = any(isinstance(v, jax.Array) for v in jax.tree.leaves(x0))
    if ambient or compat.any_tracer(args):
        return contextlib.nullcontext()
    return compat.double()


def canonical(x0: PyTree, args: tuple) -> tuple[PyTree, tuple]:
    """NumPy leaves in the dtypes that JAX will give them when it runs."""

    def one(v: Any) -> Any:
        if not isinstance(v, np.ndarray):
            return v
        dtype = jax.dtypes.canonicalize_dtype(v.dtype)
        if dtype == v.dtype:
            return v
        if v.dtype.kind == "f":
            return narrowed(v, dtype, "a NumPy array beside float32 JAX arrays")
        out = v.astype(dtype)
        if (out != v).any():
            raise Misuse(
                f"an array of {v.dtype} holds integers that {dtype} cannot, and JAX "
                "is in 32 bits; pass NumPy arrays for x0, or enable jax_enable_x64"
            )
        return out

    with context(x0, args):
        return jax.tree.map(one, (x0, args))


def _widened(fun, x0, args, name) -> TracedFunction | None:
    def struct(leaf):
        dtype = jnp.result_type(leaf)
        wide = jnp.float64 if jnp.issubdtype(dtype, jnp.floating) else dtype
        return jax.ShapeDtypeStruct(np.shape(leaf), wide)

    with compat.double():
        try:
            return trace(fun, *jax.tree.map(struct, (x0, *args)), name=name)
        except (TypeError, ValueError):
            # A function written for float32 alone is judged in float32.
            return None


def _whole(node: Any) -> bool:
    """Whether a node is read as one array or matrix."""
    return isinstance(node, SparseMatrix) or _numbers(node)


def _numbers(node: Any) -> bool:
    """Whether a list is meant as one array, bad entries included."""
    if not isinstance(node, list) or not node:
        return False
    return all(
        v is None or isinstance(v, numbers.Number | str | bytes) or _numbers(v)
        for v in node
    )

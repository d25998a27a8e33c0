"""What a network, its loss and its labels were meant to be, where they do not fit.

Each cure is tried before it is named: by shapes alone, but for labels, where the loss
is called.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, trace_errors
from banach.core.problem import Misuse
from banach.engine import executors
from banach.kinds import inputs

_PARTED = (
    "split it: params, static = eqx.partition(net, eqx.is_inexact_array), and as the "
    "model lambda p, x: eqx.combine(p, static)(x)"
)
_STATE = (
    "an example has one output, and no state goes from one to the next: use layer or "
    "group normalisation in place of batch normalisation, or freeze the statistics in "
    "the model"
)


def network(model: Callable, params: PyTree) -> None:
    """Misuse where model or parameters are a whole network of a library."""
    if isinstance(model, eqx.Module) and not _binds(model, 3):
        if any(map(eqx.is_inexact_array, jax.tree.leaves(model))):
            raise Misuse(
                f"the model {type(model).__name__} is an Equinox module, which holds "
                f"its parameters itself, and Training varies them; {_PARTED}"
            )
    if not (_binds(model, 2) or _binds(model, 3)):
        raise Misuse(
            "Training calls model(params, x), or model(params, x, key), and this one "
            f"takes {inspect.signature(model)}; close over what else it "
            "needs, e.g. lambda p, x: net(p, state, x)[0]"
        )
    nodes = jax.tree.leaves(params, is_leaf=lambda v: isinstance(v, eqx.nn.StateIndex))
    if any(isinstance(v, eqx.nn.StateIndex) for v in nodes):
        raise Misuse(
            f"params hold a layer with a state (batch normalisation); {_STATE}"
        )
    if _modules(params) and any(callable(v) or isinstance(v, str) for v in nodes):
        raise Misuse(
            "params are an Equinox module with leaves that are no numbers (an "
            f"activation, a word); {_PARTED}"
        )
    if isinstance(params, dict) and {"params", "batch_stats"} <= params.keys():
        raise Misuse(
            "params hold batch_stats beside params, and a run would vary both: pass "
            "variables['params'], and keep the statistics in the model, lambda p, x: "
            "net.apply({'params': p, 'batch_stats': stats}, x, train=False)"
        )


def model(model: Callable, params: PyTree, x: PyTree, error: Misuse) -> Misuse:
    """The error of a model that does not take one example, with its cure."""
    said = str(error).splitlines()[0]
    if "unbound axis name" in said:
        return Misuse(
            f"Training's model averages over the examples of a batch; {_STATE}"
        )
    if _modules(params) and "NoneType" in said:
        return Misuse(
            "Training's model calls a part of an Equinox module that was filtered "
            f"out, which is None there; {_PARTED}"
        )
    with inputs.context(params, (x,)):
        if _shape(model, params, _batch(x), None) is not None:
            return _of_batches(x)
    return error


def loss(
    model: Callable, loss: Callable, params: PyTree, datum: tuple, error: Misuse
) -> Misuse:
    """The error of a loss that does not take an output and a target, with its cure."""
    x, target = datum
    with inputs.context(params, datum):
        z = _shape(model, params, x, None)
        if isinstance(z, tuple | list) and z:
            if _shape(loss, z[0], target) is not None:
                return Misuse(
                    f"Training's model returns {len(z)} things and the loss takes the "
                    f"first: return it alone; {_STATE}"
                )
        for meant, cure in _meant(z, target):
            if _shape(loss, z, meant) is not None:
                took, given = _words(meant), _words(target)
                return Misuse(
                    f"Training's loss takes {took} for the target of one example, and "
                    f"targets have {given}; {cure}"
                )
        many = _shape(model, params, _batch(x), None)
        one = isinstance(many, jax.ShapeDtypeStruct) and many.shape[:1] == (1,)
        if (
            one
            and _shape(loss, _struct(many.shape[1:], many.dtype), target) is not None
        ):
            return _of_batches(x)
    return error


def labels(loss: Callable, z: PyTree, targets: PyTree) -> None:
    """Misuse where a loss counts on classes that are not there.

    A label outside 0, ..., c - 1 that the loss reads (it takes no real target, and its
    value at the label varies with the output) picks another class, or none. Labels that
    a loss of one-hot rows broadcasts give a loss that is blind to the order of classes:
    that may be meant, and is a warning.
    """
    leaves = jax.tree.leaves(targets)
    if not (isinstance(z, jax.ShapeDtypeStruct) and z.ndim and len(leaves) == 1):
        return
    (t,), c = leaves, z.shape[-1]
    if compat.is_tracer(t) or t.dtype.kind not in "iu" or t.shape[1:] != z.shape[:-1]:
        return
    t = np.asarray(t)
    if c < 2 or not t.size:
        return
    outside = (t < 0) | (t >= c)
    rng = np.random.default_rng(0)
    some, other = (rng.normal(size=z.shape).astype(z.dtype) for _ in range(2))
    if outside.any():
        if _shape(loss, z, _struct(t.shape[1:], z.dtype)) is not None:
            return  # numbers, not classes
        i = np.argwhere(outside)[0]
        moved = np.where(outside[i[0]][..., None], other, some)
        one, two = _values(loss, [some, moved], [t[i[0]]] * 2)
        if one != two or not np.isfinite(one):
            raise Misuse(
                f"targets hold the label {t[tuple(i)]}, and the model has {c} outputs, "
                f"so that labels are 0, ..., {c - 1}; relabel them, e.g. "
                "classes, targets = np.unique(targets, return_inverse=True), or give "
                "the model an output for each class"
            )
        return
    if np.unique(t).size < 2:
        return
    first = t.reshape(len(t), -1)[:, 0]
    low, high = t[first.argmin()], t[first.argmax()]
    turned = some[..., ::-1]
    v = _values(loss, [some, turned, some, turned], [low, low, high, high])
    if np.isclose(v[0], v[1], rtol=1e-5) and np.isclose(v[2], v[3], rtol=1e-5):
        warnings.warn(
            f"the loss is the same in whatever order the {c} outputs stand, so that no "
            "integer target can be a class: a loss of one-hot rows needs "
            f"np.eye({c})[targets], or use "
            "optax.softmax_cross_entropy_with_integer_labels",
            stacklevel=trace_errors.callers_level(),
        )


def _meant(z: Any, target: Any) -> Iterator[tuple[Any, str]]:
    """Targets that a loss may take in place of the given one, and how to make them."""
    if not isinstance(target, np.ndarray | np.generic | jax.Array):
        return
    shape, kind = target.shape, target.dtype.kind
    if kind == "f":
        yield _struct(shape, np.int32), "pass targets.astype(int)"
        if shape and shape[-1] > 1:
            yield _struct(shape[:-1], np.int32), "pass np.argmax(targets, axis=-1)"
    if shape[-1:] == (1,):
        yield _struct(shape[:-1], target.dtype), "pass targets[..., 0]"
        yield _struct(shape[:-1], np.int32), "pass targets[..., 0].astype(int)"
    if kind in "iub":
        yield _struct(shape, np.float32), "pass targets.astype(float)"
        if isinstance(z, jax.ShapeDtypeStruct) and z.shape[:-1] == shape and z.ndim:
            c = z.shape[-1]
            yield _struct(z.shape, z.dtype), f"pass np.eye({c})[targets]"


def _values(loss: Callable, outputs: list[Any], targets: list[Any]) -> Any:
    """Losses of some outputs with some targets, worked out as one program."""
    many = np.stack(outputs), np.stack(targets)
    program = executors.Program(jax.vmap(loss), many)
    return np.asarray(program(list(many))[0], float)


def _words(value: Any) -> str:
    sort = "integers" if value.dtype.kind in "iu" else f"{value.dtype}"
    return f"{sort} of shape {tuple(value.shape)}"


def _of_batches(x: PyTree) -> Misuse:
    shapes = [tuple(np.shape(v)) for v in jax.tree.leaves(x)]
    one = shapes[0] if len(shapes) == 1 else shapes
    return Misuse(
        f"Training's model takes a batch, and is called with one example of shape "
        f"{one}; drop its jax.vmap, or write it for one example: Training maps it "
        "over all"
    )


def _batch(x: PyTree) -> PyTree:
    return jax.tree.map(
        lambda v: _struct((1, *np.shape(v)), jax.dtypes.result_type(v)), x
    )


def _struct(shape: Any, dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(shape), dtype)


def _shape(fun: Callable, *args: Any) -> Any:
    """Shapes that a function returns, or None where it fails."""
    try:
        return jax.eval_shape(fun, *args)
    except Exception:
        return None


def _modules(params: PyTree) -> bool:
    whole = jax.tree.leaves(params, is_leaf=lambda v: isinstance(v, eqx.Module))
    return any(isinstance(v, eqx.Module) for v in whole)


def _binds(fun: Callable, count: int) -> bool:
    try:
        inspect.signature(fun).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        pass
    return True

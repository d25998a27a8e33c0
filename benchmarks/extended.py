"""||P_J r|| / ||r|| in NumPy's longdouble: a second opinion on a stationary point."""

import jax
import jax.numpy as jnp
import numpy as np

WIDE = np.longdouble
ELEMENTWISE = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "neg": np.negative, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos,
    "atan": np.arctan, "sqrt": np.sqrt, "tanh": np.tanh, "abs": np.abs, "pow": np.power,
    "square": np.square, "max": np.maximum, "min": np.minimum, "sign": np.sign,
    "log1p": np.log1p, "add_any": np.add, "rem": np.fmod, "floor": np.floor,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal, "and": np.logical_and, "or": np.logical_or,
}  # fmt: skip


def offset(problem, x):
    """||P_J r|| / ||r|| at the very bits of x."""
    closed = jax.make_jaxpr(lambda v: (problem.residual(v), problem.jacobian(v)))(x)
    r, J = evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(x))
    return float(_norm(_projected(r, J)) / _norm(r))


def evaluate(jaxpr, consts, args):
    """The outputs of a jaxpr, every floating number in longdouble."""
    known = {}

    def read(v):
        return _wide(v.val) if hasattr(v, "val") else known[v]

    known.update(zip(jaxpr.constvars, map(_wide, consts), strict=True))
    known.update(zip(jaxpr.invars, map(_wide, args), strict=True))
    for eqn in jaxpr.eqns:
        out = _apply(eqn, [read(v) for v in eqn.invars])
        out = out if isinstance(out, list) else [out]
        known.update(zip(eqn.outvars, out, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _apply(eqn, args):
    name, p = eqn.primitive.name, eqn.params
    inner = p.get("jaxpr", p.get("call_jaxpr"))
    if inner is not None:
        return evaluate(
            getattr(inner, "jaxpr", inner), getattr(inner, "consts", []), args
        )
    if name in ELEMENTWISE:
        return ELEMENTWISE[name](*args)
    if name == "integer_pow":
        return args[0] ** p["y"]
    if name == "reduce_sum":
        return np.sum(args[0], axis=p["axes"])
    if name == "dot_general":
        return _dot(*args, p["dimension_numbers"])
    if name == "select_n":
        return np.where(args[0], args[2], args[1])
    if name == "convert_element_type":
        new = np.dtype(p["new_dtype"])
        return np.asarray(args[0], WIDE if new.kind == "f" else new)
    if name == "broadcast_in_dim":
        shape = [1] * len(p["shape"])
        for axis, i in zip(p["broadcast_dimensions"], args[0].shape, strict=True):
            shape[axis] = i
        return np.broadcast_to(args[0].reshape(shape), p["shape"])
    if name in ("reshape", "squeeze", "expand_dims"):
        return args[0].reshape(eqn.outvars[0].aval.shape)
    if name == "transpose":
        return args[0].transpose(p["permutation"])
    if name == "concatenate":
        return np.concatenate(args, axis=p["dimension"])
    if name in ("copy", "stop_gradient", "pvary"):
        return args[0]
    # Moves whole numbers about: exact on the places of the entries.
    if name in ("slice", "dynamic_slice", "gather", "rev", "split", "iota", "pad"):
        return _moved(eqn, args)
    raise NotImplementedError(f"no longdouble rule for {name}")


def _moved(eqn, args):
    if not args:
        return np.asarray(eqn.primitive.bind(**eqn.params))
    place = jnp.arange(args[0].size).reshape(args[0].shape)
    rest = [jnp.asarray(np.asarray(a, np.int64)) for a in args[1:]]
    out = eqn.primitive.bind(place, *rest, **eqn.params)
    many = isinstance(out, (list, tuple))
    made = [args[0].ravel()[np.asarray(o)] for o in (out if many else [out])]
    return made if many else made[0]


def _dot(a, b, numbers):
    (left, right), (batch_a, batch_b) = numbers
    if batch_a or batch_b:
        raise NotImplementedError("no longdouble rule for a batched product")
    return np.tensordot(a, b, axes=(left, right))


def _wide(v):
    v = np.asarray(v)
    return v.astype(WIDE) if v.dtype.kind == "f" else v


def _projected(r, J):
    """P_J r by modified Gram-Schmidt, twice; columns within rounding are dropped."""
    basis = []
    for column in J.T:
        size = _norm(column)
        for _ in range(2):
            for q in basis:
                column = column - (q @ column) * q
        left = _norm(column)
        if left > 1e4 * np.finfo(WIDE).eps * size:
            basis.append(column / left)
    return sum((q @ r) * q for q in basis) if basis else 0 * r


def _norm(v):
    return np.sqrt(np.sum(np.square(v)))

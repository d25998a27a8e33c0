"""NumPy's program and XLA's, of the same functions on the same arguments."""

import jax
import numpy as np

from banach.core import compat
from banach.engine import interpret

LEVEL = {"xla_backend_optimization_level": 0}


def traced(fun, *args):
    """The jaxpr of a function, in 64 bits."""
    with compat.double():
        return jax.make_jaxpr(fun)(*args)


def numpy_of(fun, *args):
    """What NumPy makes of a function that it may not refuse."""
    closed = traced(fun, *args)
    assert interpret.refusal(closed) is None
    leaves = [v if compat_key(v) else np.asarray(v) for v in jax.tree.leaves(args)]
    out = interpret.compile(closed)(leaves)
    for value, aval in zip(out, closed.out_avals, strict=True):
        if not compat_key(aval):
            assert value.shape == aval.shape and value.dtype == aval.dtype
        assert value.flags.c_contiguous and value.flags.owndata
    return out


def compat_key(value):
    """Whether a value or aval is of keys."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)


def xla_of(fun, *args):
    """What XLA makes of it."""
    with compat.double():
        compiled = jax.jit(fun).lower(*args).compile(compiler_options=LEVEL)
        return [np.asarray(v) for v in jax.tree.leaves(compiled(*args))]


def both(cases):
    """Results of every named (function, arguments), by NumPy and by one program of
    XLA for all of them: {name: (list of NumPy's, list of XLA's)}.
    """
    functions = {name: fun for name, (fun, _) in cases.items()}
    arguments = {name: args for name, (_, args) in cases.items()}

    def together(arguments):
        return {n: jax.tree.leaves(f(*arguments[n])) for n, f in functions.items()}

    with compat.double():
        shape = jax.tree.structure(jax.eval_shape(together, arguments))
    theirs = jax.tree.unflatten(shape, xla_of(together, arguments))
    return {n: (numpy_of(f, *arguments[n]), theirs[n]) for n, f in functions.items()}


def same(ours, theirs, close=0.0, name=""):
    """Equal bit for bit (but for NaN's payload), or relatively within `close`.

    Signs of zeros count. XLA may write 0 for a result below the normal numbers.
    """
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, (name, a, b)
        if a.dtype.kind != "f":
            np.testing.assert_array_equal(a, b, err_msg=name)
            continue
        tiny = np.finfo(a.dtype).tiny
        with np.errstate(all="ignore"):
            near = np.abs(a - b) <= close * np.abs(b)
            flushed = (np.abs(a) < tiny) & (b == 0)
            equal = (a == b) & (np.signbit(a) == np.signbit(b))
        fine = equal | (np.isnan(a) & np.isnan(b)) | near & (a != 0) | flushed
        assert fine.all(), (name, a[~fine], b[~fine], np.nonzero(~fine))

"""The only file that touches private or moving parts of JAX, and of Python."""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

try:  # without turning every handler into an enum: 0.4 us instead of 6.6 a run
    from _signal import getsignal, signal
except ImportError:
    from signal import getsignal, signal

import jax
import jaxlib.xla_client
from jax._src import config as _config
from jax._src import core as _core
from jax._src import monitoring
from jax.experimental import serialize_executable
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

__all__ = [
    "ClosedJaxpr",
    "Jaxpr",
    "Literal",
    "double",
    "getsignal",
    "is_tracer",
    "jaxpr_as_fun",
    "on_device",
    "signal",
]


def double() -> AbstractContextManager[None]:
    """Work in 64 bits inside the block; the global flag is never touched."""
    return jax.enable_x64(True)


@contextlib.contextmanager
def no_double() -> Iterator[None]:
    """Outside every 64-bit context, with the global flag: as a script of a user's runs.

    What is set inside stays, as it would there.
    """
    flag: Any = jax.enable_x64
    before = flag.swap_local(_config.config_ext.unset)
    try:
        yield
    finally:
        flag.set_local(before)


@contextlib.contextmanager
def flags_kept() -> Iterator[None]:
    """Leave the global 64-bit flag of JAX as it was, whatever is imported inside.

    Inside a 64-bit context the flag reads as the context's; another thread has none.
    """
    found: list[bool] = []
    reader = threading.Thread(target=lambda: found.append(jax.config.jax_enable_x64))
    reader.start()
    reader.join()
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", found[0])


def on_device(array: Any) -> jax.Array:
    """A NumPy array on the default device, as `jnp.asarray` has it.

    That function compiles a program for every shape it meets (jax 0.10), which costs a
    first solve more than its looks; `device_put` compiles nothing and takes five times
    as long as the call beneath it, 3 us.
    """
    device = jax.config.jax_default_device or jax.local_devices()[0]
    plain = isinstance(device, jax.Device) and not tracing()
    if not plain or jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
        return jax.device_put(array)
    one = jax.sharding.SingleDeviceSharding(device)
    shape = jax.core.ShapedArray(array.shape, array.dtype)
    put = jaxlib.xla_client.batched_device_put
    return put(shape, one, [array], [device])


def is_tracer(value: Any) -> bool:
    """Whether a leaf is being traced (so its entries cannot be looked at)."""
    return isinstance(value, jax.core.Tracer)


# JAX does not mark its traces as over (a note in its source says why), so we do.
_OVER: weakref.WeakSet[Any] = weakref.WeakSet()


def tracing() -> bool:
    """Whether a trace is under way, in which constants too become tracers."""
    return not _core.trace_state_clean()


def trace_of(value: Any) -> Any:
    """The trace that a tracer belongs to, or None."""
    return getattr(value, "_trace", None) if is_tracer(value) else None


def end_trace(trace: Any) -> None:
    """Remember that a trace is over: tracers of it hold no value any more."""
    if trace is not None:
        _OVER.add(trace)


def is_dead(value: Any) -> bool:
    """Whether a leaf is a tracer of a trace that is over."""
    return trace_of(value) is not None and trace_of(value) in _OVER


def any_tracer(tree: Any) -> bool:
    """Whether any leaf of a pytree is being traced."""
    return any(is_tracer(leaf) for leaf in jax.tree.leaves(tree))


def bind(eqn: Any, values: list[Any]) -> list[Any]:
    """Apply one jaxpr equation to values; always a list of results."""
    params = eqn.primitive.get_bind_params(eqn.params)
    if isinstance(params, tuple):
        subfuns, params = params
        out = eqn.primitive.bind(*subfuns, *values, **params)
    else:
        out = eqn.primitive.bind(*values, **params)
    return list(out) if eqn.primitive.multiple_results else [out]


def subjaxprs(eqn: Any) -> Iterator[Jaxpr]:
    """The jaxprs inside one equation: of calls, loops, branches and custom rules."""
    for value in eqn.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, Jaxpr):
                yield item


def holds(jaxpr: Jaxpr, names: frozenset[str]) -> bool:
    """Whether a jaxpr applies a primitive of these names, at any depth."""
    return any(
        eqn.primitive.name in names
        or any(holds(inner, names) for inner in subjaxprs(eqn))
        for eqn in jaxpr.eqns
    )


def own_rule(eqn: Any) -> str | None:
    """The function of JAX's own whose derivative rule a custom call carries, or None.

    Its file and line say which rule it is; that of others may be made anew each time.
    """
    if not eqn.primitive.name.startswith("custom_jvp_call"):
        return None
    body = eqn.params.get("call_jaxpr")
    info = getattr(getattr(body, "jaxpr", None), "debug_info", None)
    where = str(getattr(info, "func_src_info", "") or "")
    inside = f" at {os.path.dirname(jax.__file__)}{os.sep}"
    return f"{eqn.primitive.name}: {where}" if inside in where else None


# Where stop_gradient guards against overflow and leaves every derivative as it is.
_LIBRARY = tuple(
    os.path.join(os.path.dirname(jax.__file__), "_src", *part)
    for part in (("nn", ""), ("numpy", ""), ("scipy", ""), ("ops", "special.py"))
)


def stops_gradient(jaxpr: Jaxpr, trusted: str = "") -> bool:
    """Whether a jaxpr drops derivatives by a stop_gradient of its author.

    Those inside JAX's own softmax, logsumexp and the like cancel, and do not count;
    neither do those in files below the folder `trusted`. In doubt the answer is yes.
    """
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "stop_gradient":
            if not _caller(eqn).startswith((*_LIBRARY, trusted or _LIBRARY[0])):
                return True
        elif any(stops_gradient(inner, trusted) for inner in subjaxprs(eqn)):
            return True
    return False


# What sets the compiler's options besides its flags, where an option is JAX's.
_COMPILING = (
    "exec_time_optimization_effort memory_fitting_effort optimization_level "
    "memory_fitting_level compiler_enable_remat_pass xla_profile_version "
    "use_shardy_partitioner disable_most_optimizations"
).split()


def compile_state() -> str:
    """The compiler's options in force: its flags as it read them, and JAX's."""
    flags = jaxlib.xla_client.CompileOptions().SerializeAsString()
    seen = [(k, getattr(jax.config, f"jax_{k}", None)) for k in _COMPILING]
    return repr((flags, seen, os.environ.get("XLA_FLAGS")))


def one_device(lowered: Any) -> tuple[Any, Any] | None:
    """(device, what the text of a lowered program does not say), or None.

    None: it runs on several devices or processes, or holds something of this process
    (callbacks, effects, constants beside the program, references).
    """
    try:
        program = lowered._lowering
        args, devices = program.compile_args, list(program._device_list)
        held = [program.const_args, args["mut"], args["pgle_profiler"]]
        held += [args[f"{k}_effects"] for k in ("ordered", "unordered")]
        held += [args["host_callbacks"], args["keepalive"]]
        avals = [*args["global_in_avals"], *args["global_out_avals"]]
        avals += args["all_args_info"].in_avals
        said = (
            sorted(args["kept_var_idx"]), args["committed"], args["tuple_args"],
            [(a.shape, str(a.dtype), a.weak_type) for a in avals],
            [str(args[f"{k}_{v}"]) for k in ("in", "out") for v in _PLACED],
            [a.donated for a in jax.tree.leaves(lowered.args_info)],
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError):
        return None  # of another version: nothing is kept, and doctor says so
    if any(held) or len(devices) != 1 or args["num_devices"] != 1:
        return None
    return None if jax.process_count() != 1 else (devices[0], said)


_PLACED = ("shardings", "layouts")


_FOUND = "/jax/compilation_cache/cache_hits"
_heard = threading.local()
_THEIRS: weakref.WeakSet[Any] = weakref.WeakSet()  # what JAX's cache had, once asked


def _hear(event: str, **said: Any) -> None:
    if event == _FOUND:
        _heard.count = getattr(_heard, "count", 0) + 1


def compile_here(lowered: Any, options: dict[str, Any] | None) -> tuple[Any, bool]:
    """(executable, whether it was compiled now).

    JAX's own cache, where a user has turned it on, may have it instead; and what was
    loaded once cannot be written again: on a CPU the bytes load, and fail when run.
    """
    if _hear not in monitoring.get_event_listeners():
        monitoring.register_event_listener(_hear)
    before = getattr(_heard, "count", 0)
    made = lowered.compile(compiler_options=options) if options else lowered.compile()
    program = lowered.compiler_ir()  # JAX asks its cache once for each of these
    listened = _hear in monitoring.get_event_listeners()
    if not listened or getattr(_heard, "count", 0) != before:
        _THEIRS.add(program)
    return made, program not in _THEIRS


def dump_executable(compiled: Any) -> bytes:
    """A compiled program as bytes; its trees are not among them."""
    return serialize_executable.serialize(compiled)[0]


def load_executable(data: bytes, lowered: Any) -> Any:
    """The reverse of `dump_executable`, with the trees and the device of a lowering.

    It runs what the bytes say: they must be our own.
    """
    device = next(iter(lowered._lowering._device_list))
    return serialize_executable.deserialize_and_load(
        data, lowered.in_tree, lowered.out_tree, backend=device.client,
        execution_devices=[device],
    )  # fmt: skip


def _caller(eqn: Any) -> str:
    """The file that called jax.lax.stop_gradient for this equation, or ""."""
    traceback = getattr(eqn.source_info, "traceback", None)
    frames = [] if traceback is None else list(traceback.frames)
    inside = [
        i
        for i, frame in enumerate(frames)
        if frame.function_name == "stop_gradient"
        and frame.file_name.endswith(os.path.join("lax", "lax.py"))
    ]
    last = inside[0] + 1 if inside else len(frames)
    return str(frames[last].file_name) if last < len(frames) else ""

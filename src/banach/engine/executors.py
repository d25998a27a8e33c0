"""A function of arrays as a program: interpreted by NumPy, or compiled by XLA.

The two share no bits: XLA may contract a * b + c and sum in another order. What was
run by which is written down by whoever asks (decision 0017).
"""

import functools
import gc
import time
from typing import Any

import jax

from banach.core import blas_threads, mesh
from banach.engine import disk_cache, interpret

# Work of one evaluation above which compiling pays at once (ours): an interpreted
# unit takes about 1 us, so this is a tenth of a second.
ONCE = 100_000
# XLA's options on a CPU: for programs that run long, and for those that run little.
FAST: dict[str, Any] = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_backend_optimization_level": 1,
}
QUICK: dict[str, Any] = FAST | {"xla_backend_optimization_level": 0}
# Of programs that are compiled side by side each has one core: left in one piece it
# takes a sixth less of its time, and the bits of its results are the same.
TOGETHER: dict[str, Any] = FAST | {"xla_cpu_parallel_codegen_split_count": 1}
# For passes over large arrays: the newer loop emitters take half the instructions, and
# longer to compile (decision 0016).
LARGE: dict[str, Any] = {"xla_backend_optimization_level": 1}
# Work in single entries, taken and added up one by one, from which a program is worth
# those emitters: the quick ones take three times as long for it (ours).
SCATTERED = 2_000
# And where the data are not much larger than the state: XLA would write down what does
# not change from step to step, and reading that costs more than computing it again.
STREAMED: dict[str, Any] = LARGE | {
    "xla_disable_hlo_passes": "while-loop-invariant-code-motion"
}
_CLOCK = [0.0]


def making() -> float:
    """Seconds that this process spent so far on tracing, translating, compiling."""
    return _CLOCK[0]


def clocked(function: Any) -> Any:
    """What this function takes is counted in `making`."""

    @functools.wraps(function)
    def timed(*args, **options):
        began, inside = time.perf_counter(), _CLOCK[0]
        # Tracing makes much that lives and little that dies; a full collection in the
        # middle of it takes a tenth of a second.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **options)
        finally:
            if collecting:
                gc.enable()
            # What was made meanwhile has counted itself.
            inner = _CLOCK[0] - inside
            _CLOCK[0] += time.perf_counter() - began - inner

    return timed


class Program:
    """A function traced for arguments like these; flat leaves in, flat leaves out.

    On a mesh every argument lies where its sharding says, or else at `place`, where
    the results lie too. `large` is a program whose time goes into passes over large
    arrays; results lie in the buffers of `donated` arguments.
    """

    @clocked
    def __init__(
        self,
        function: Any,
        args: Any,
        place: Any = None,
        large: bool = False,
        donated: tuple[int, ...] = (),
    ):
        args = jax.tree.map(lambda v: mesh.struct(v, place), args)
        jitted = jax.jit(
            function,
            out_shardings=place,
            donate_argnums=donated,
            keep_unused=bool(donated),
        )
        self._traced = jitted.trace(*args)
        self._options = LARGE if large else FAST
        self._call: Any = None
        self._staged: dict[tuple[int, ...], interpret.Staged | None] = {}
        self.place = place
        structs, self.tree = jax.tree.flatten(self._traced.out_info)
        self.structs = [jax.ShapeDtypeStruct(s.shape, s.dtype) for s in structs]
        self._size = sum(v.size for v in self._traced.jaxpr.in_avals)

    @property
    def jaxpr(self) -> Any:
        """What was traced, closed."""
        return self._traced.jaxpr

    @functools.cached_property
    def refusal(self) -> str | None:
        """Why NumPy cannot run this, or None."""
        if self.place is not None:
            return "it runs on a mesh of devices"
        if jax.default_backend() != "cpu":
            return f"its data live on a {jax.default_backend()}"
        return interpret.refusal(self._traced.jaxpr)

    @functools.cached_property
    def work(self) -> float:
        """Units of one evaluation by NumPy, loops of unknown length counted once."""
        return interpret.work(self._traced.jaxpr)

    @functools.cached_property
    def scatters(self) -> bool:
        """Whether much of it takes or adds single entries, as sparse products do."""
        return interpret.work(self._traced.jaxpr, interpret.scattered) >= SCATTERED

    @functools.cached_property
    @clocked
    def numpy(self) -> Any:
        """The program translated for NumPy; only where `refusal` is None."""
        return interpret.compile(self._traced.jaxpr)

    def interpreted(self, leaves: list[Any], limit: float) -> tuple[list[Any], float]:
        """(outputs, work) by NumPy; interpret.Exhausted where that is too much."""
        before = self.numpy.spent
        with blas_threads.threads_for(self._size):
            out = self.numpy(leaves, limit=limit)
        return out, self.numpy.spent - before

    @clocked
    def xla(self, options: dict[str, Any] | None = None) -> Any:
        """The program compiled, for arguments of the structure it was traced with."""
        cpu = jax.default_backend() == "cpu"
        return disk_cache.compiled(
            self._traced.lower(), (options or self._options) if cpu else None
        )

    @property
    def once(self) -> bool:
        """Whether NumPy pays for a few evaluations, as far as is known beforehand."""
        return self.refusal is None and self.work <= ONCE

    def compiled(self, leaves: list[Any]) -> tuple[list[Any], float]:
        """(outputs, work) by XLA, where a unit of work is a tenth of NumPy's (ours)."""
        if self._call is None:
            self._call = self.xla()
        args = jax.tree.unflatten(self._traced.in_tree, leaves)
        return jax.tree.leaves(self._call(*args[0], **args[1])), self.work / 10

    def __call__(self, leaves: list[Any]) -> list[Any]:
        """Outputs, by whichever executor pays for a few evaluations.

        `leaves` are those of the arguments. An interpreted evaluation that turns out
        long is given up, and begun again in XLA; so are all that follow.
        """
        if self._call is None and self.once:
            try:
                return self.interpreted(leaves, ONCE)[0]
            except interpret.Exhausted:
                pass
        return self.compiled(leaves)[0]

    def with_arrays(self, leaves: list[Any], arrays: dict[int, Any]) -> list[Any]:
        """The same outputs; `arrays` are what leaves are views of, by their places.

        They are often the same again and never written to: what they decide alone is
        worked out once while they live.
        """
        if not arrays or not self.once:
            return self(leaves)
        # Compiled or not: other arguments of the same shapes may have made it so, and
        # a compiled program works all of it out at every call.
        early = tuple(arrays)
        if early not in self._staged:
            self._staged[early] = _staged(self._traced.jaxpr, early)
        staged = self._staged[early]
        if staged is not None:
            try:
                return staged(leaves, tuple(arrays.values()), ONCE)
            except interpret.Exhausted:
                self._staged[early] = None
        return self.compiled(leaves)[0]


_staged = clocked(interpret.Staged)

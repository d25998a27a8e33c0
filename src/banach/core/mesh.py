"""Several devices and several processes: where data lie, who decides, who was lost.

A problem whose oracles run on a mesh of devices says so by `Problem.layout()`. Its
programs are compiled for that mesh; what the host reads is the same on every device.
With several processes each runs the same calls on the same data, and process 0 alone
decides on chunks, time limits and interrupts.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from banach.core import validation
from banach.core.door import door
from banach.core.problem import Misuse


class Layout(NamedTuple):
    """A mesh, and how each leaf of the problem is cut over it, in leaf order."""

    mesh: Mesh
    specs: list[PartitionSpec]

    def shardings(self) -> list[NamedSharding]:
        """One for each leaf."""
        return [NamedSharding(self.mesh, spec) for spec in self.specs]

    def everywhere(self) -> NamedSharding:
        """The same array on every device."""
        return NamedSharding(self.mesh, PartitionSpec())


def everywhere(problem: Any) -> NamedSharding | None:
    """Where what is not cut lies; None: on the default device."""
    layout = problem.layout()
    return None if layout is None else layout.everywhere()


def struct(leaf: Any, otherwise: NamedSharding | None) -> jax.ShapeDtypeStruct:
    """Shape, dtype and place of an argument; `otherwise` where it says none."""
    own = getattr(leaf, "sharding", None)
    place = own if isinstance(own, NamedSharding) else otherwise
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


@door
def join(
    coordinator: str, processes: int, index: int, *, patience: int = 60
) -> tuple[int, int]:
    """Make this process one of several that solve together; call it before any JAX.

    Args:
        coordinator: host:port on which process 0 listens.
        processes: how many there are.
        index: which of them this is, 0 to processes - 1.
        patience: seconds to wait for the others to appear, and to leave; as long
            after a death JAX ends the survivors too, so that they have to save by then.

    Returns:
        (devices in all, devices of this process).

    Raises:
        Misuse: an index out of range.
        RuntimeError: the others did not appear in time.

    On CPUs the collectives are those of Gloo. It is `jax.distributed.initialize` with
    timeouts. A process that dies makes the others' next collective fail, so that
    their run ends as `interrupted` with its best point; or, where it dies inside one
    that several local devices share, JAX ends them with its message after `patience`
    seconds. Nothing hangs, and the last checkpoint stands: Gloo cannot go on with
    fewer processes, so start all again and resume. JAX's coordinator lives in process
    0: without it the others are ended at once.
    """
    if not isinstance(coordinator, str) or ":" not in coordinator:
        raise Misuse(
            f"coordinator must be host:port, got {validation.shown(coordinator)}; e.g. "
            "'localhost:9876'"
        )
    processes = validation.integer(processes, "processes", low=1)
    index = validation.integer(index, "index")
    patience = validation.integer(patience, "patience", low=1)
    if not 0 <= index < processes:
        raise Misuse(f"index must be 0 to {processes - 1}, got {index}")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator,
        processes,
        index,
        initialization_timeout=patience,
        heartbeat_timeout_seconds=patience,
        shutdown_timeout_seconds=patience,
    )
    return jax.device_count(), jax.local_device_count()


def shared(place: NamedSharding | None) -> bool:
    """Whether the devices of a place belong to more than one process."""
    return place is not None and not place.is_fully_addressable


def agreed(place: NamedSharding | None, values: tuple[int, ...]) -> tuple[int, ...]:
    """Process 0's values, where several processes run."""
    if not shared(place):
        return values
    from jax.experimental.multihost_utils import broadcast_one_to_all

    heard = broadcast_one_to_all(np.asarray(values, np.int32))
    return tuple(int(v) for v in heard)


def lost(error: Exception) -> str:
    """What is said of a collective that failed."""
    first = str(error).strip().splitlines()[0]
    return (
        f"another process of the mesh is gone ({first}). Start all processes again "
        "and continue with resume= from the checkpoint"
    )

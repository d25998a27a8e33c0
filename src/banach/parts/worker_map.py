"""Work done by each worker on its own rows, on one device or on a mesh.

Arrays of workers have the worker as their leading axis. On a mesh that axis is cut
over the axis "workers" of the mesh, and each device does its workers' work in turn.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree

AXIS = "workers"
_CUT, _WHOLE = PartitionSpec(AXIS), PartitionSpec()


def each(
    mesh: Mesh | None, work: Callable[..., PyTree], common: Any, *rows: PyTree
) -> PyTree:
    """work(common, own rows...) of every worker, stacked.

    Nothing but `common` (the same for all) and a worker's own rows reaches its work.
    """

    def own(common, *rows):
        return jax.vmap(lambda *r: work(common, *r))(*rows)

    if mesh is None:
        return own(common, *rows)
    # A method's own loops may hold values that vary over the mesh or do not.
    return jax.shard_map(
        own,
        mesh=mesh,
        in_specs=(_WHOLE, *[_CUT] * len(rows)),
        out_specs=_CUT,
        check_vma=False,
    )(common, *rows)


def mean(mesh: Mesh | None, rows: PyTree) -> PyTree:
    """The server's average over the workers: one all-reduce on a mesh."""

    def local(rows):
        return jax.tree.map(lambda v: jnp.mean(v, axis=0), rows)

    if mesh is None:
        return local(rows)

    def reduced(rows):
        return jax.lax.pmean(local(rows), AXIS)

    return jax.shard_map(
        reduced, mesh=mesh, in_specs=_CUT, out_specs=_WHOLE, check_vma=False
    )(rows)

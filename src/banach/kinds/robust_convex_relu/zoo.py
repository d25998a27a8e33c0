"""Ready robust networks in convex form by name; listing them imports no jax."""

from banach.kinds.convex_relu.zoo import plane
from banach.zoo.registry import Shelf

_shelf = Shelf("RobustConvexRelu")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named(
    "robust_relu:plane",
    "two-layer ReLU network against inputs moved by 0.02, 30 x 2, 20 patterns",
)
def _robust():
    from banach.kinds.robust_convex_relu.problem import RobustConvexRelu

    return RobustConvexRelu(*plane(), 0.5, 0.02, patterns=20)

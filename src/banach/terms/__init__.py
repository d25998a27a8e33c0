"""What a regulariser or a constraint set is: prox, projection, and what checks need.

`dir(bn.terms)` names them; each is in `bn` too, as bn.L1.
"""

import importlib
from typing import Any

_HOMES = {
    "norms": "Zero L1 L2Norm SquaredL2 ElasticNet LInf",
    "groups": "GroupL2",
    "sets": "Box LInfBall Nonnegative Simplex L1Ball L2Ball",
    "affine": "HalfSpace AffineSet SecondOrderCone",
    "spectral": "Nuclear NuclearBall PSDCone Spectrahedron",
    "total_variation": "TotalVariation1D",
    "product": "Product",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_WHERE)

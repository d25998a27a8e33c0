"""What a regulariser or a constraint set is: prox, projection, and what checks need.

`dir(bn.terms)` names them; each is in `bn` too, as bn.L1.
"""

from banach.lazy import names

__getattr__, __dir__ = names(
    __name__,
    {
        "norms": "Zero L1 L2Norm SquaredL2 ElasticNet LInf",
        "group_envelope": "GroupSparseEnvelope",
        "groups": "GroupL2 SparseGroupL2",
        "sorted_l1": "SortedL1",
        "fused": "FusedL1",
        "folded_concave": "SCAD MCP",
        "learned": "LearnedProx",
        "sets": "Box LInfBall Nonnegative Simplex L1Ball L2Ball",
        "affine": "HalfSpace AffineSet SecondOrderCone",
        "spectral": "Nuclear NuclearBall PSDCone Spectrahedron",
        "total_variation": "TotalVariation1D",
        "product": "Product",
    },
)

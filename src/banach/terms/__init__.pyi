"""Written by tests/typing/public_stub.py --write; a test holds it."""

from banach.terms.affine import AffineSet as AffineSet
from banach.terms.affine import HalfSpace as HalfSpace
from banach.terms.affine import SecondOrderCone as SecondOrderCone
from banach.terms.group_envelope import GroupSparseEnvelope as GroupSparseEnvelope
from banach.terms.groups import GroupL2 as GroupL2
from banach.terms.norms import L1 as L1
from banach.terms.norms import ElasticNet as ElasticNet
from banach.terms.norms import L2Norm as L2Norm
from banach.terms.norms import LInf as LInf
from banach.terms.norms import SquaredL2 as SquaredL2
from banach.terms.norms import Zero as Zero
from banach.terms.product import Product as Product
from banach.terms.sets import Box as Box
from banach.terms.sets import L1Ball as L1Ball
from banach.terms.sets import L2Ball as L2Ball
from banach.terms.sets import LInfBall as LInfBall
from banach.terms.sets import Nonnegative as Nonnegative
from banach.terms.sets import Simplex as Simplex
from banach.terms.spectral import Nuclear as Nuclear
from banach.terms.spectral import NuclearBall as NuclearBall
from banach.terms.spectral import PSDCone as PSDCone
from banach.terms.spectral import Spectrahedron as Spectrahedron
from banach.terms.total_variation import TotalVariation1D as TotalVariation1D

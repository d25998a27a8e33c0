"""Written by tests/typing/public_stub.py --write; a test holds it."""

from banach import parts as parts
from banach import terms as terms
from banach._called_packages import *
from banach.bridge._from_optax import FromOptax as FromOptax
from banach.bridge.optax import Optax as Optax
from banach.bridge.optimistix import Optimistix as Optimistix
from banach.bridge.scipy import Scipy as Scipy
from banach.bridge.sklearn import Sklearn as Sklearn
from banach.checks.enclosure import EnclosureCheck as EnclosureCheck
from banach.checks.fixed_point import Contraction as Contraction
from banach.checks.fixed_point import FixedPointResidual as FixedPointResidual
from banach.checks.frank_wolfe import FrankWolfeGap as FrankWolfeGap
from banach.checks.gap import Gap as Gap
from banach.checks.gap import GapDistance as GapDistance
from banach.checks.objective_target import Goal as Goal
from banach.checks.prox_step import ProxStep as ProxStep
from banach.checks.relative_distance import RelativeDistance as RelativeDistance
from banach.checks.residual import Residual as Residual
from banach.checks.second_order import SecondOrder as SecondOrder
from banach.checks.stationarity import Stationarity as Stationarity
from banach.checks.statistical import HeldOutRisk as HeldOutRisk
from banach.checks.statistical import MeanCheck as MeanCheck
from banach.checks.strong import BallGap as BallGap
from banach.checks.strong import StrongDistance as StrongDistance
from banach.checks.strong import StrongGap as StrongGap
from banach.core.card import Card as Card
from banach.core.card import method as method
from banach.core.check import Absolute as Absolute
from banach.core.check import Certificate as Certificate
from banach.core.check import Check as Check
from banach.core.facts import Fact as Fact
from banach.core.facts import Facts as Facts
from banach.core.kind import KindCard as KindCard
from banach.core.kind import kind as kind
from banach.core.mesh import join as join
from banach.core.method import HostMethod as HostMethod
from banach.core.method import Method as Method
from banach.core.method import Refusal as Refusal
from banach.core.misuse import Misuse as Misuse
from banach.core.point import Point as Point
from banach.core.problem import Problem as Problem
from banach.core.result import NotCertified as NotCertified
from banach.core.result import Result as Result
from banach.core.stacked import Stacked as Stacked
from banach.core.stacked import stack as stack
from banach.doors.explain import explain as explain
from banach.doors.listings import problems as problems
from banach.doors.multistart import MultiStart as MultiStart
from banach.doors.multistart import multistart as multistart
from banach.doors.path import Path as Path
from banach.doors.path import path as path
from banach.doors.reproduce import reproduce as reproduce
from banach.doors.solve import iterate as iterate
from banach.doors.solve import minimize as minimize
from banach.doors.solve import sensitivity as sensitivity
from banach.doors.solve import solve as solve
from banach.doors.solve import solve_many as solve_many
from banach.doors.verify import Verdict as Verdict
from banach.doors.verify import load as load
from banach.doors.verify import verify as verify
from banach.engine.loop import Outcome as Outcome
from banach.engine.loop import run as run
from banach.engine.solve_many_results import Results as Results
from banach.inference.propagation import Propagated as Propagated
from banach.inference.propagation import propagate as propagate
from banach.inference.uncertainty import Uncertainty as Uncertainty
from banach.inference.uncertainty import uncertainty as uncertainty
from banach.kinds.bilevel.check import Hypergradient as Hypergradient
from banach.kinds.bilevel.check import HypergradientBound as HypergradientBound
from banach.kinds.bilevel.problem import Bilevel as Bilevel
from banach.kinds.composite.problem import Composite as Composite
from banach.kinds.constrained.check import KKT as KKT
from banach.kinds.constrained.problem import Constrained as Constrained
from banach.kinds.convex_relu.check import ReluGap as ReluGap
from banach.kinds.convex_relu.network import ReluNetwork as ReluNetwork
from banach.kinds.convex_relu.problem import ConvexRelu as ConvexRelu
from banach.kinds.distributed_sum.problem import DistributedSum as DistributedSum
from banach.kinds.elliptic.check import EnergyDistance as EnergyDistance
from banach.kinds.elliptic.check import EnergyGap as EnergyGap
from banach.kinds.elliptic.manufactured import manufactured as manufactured
from banach.kinds.elliptic.problem import EllipticEnergy as EllipticEnergy
from banach.kinds.finite_sum.check import FullSum as FullSum
from banach.kinds.finite_sum.problem import FiniteSum as FiniteSum
from banach.kinds.fixed_point.problem import FixedPoint as FixedPoint
from banach.kinds.fractional.check import CoordinateGap as CoordinateGap
from banach.kinds.fractional.problem import Fractional as Fractional
from banach.kinds.glm.losses import HuberLoss as HuberLoss
from banach.kinds.glm.losses import LogisticLoss as LogisticLoss
from banach.kinds.glm.losses import PoissonLoss as PoissonLoss
from banach.kinds.glm.losses import SoftmaxLoss as SoftmaxLoss
from banach.kinds.glm.losses import SquaredHingeLoss as SquaredHingeLoss
from banach.kinds.glm.losses import SquaredLoss as SquaredLoss
from banach.kinds.glm.models import BoxLeastSquares as BoxLeastSquares
from banach.kinds.glm.models import ElasticNetRegression as ElasticNetRegression
from banach.kinds.glm.models import FusedLasso as FusedLasso
from banach.kinds.glm.models import GroupLasso as GroupLasso
from banach.kinds.glm.models import HuberRegression as HuberRegression
from banach.kinds.glm.models import Lasso as Lasso
from banach.kinds.glm.models import LogisticRegression as LogisticRegression
from banach.kinds.glm.models import McpRegression as McpRegression
from banach.kinds.glm.models import NonnegativeLeastSquares as NonnegativeLeastSquares
from banach.kinds.glm.models import PoissonRegression as PoissonRegression
from banach.kinds.glm.models import Ridge as Ridge
from banach.kinds.glm.models import ScadRegression as ScadRegression
from banach.kinds.glm.models import SimplexLeastSquares as SimplexLeastSquares
from banach.kinds.glm.models import SlopeRegression as SlopeRegression
from banach.kinds.glm.models import SoftmaxRegression as SoftmaxRegression
from banach.kinds.glm.models import SparseGroupLasso as SparseGroupLasso
from banach.kinds.glm.models import SparseLogisticRegression as SparseLogisticRegression
from banach.kinds.glm.models import SquaredHingeClassifier as SquaredHingeClassifier
from banach.kinds.glm.problem import GLM as GLM
from banach.kinds.graph_fixed_point.problem import GraphFixedPoint as GraphFixedPoint
from banach.kinds.inclusion.check import InclusionDistance as InclusionDistance
from banach.kinds.inclusion.check import InclusionResidual as InclusionResidual
from banach.kinds.inclusion.problem import Inclusion as Inclusion
from banach.kinds.inclusion.problem import saddle as saddle
from banach.kinds.inclusion.variational_check import VariationalGap as VariationalGap
from banach.kinds.least_squares.check import ProjectedResidual as ProjectedResidual
from banach.kinds.least_squares.problem import (
    NonlinearLeastSquares as NonlinearLeastSquares,
)
from banach.kinds.least_squares.problem import least_squares as least_squares
from banach.kinds.linear.check import EnergyError as EnergyError
from banach.kinds.linear.check import LinearDistance as LinearDistance
from banach.kinds.linear.check import LinearResidual as LinearResidual
from banach.kinds.linear.problem import Linear as Linear
from banach.kinds.linear.problem import normal_equations as normal_equations
from banach.kinds.network_feasibility.check import MarginShortfall as MarginShortfall
from banach.kinds.network_feasibility.problem import (
    NetworkFeasibility as NetworkFeasibility,
)
from banach.kinds.robust_convex_relu.check import RobustReluGap as RobustReluGap
from banach.kinds.robust_convex_relu.problem import RobustConvexRelu as RobustConvexRelu
from banach.kinds.root.problem import Root as Root
from banach.kinds.smooth.problem import Smooth as Smooth
from banach.kinds.structured.check import PrimalDual as PrimalDual
from banach.kinds.structured.gap_check import PrimalDualGap as PrimalDualGap
from banach.kinds.structured.models import GeneralizedLasso as GeneralizedLasso
from banach.kinds.structured.models import TotalVariation as TotalVariation
from banach.kinds.structured.problem import Structured as Structured
from banach.kinds.training.problem import Training as Training
from banach.kinds.transport.check import TransportGap as TransportGap
from banach.kinds.transport.exact_check import ExactTransportGap as ExactTransportGap
from banach.kinds.transport.problem import Transport as Transport
from banach.methods.bilevel.bo_rep import BoRep as BoRep
from banach.methods.bilevel.bsvrb import Bsvrb as Bsvrb
from banach.methods.bilevel.hypergradient_descent import (
    HypergradientDescent as HypergradientDescent,
)
from banach.methods.composite.acoder import Acoder as Acoder
from banach.methods.composite.away_step_frank_wolfe import (
    AwayStepFrankWolfe as AwayStepFrankWolfe,
)
from banach.methods.composite.bcd_prox_reg import BcdProxReg as BcdProxReg
from banach.methods.composite.blended_pairwise_frank_wolfe import (
    BlendedPairwiseFrankWolfe as BlendedPairwiseFrankWolfe,
)
from banach.methods.composite.fista import Fista as Fista
from banach.methods.composite.fractional_coordinate_descent import (
    FractionalCoordinateDescent as FractionalCoordinateDescent,
)
from banach.methods.composite.frank_wolfe import FrankWolfe as FrankWolfe
from banach.methods.composite.greedy_bcd import GreedyBcd as GreedyBcd
from banach.methods.composite.lbfgsb import Lbfgsb as Lbfgsb
from banach.methods.composite.mirror_descent import MirrorDescent as MirrorDescent
from banach.methods.composite.momentum_ginzburg_landau import (
    MomentumGinzburgLandau as MomentumGinzburgLandau,
)
from banach.methods.composite.nonconvex_accelerated_prox import (
    NonconvexAcceleratedProx as NonconvexAcceleratedProx,
)
from banach.methods.composite.pairwise_frank_wolfe import (
    PairwiseFrankWolfe as PairwiseFrankWolfe,
)
from banach.methods.composite.projected_newton import ProjectedNewton as ProjectedNewton
from banach.methods.composite.proximal_gradient import (
    ProximalGradient as ProximalGradient,
)
from banach.methods.composite.proximal_newton import ProximalNewton as ProximalNewton
from banach.methods.composite.proximal_quasi_newton import (
    ProximalQuasiNewton as ProximalQuasiNewton,
)
from banach.methods.composite.semismooth_newton import (
    SemismoothNewton as SemismoothNewton,
)
from banach.methods.composite.vr_cyclic_block_descent import (
    VrCyclicBlockDescent as VrCyclicBlockDescent,
)
from banach.methods.composite.working_set_newton import (
    WorkingSetNewton as WorkingSetNewton,
)
from banach.methods.constrained.adasketch_newton import (
    AdasketchNewton as AdasketchNewton,
)
from banach.methods.constrained.convex_relu_admm import ConvexReluAdmm as ConvexReluAdmm
from banach.methods.distributed.diana import Diana as Diana
from banach.methods.distributed.econtrol import Econtrol as Econtrol
from banach.methods.distributed.ef21 import Ef21 as Ef21
from banach.methods.distributed.gradient_tracking import (
    GradientTracking as GradientTracking,
)
from banach.methods.distributed.local_sgd import LocalSgd as LocalSgd
from banach.methods.distributed.marina import Marina as Marina
from banach.methods.distributed.powersgd import Powersgd as Powersgd
from banach.methods.distributed.scaffold import Scaffold as Scaffold
from banach.methods.distributed.sequential_gradient_coding import (
    SequentialGradientCoding as SequentialGradientCoding,
)
from banach.methods.fixed_point.anderson import Anderson as Anderson
from banach.methods.fixed_point.convergent_graph_solver import (
    ConvergentGraphSolver as ConvergentGraphSolver,
)
from banach.methods.fixed_point.picard import Picard as Picard
from banach.methods.least_squares.bounded_levenberg_marquardt import (
    BoundedLevenbergMarquardt as BoundedLevenbergMarquardt,
)
from banach.methods.least_squares.dogleg import Dogleg as Dogleg
from banach.methods.least_squares.gauss_newton import GaussNewton as GaussNewton
from banach.methods.least_squares.hyperlista import Hyperlista as Hyperlista
from banach.methods.least_squares.learned_lm_damping import (
    LearnedLmDamping as LearnedLmDamping,
)
from banach.methods.least_squares.levenberg_marquardt import (
    LevenbergMarquardt as LevenbergMarquardt,
)
from banach.methods.linear.conjugate_gradient import (
    ConjugateGradient as ConjugateGradient,
)
from banach.methods.linear.deep_conjugate_direction import (
    DeepConjugateDirection as DeepConjugateDirection,
)
from banach.methods.minimax.backtracking_extragradient import (
    BacktrackingExtragradient as BacktrackingExtragradient,
)
from banach.methods.minimax.extragradient import Extragradient as Extragradient
from banach.methods.minimax.golden_ratio import GoldenRatio as GoldenRatio
from banach.methods.minimax.halpern import Halpern as Halpern
from banach.methods.minimax.vr_halpern import VrHalpern as VrHalpern
from banach.methods.roots.broyden import Broyden as Broyden
from banach.methods.roots.newton_root import NewtonRoot as NewtonRoot
from banach.methods.roots.powell_hybrid import PowellHybrid as PowellHybrid
from banach.methods.sciml.sobolev_gradient_flow import (
    SobolevGradientFlow as SobolevGradientFlow,
)
from banach.methods.smooth.accelerated_gradient import (
    AcceleratedGradient as AcceleratedGradient,
)
from banach.methods.smooth.accelerated_stochastic_cubic import (
    AcceleratedStochasticCubic as AcceleratedStochasticCubic,
)
from banach.methods.smooth.adaptive_cubic import AdaptiveCubic as AdaptiveCubic
from banach.methods.smooth.barzilai_borwein import BarzilaiBorwein as BarzilaiBorwein
from banach.methods.smooth.barzilai_borwein import (
    BarzilaiBorweinDirection as BarzilaiBorweinDirection,
)
from banach.methods.smooth.bfgs import Bfgs as Bfgs
from banach.methods.smooth.bfgs import BfgsDirection as BfgsDirection
from banach.methods.smooth.dfp import Dfp as Dfp
from banach.methods.smooth.dfp import DfpDirection as DfpDirection
from banach.methods.smooth.energy_preconditioned_gd import (
    EnergyPreconditionedGd as EnergyPreconditionedGd,
)
from banach.methods.smooth.gradient_descent import GradientDescent as GradientDescent
from banach.methods.smooth.gradient_normalized_newton import (
    GradientNormalizedNewton as GradientNormalizedNewton,
)
from banach.methods.smooth.hager_zhang import HagerZhang as HagerZhang
from banach.methods.smooth.hager_zhang import HagerZhangDirection as HagerZhangDirection
from banach.methods.smooth.lazy_newton import LazyNewton as LazyNewton
from banach.methods.smooth.lbfgs import Lbfgs as Lbfgs
from banach.methods.smooth.lbfgs import LbfgsDirection as LbfgsDirection
from banach.methods.smooth.newton_cg import NewtonCg as NewtonCg
from banach.methods.smooth.nonlinear_cg import NonlinearCg as NonlinearCg
from banach.methods.smooth.nonlinear_cg import (
    NonlinearCgDirection as NonlinearCgDirection,
)
from banach.methods.smooth.polak_ribiere import PolakRibiere as PolakRibiere
from banach.methods.smooth.polak_ribiere import (
    PolakRibiereDirection as PolakRibiereDirection,
)
from banach.methods.smooth.root_newton import RootNewton as RootNewton
from banach.methods.smooth.saddle_free_newton import (
    SaddleFreeNewton as SaddleFreeNewton,
)
from banach.methods.smooth.scaled_gd_lambda import ScaledGdLambda as ScaledGdLambda
from banach.methods.smooth.sr1 import Sr1 as Sr1
from banach.methods.smooth.symmetric_poly_precond import (
    SymmetricPolyPrecond as SymmetricPolyPrecond,
)
from banach.methods.smooth.trust_region_newton import (
    TrustRegionNewton as TrustRegionNewton,
)
from banach.methods.splitting.admm import Admm as Admm
from banach.methods.splitting.chambolle_pock import ChambollePock as ChambollePock
from banach.methods.splitting.davis_yin import DavisYin as DavisYin
from banach.methods.splitting.douglas_rachford import DouglasRachford as DouglasRachford
from banach.methods.splitting.restarted_pdhg import RestartedPdhg as RestartedPdhg
from banach.methods.stochastic.adagrad_norm import AdagradNorm as AdagradNorm
from banach.methods.stochastic.clipped_sgd import ClippedSgd as ClippedSgd
from banach.methods.stochastic.katyusha import Katyusha as Katyusha
from banach.methods.stochastic.normalized_sgd import NormalizedSgd as NormalizedSgd
from banach.methods.stochastic.polyak_step import PolyakStep as PolyakStep
from banach.methods.stochastic.saga import Saga as Saga
from banach.methods.stochastic.sarah import Sarah as Sarah
from banach.methods.stochastic.sgd import Sgd as Sgd
from banach.methods.stochastic.spider import Spider as Spider
from banach.methods.stochastic.storm import Storm as Storm
from banach.methods.stochastic.svrg import Svrg as Svrg
from banach.methods.training.adadagrad import Adadagrad as Adadagrad
from banach.methods.training.adafactor import Adafactor as Adafactor
from banach.methods.training.adahessian import Adahessian as Adahessian
from banach.methods.training.amsgrad import Amsgrad as Amsgrad
from banach.methods.training.apollo import Apollo as Apollo
from banach.methods.training.blockwise_8bit_state import (
    Blockwise_8bitState as Blockwise_8bitState,
)
from banach.methods.training.fira import Fira as Fira
from banach.methods.training.m_fac import MFac as MFac
from banach.methods.training.nag_gs import NagGs as NagGs
from banach.methods.training.non_euclidean_trust_region import (
    NonEuclideanTrustRegion as NonEuclideanTrustRegion,
)
from banach.methods.training.online_subspace_descent import (
    OnlineSubspaceDescent as OnlineSubspaceDescent,
)
from banach.methods.training.projection_training import (
    ProjectionTraining as ProjectionTraining,
)
from banach.methods.training.psgd_lie import PsgdLie as PsgdLie
from banach.methods.training.refined_schedule import RefinedSchedule as RefinedSchedule
from banach.methods.training.scalable_shampoo import ScalableShampoo as ScalableShampoo
from banach.methods.training.schedule_free import ScheduleFree as ScheduleFree
from banach.methods.training.shampoo import Shampoo as Shampoo
from banach.methods.training.sophia import Sophia as Sophia
from banach.methods.training.stable_spam import StableSpam as StableSpam
from banach.methods.training.subset_norm_subspace_momentum import (
    SubsetNormSubspaceMomentum as SubsetNormSubspaceMomentum,
)
from banach.methods.training.turbo_muon import TurboMuon as TurboMuon
from banach.methods.transport.sinkhorn import Sinkhorn as Sinkhorn
from banach.methods.transport.sinkhorn_newton_sparse import (
    SinkhornNewtonSparse as SinkhornNewtonSparse,
)
from banach.parts.batch_size import adadagrad_transform as adadagrad_transform
from banach.parts.graph_network import GraphSolver as GraphSolver
from banach.parts.graph_network import graph_solver as graph_solver
from banach.parts.grid_laplacians import GridLaplacian as GridLaplacian
from banach.parts.grid_laplacians import grid_laplacian as grid_laplacian
from banach.parts.grid_laplacians import poisson_grid as poisson_grid
from banach.parts.line_search_methods import Direction as Direction
from banach.parts.line_search_methods import Fixed as Fixed
from banach.parts.line_search_methods import Nonmonotone as Nonmonotone
from banach.parts.line_search_methods import Search as Search
from banach.parts.line_search_methods import Searched as Searched
from banach.parts.line_search_methods import Steepest as Steepest
from banach.parts.line_search_methods import UnitWolfe as UnitWolfe
from banach.parts.line_search_methods import Wolfe as Wolfe
from banach.parts.preconditioners import IncompleteCholesky as IncompleteCholesky
from banach.parts.preconditioners import Jacobi as Jacobi
from banach.parts.preconditioners import Multigrid as Multigrid
from banach.parts.preconditioners import Plain as Plain
from banach.parts.proximal_matching import learned_prox as learned_prox
from banach.parts.schedules import last_iterate_bound as last_iterate_bound
from banach.parts.schedules import linear_decay as linear_decay
from banach.parts.schedules import refine_schedule as refine_schedule
from banach.parts.schedules import refined_schedule as refined_schedule
from banach.parts.wrappers import Averaged as Averaged
from banach.parts.wrappers import Momentum as Momentum
from banach.parts.wrappers import Restarted as Restarted
from banach.racing.race import Race as Race
from banach.racing.race import race as race
from banach.terms.affine import AffineSet as AffineSet
from banach.terms.affine import HalfSpace as HalfSpace
from banach.terms.affine import SecondOrderCone as SecondOrderCone
from banach.terms.folded_concave import MCP as MCP
from banach.terms.folded_concave import SCAD as SCAD
from banach.terms.fused import FusedL1 as FusedL1
from banach.terms.group_envelope import GroupSparseEnvelope as GroupSparseEnvelope
from banach.terms.groups import GroupL2 as GroupL2
from banach.terms.groups import SparseGroupL2 as SparseGroupL2
from banach.terms.learned import LearnedProx as LearnedProx
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
from banach.terms.sorted_l1 import SortedL1 as SortedL1
from banach.terms.spectral import Nuclear as Nuclear
from banach.terms.spectral import NuclearBall as NuclearBall
from banach.terms.spectral import PSDCone as PSDCone
from banach.terms.spectral import Spectrahedron as Spectrahedron
from banach.terms.total_variation import TotalVariation1D as TotalVariation1D

__version__: str

"""A graph network through fixed points of contractions learns stationary states.

Park, Choo and Park (2022): linear maps that contract by gamma whatever the weights are
have one fixed point, with analytic gradients; the network predicts stationary states
competitively, on graphs larger than those it was trained on. Reduced: 12 nodes for
training (20 to 50), 400 steps of Adam on the relative error (5,000 on squares), about
700 weights; baselines are five layers, and an equilibrium layer without a guarantee, of
as many weights. The authors clip scores and divide by degrees; ours takes a softmax.
"""

import jax
import jax.numpy as jnp
import numpy as np

import banach as bn
from banach.claims import instances, runs
from banach.claims.course import at_most, fresh, ours, out_of_reach, proved, reported
from banach.claims.fixed_point import _graphs as graphs
from banach.methods.fixed_point.convergent_graph_solver import ConvergentGraphSolver
from banach.parts.graph_network import graph_solver


def untrained(rng):
    """A random solver, and a graph of 40 diodes."""
    model = graph_solver(jax.random.key(rng.integers(1000)), 2, 1, gamma=0.9)
    return model, [v[0] for v in graphs.diodes(rng, 1, 40)[:3]]


@proved("Park, Choo and Park 2022, abstract (implicit gradients)", at_most(1e-6))
def gradient():
    """Derivatives along ten directions against central differences, over the norm."""

    def away(model, inputs):
        flat, back = jax.flatten_util.ravel_pytree(model)
        loss = jax.jit(lambda v: jnp.sum(back(v)(*inputs) ** 2))
        g = np.asarray(jax.jit(jax.grad(loss))(flat))
        d = np.random.default_rng(0).standard_normal((10, flat.size))
        d /= 1e5 * np.linalg.norm(d, axis=1, keepdims=True)
        want = [float(loss(flat + v) - loss(flat - v)) / 2 for v in d]
        return 1e5 * np.max(np.abs(d @ g - want)) / np.linalg.norm(g)

    return {name: away(*made) for name, made in instances.drawn(untrained).items()}


@proved("Park, Choo and Park 2022, abstract (Banach's theorem)", at_most(1.0))
def contraction():
    """max |x_k - x*| over 0.9^k max |x_0 - x*|, the largest of 120 plain steps."""
    found, method = {}, ConvergentGraphSolver(False)
    for name, (model, inputs) in instances.drawn(untrained).items():
        scores, bias = (np.asarray(v) for v in model.maps(*inputs))
        problem = bn.GraphFixedPoint.from_adjacency(scores, bias, inputs[2], 0.9)
        x = runs.trace(problem, method, 120, x=runs.where)["x"]
        truth = np.asarray(model.fixed_points(*inputs)).ravel()
        error = np.abs(x - truth).max(axis=1) / 0.9 ** np.arange(121)
        found[name] = np.max(error[1:]) / error[0]
    return found


def ratios(train, tests):
    """Error of the graph solver over the smaller of the baselines' on each test."""
    error = {k: graphs.trained(m, train) for k, m in graphs.models(train).items()}
    solver = error.pop("graph solver")
    return {k: solver(g) / min(e(g) for e in error.values()) for k, g in tests.items()}


@reported("Park, Choo and Park 2022, decision processes", at_most(1.0))
def decisions():
    """Error of the values over the better baseline's; trained on 12 nodes."""
    train = graphs.decisions(np.random.default_rng(0), 200, 12, 4)
    rng, tests = np.random.default_rng(fresh()), {}
    for n, actions in ((12, 4), (20, 4), (20, 6), (30, 4), (40, 4)):
        tests[f"{n} nodes, {actions}"] = graphs.decisions(rng, 20, n, actions)
    return ratios(train, tests)


@ours("systems of our own", at_most(1.0), few="two systems, a training of three each")
def other_systems():
    """The same on PageRank and networks of diodes, 10 nodes for training, 40 then."""
    found = {}
    for make in (graphs.pagerank, graphs.diodes):
        rng = np.random.default_rng(fresh())
        found |= ratios(make(rng, 200, 10), {make.__name__: make(rng, 20, 40)})
    return found


porous = out_of_reach(
    "Park, Choo and Park 2022, their other experiments",
    "pressures in porous networks, and graph classification",
    "the networks come from OpenPNM and the benchmarks from DGL, which are not here",
)

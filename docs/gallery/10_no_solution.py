"""The proof that there is no answer.

A blend of 178 Italian wines (scikit-learn's wine data) is to be strong and dark. One
wish can be met, the other by no blend whatever, though each of its halves can. The
nearest miss is not passed off as an answer: that the demands contradict each other is
proved, without a tolerance, and they are named.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import ConvexHull
from sklearn.datasets import load_wine

import banach as bn

data = load_wine()
alcohol, colour, flavanoids = data.data[:, [0, 9, 6]].T


def blend(wish):
    """The most flavanoids of a blend this strong and this dark; x are shares."""
    return bn.Constrained(
        lambda x: -flavanoids @ x,
        np.full(len(alcohol), 1 / len(alcohol)),
        eq=lambda x: x.sum() - 1,
        ineq=lambda x: np.array(wish) - np.stack([alcohol, colour]) @ x,
        lower=0.0,
        convex=True,
    )


wishes = {"possible": (13.5, 8.0), "impossible": (14.5, 12.0)}
for name, wish in wishes.items():
    result = bn.solve(blend(wish))
    print(f"{name}: {result.status}")
    print(textwrap.indent(textwrap.fill(result.reason, 76), "  "))

# What blends can reach is the convex hull of the wines.
wines = np.stack([alcohol, colour], 1)
edge = wines[ConvexHull(wines).vertices]
plt.fill(*edge.T, color="C0", alpha=0.15, label="all blends")
plt.plot(*wines.T, "o", color="C0", markersize=3, label="wines")
for mark, hue, (name, wish) in zip("s^", ("C2", "C1"), wishes.items(), strict=True):
    plt.plot([16, wish[0], wish[0]], [wish[1], wish[1], 15], color=hue, linewidth=1)
    plt.plot(*wish, mark, color=hue, label=f"{name}: from here up and right")
plt.xlim(10.8, 15.2)
plt.ylim(0, 14)
plt.xlabel("alcohol (% of volume)")
plt.ylabel("colour intensity")
plt.legend(loc="upper left")
plt.show()

"""A game: penalty kicks.

Kicker and goalkeeper choose a side at once; the shares of goals are those of 1417
kicks in professional football (Palacios-Huerta, Review of Economic Studies, 2003).
What is certified is a duality gap: neither side can gain more than that by another
mixture. Professionals mix within two percentage points of it.
"""

import matplotlib.pyplot as plt
import numpy as np

import banach as bn

# Rows: the kicker's side, left or right as the paper counts; columns: the keeper's.
goals = np.array([[58.30, 94.97], [92.91, 69.92]]) / 100

# The goalkeeper minimises, the kicker maximises, each over the mixtures of two sides.
even = np.array([0.5, 0.5])
problem = bn.saddle(
    lambda keeper, kicker: kicker @ (goals @ keeper),
    even,
    even,
    term=bn.terms.Product(bn.Simplex(), bn.Simplex()),
    monotone=True,  # bilinear, so convex in one and concave in the other
)
result = bn.solve(problem).require()
print(result.reason)
keeper, kicker = result.x
print(f"to the left: kicker {kicker[0]:.3f}, seen 0.400")
print(f"to the left: keeper {keeper[0]:.3f}, seen 0.423")
print(f"value of the game: {kicker @ goals @ keeper:.3f} goals a kick")

p = np.linspace(0, 1, 200)
for side, name in enumerate(["left", "right"]):
    scored = p * goals[0, side] + (1 - p) * goals[1, side]
    plt.plot(100 * p, 100 * scored, label=f"goalkeeper jumps {name}")
plt.plot(
    100 * kicker[0], 100 * kicker @ goals @ keeper, "ko", label="certified equilibrium"
)
plt.axvline(39.98, color="0.5", linestyle=":", label="what kickers do")
plt.xlabel("kicks to the left (%)")
plt.ylabel("goals (% of kicks)")
plt.legend()
plt.show()

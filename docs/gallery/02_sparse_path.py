"""A sparse path, certified at every point.

Ten measurements of 442 patients and how far their diabetes went in a year
(scikit-learn's diabetes). Sixty penalties are sixty Lassos, solved side by side. Each
comes with a bound on how far its objective lies above the least, so that the path is
drawn by the data at every point, and not by a solver that stopped early at some.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import banach as bn

data = load_diabetes(scaled=False)
A = (data.data - data.data.mean(0)) / data.data.std(0)  # one unit for all columns
y = data.target - data.target.mean()

# Above the largest |A'y| nothing is selected; three decades below, nearly all is.
lam = np.abs(A.T @ y).max() * np.logspace(0, -3, 60)

# `stack` holds A and y once; whatever has one more axis is a number a lane.
results = bn.solve_many(bn.Lasso.stack(A, y, lam=lam), tol=1e-8)
print(f"certified {results.certified.sum()} of {len(results)}")

order = []
for x in results.x:
    order += [j for j in np.flatnonzero(x) if j not in order]
named = {"bp": "pressure", "s5": "log triglycerides", "s3": "HDL"}
names = [named.get(n, n) for n in data.feature_names]
print("first in:", ", ".join(names[j] for j in order[:4]))

for j, name in enumerate(names):
    early = j in order[:4]
    plt.plot(
        lam,
        results.x[:, j],
        color=f"C{order.index(j)}" if early else "0.75",
        label=name if early else None,
        zorder=2 if early else 1,
    )
plt.xscale("log")
plt.gca().invert_xaxis()
plt.xlabel("penalty λ (large to small)")
plt.ylabel("change of progression per standard deviation")
plt.legend(title="first four in")
plt.show()

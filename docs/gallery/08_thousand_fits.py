"""A thousand fits at once.

The bootstrap asks for the same fit again and again on resampled rows: a thousand
logistic regressions of 569 tumours (scikit-learn's breast cancer data), solved side by
side in one compiled program and certified one by one. Their spread stands beside the
standard errors that `bn.uncertainty` computes from a single fit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import banach as bn

data = load_breast_cancer()
names = ["mean radius", "mean texture"]
A = data.data[:, [list(data.feature_names).index(n) for n in names]]
y = np.where(data.target == 0, "malignant", "benign")

fit = bn.solve(bn.LogisticRegression(A, y, l2=0.0, columns=names))
once = bn.uncertainty(fit)

# A resample is a count for each row. A and y are held once; the counts a row a lane.
rng = np.random.default_rng(0)
counts = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=1000)
stack = bn.LogisticRegression.stack(A, y, l2=0.0, sample_weight=counts.astype(float))
results = bn.solve_many(stack).require()
print(f"certified {results.certified.sum()} of {len(results)}")

coefs = results.x  # (1000, 3): a row a fit, the intercept last
_, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True)
for j, (name, axis) in enumerate(zip(names, axes, strict=True)):
    middle, error = once.estimates[name], once.standard_errors[name]
    print(f"{name:12s} bootstrap {coefs[:, j].std():.4f}   formula {error:.4f}")
    z = (coefs[:, j] - middle) / error
    axis.hist(z, bins=40, density=True, color="C0", alpha=0.5, label="1000 resamples")
    t = np.linspace(-4, 4, 200)
    axis.plot(t, np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi), "C1", label="formula")
    axis.set(xlabel=f"coefficient of {name},\nin standard errors from the fit")
axes[0].set_ylabel("density")
axes[0].legend()
plt.show()

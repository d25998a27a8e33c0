"""A run that was interrupted, and went on.

Softmax regression on scikit-learn's digits, stopped after a hundred steps as a cluster
would stop it, and resumed from its file. The resumed run is the run that was never
stopped, bit for bit: an answer does not depend on how often the power failed.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import banach as bn

data = load_digits()
problem = bn.SoftmaxRegression(data.data, data.target, l2=1.0)
file = Path(tempfile.mkdtemp()) / "run.json"

# One JSON file: the answer so far, the problem's data and how to go on.
first = bn.solve(problem, "lbfgs", max_steps=100, checkpoint=file)
print(f"stopped: {first.reason}")

# In another process, or on another day. The file is believed only where it fits.
second = bn.solve(problem, "lbfgs", resume=file)
print(f"resumed: {second.reason}")

whole = bn.solve(problem, "lbfgs")
same = np.array_equal(second.x, whole.x)
print(f"the same as in one go, bit for bit: {same}")

then = second.trace.step >= first.steps
plt.semilogy(first.trace.step, first.trace.ratio, linewidth=4, label="before the stop")
plt.semilogy(second.trace.step[then], second.trace.ratio[then], label="resumed")
plt.axhline(second.tol, color="0.4", linestyle=":", label="asked")
plt.xlabel("step")
plt.ylabel("certified ratio")
plt.legend()
plt.show()

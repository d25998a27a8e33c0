"""A classifier on a data frame.

A pandas frame goes in as it is, columns in their own units and labels as text, and
names come out. scikit-learn's default answer on the same frame stands beside it: its
own warning says that it ran out of iterations, and the check says what it is worth.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import banach as bn

data = load_breast_cancer(as_frame=True)
frame, label = data.data, data.target.map({0: "malignant", 1: "benign"})
train, test = frame.iloc[::2], frame.iloc[1::2]

# Lengths, areas and ratios: columns from 0.001 to 1000. Nothing is standardised.
problem = bn.LogisticRegression(train, label.loc[train.index], l2=1.0)
result = bn.solve(problem).require()
print(result.reason)
right = result.predict(test) == label.loc[test.index].to_numpy()
print(f"right on {right.sum()} of {len(test)} tumours that it has not seen")

# Any answer may be judged, whoever computed it: one vector, the intercept last.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "lbfgs failed to converge"
    theirs = LogisticRegression(C=1.0).fit(train, label.loc[train.index])
point = np.append(theirs.coef_[0], theirs.intercept_[0])
verdict = bn.verify(problem, point)
loss, least = problem.objective(point), problem.objective(result.x)
print(f"scikit-learn's default answer: certified {verdict.certified}")
print(f"  its loss is {loss:.2f}, the least {least:.2f}")

# Coefficients by name; times the deviation of its column, each is an effect.
effect = pd.Series(result.coef) * train.std()
effect = effect.sort_values(key=abs).tail(10)
plt.barh(effect.index, effect, color=["C0" if v > 0 else "C1" for v in effect])
plt.axvline(0, color="0.3", linewidth=0.8)
plt.xlabel("log odds of malignant, per standard deviation of the measurement")
plt.show()

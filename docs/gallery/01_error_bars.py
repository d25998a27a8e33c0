"""A fit in raw units, with error bars.

Energy radiated by a carbon filament at six temperatures (NIST's DanWood). In kelvin
the two parameters lie twelve orders of magnitude apart; the certificate and the
standard errors do not mind, and agree with NIST's to every digit printed.
"""

import matplotlib.pyplot as plt
import numpy as np

import banach as bn

kelvin = np.array([1309, 1471, 1490, 1565, 1611, 1680.0])
energy = np.array([2.138, 3.421, 3.597, 4.340, 4.882, 5.660])

# A model is residuals of a pytree of parameters, here a dict. `data` sets the scale.
fit = bn.least_squares(
    lambda b: b["scale"] * kelvin ** b["power"] - energy,
    {"scale": 1e-12, "power": 4.0},
    data=energy,
)
result = bn.solve(fit).require()  # raises unless the check has certified the point
print(result.reason)

# What the data say of the parameters. Stefan and Boltzmann's power is 4.
found = bn.uncertainty(result)
low, high = found.intervals["power"].values()
print(f"power {found.estimates['power']:.5f}, 95% from {low:.3f} to {high:.3f}")
print(f"standard error {found.standard_errors['power']:.7f}, NIST's 0.0517266")

# A band for the curve, carried through the slopes of the model. Drawn as what is left
# of the best law of power 4: the curves themselves coincide.
t = np.linspace(1280, 1710, 200)
fourth = np.sum(energy * kelvin**4) / np.sum(kelvin**8)
left = bn.propagate(
    result, lambda b, t: b["scale"] * t ** b["power"] - fourth * t**4, (t,)
)
left.plot(t, observed=(kelvin, energy - fourth * kelvin**4))
plt.axhline(0, color="C1", linestyle="--", label="power 4")
plt.xlabel("temperature (K)")
plt.ylabel("energy less that of power 4 (per cm² and second)")
plt.legend()
plt.show()

"""Roots with a proof.

Between Earth and Moon there are five points where a satellite stays at rest with both:
roots of two equations. A solver finds points with a small residual. Krawczyk's test, in
interval arithmetic, proves that exactly one root lies within the printed distance of
each, the rounding of the proof itself included.
"""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import banach as bn

mu = 0.0121505856  # the Moon's share of the mass; the unit of length is its distance


def pull(q):
    """Acceleration in the frame that turns with Earth and Moon."""
    x, y = q
    earth, moon = jnp.hypot(x + mu, y) ** 3, jnp.hypot(x - 1 + mu, y) ** 3
    return jnp.stack(
        [
            x - (1 - mu) * (x + mu) / earth - mu * (x - 1 + mu) / moon,
            y - (1 - mu) * y / earth - mu * y / moon,
        ]
    )


starts = {"L1": (0.8, 0), "L2": (1.2, 0), "L3": (-1, 0), "L4": (0.5, 0.8)}
starts["L5"] = (0.5, -0.8)
found = {}
for name, start in starts.items():
    result = bn.solve(bn.Root(pull, np.array(start, float)), tol=1e-12)
    proof = bn.verify(result, check="enclosure", tol=bn.Absolute(1e-9))
    found[name] = result.x
    within = 384400e6 * float(proof.certificate.value)  # millimetres
    print(f"{name} proved {proof.certified}, one root within {within:.1e} mm")

x, y = np.meshgrid(np.linspace(-1.5, 1.5, 301), np.linspace(-1.2, 1.2, 241))
earth, moon = np.hypot(x + mu, y), np.hypot(x - 1 + mu, y)
height = (x**2 + y**2) / 2 + (1 - mu) / earth + mu / moon
plt.figure(figsize=(6, 5))
plt.contour(x, y, height, np.linspace(1.494, 1.7, 9), colors="0.75", linewidths=1)
plt.plot(-mu, 0, "o", color="C0", markersize=16)
plt.plot(1 - mu, 0, "o", color="0.4", markersize=7)
plt.text(0.06, 0.06, "Earth")
plt.text(0.94, -0.2, "Moon")
for name, (u, v) in found.items():
    plt.plot(u, v, "P", color="C1", markersize=9)
    plt.text(u, v + 0.07, name, color="C1", ha="center", weight="bold")
plt.grid(False)
plt.gca().set_aspect("equal")
plt.xlabel("x (distances of the Moon)")
plt.ylabel("y (distances of the Moon)")
plt.show()

"""The rules of `methods/smooth/_damped_newton_steps`, after their formulas."""

import numpy as np


def explicit(rule, g, n):
    """The damping theta of Root Newton."""
    power = 1 / (rule.q - 1)
    return (9 * rule.M) ** power * np.sqrt(g @ n) ** ((rule.q - 2) * power)


def backtracking(rule, theta, grad, x, n, H):
    """The least theta, from the last one over `grow`, that meets the condition."""
    theta = max(theta / rule.grow, np.finfo(float).eps)
    while True:
        h = grad(x - n / (1 + theta))
        if h @ n >= h @ np.linalg.solve(H, h) * (1 + theta) / (2 * theta):
            return theta
        theta = theta * rule.grow


def golden(rule, oracles, x, n, H):
    """The best theta of a golden-section search for 1 / (1 + theta)."""

    def merit(a):
        h = oracles.grad(x - a * n)
        fall = oracles.value(x - a * n) - oracles.value(x)
        return fall / (h @ np.linalg.solve(H, h)) if rule.regulated else fall

    low, high, a = 0.0, 1.0, (5**0.5 - 1) / 2
    seen = {1.0: merit(1.0), a: merit(a)}
    for _ in range(2, rule.max_steps):
        b = low + high - a
        seen[b] = merit(b)
        left, right = sorted((a, b))
        down = seen[left] <= seen[right]
        low, high, a = (low, right, left) if down else (left, high, right)
    return 1 / min(seen, key=seen.get) - 1

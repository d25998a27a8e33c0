"""Gradient descent: Nesterov (2018), scheme 1.2.16 with a constant step."""


def iterates(oracles, x0, steps, *, step_size):
    x, out = x0, []
    for _ in range(steps):
        x = x - step_size * oracles.grad(x)
        out.append(x)
    return out

"""Conjugate gradients: Hestenes and Stiefel (1952), equations 3:1, preconditioned."""


def iterates(A, b, x0, steps, *, inverse=lambda r: r):
    x, r = x0, b - A @ x0
    z = inverse(r)
    p, out = z, []
    for _ in range(steps):
        a = (r @ z) / (p @ A @ p)
        x = x + a * p
        r_new = r - a * (A @ p)
        z_new = inverse(r_new)
        p = z_new + (r_new @ z_new) / (r @ z) * p
        r, z = r_new, z_new
        out.append(x)
    return out

"""Problems that saved runs name as file.py:object; run as a script, it is killed."""

import jax.numpy as jnp
import numpy as np

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.gradient_descent import GradientDescent


def _f(x, c):
    return 0.5 * jnp.sum(c * (x - 1) ** 2)


def _valley(c):
    zero = np.zeros(len(c))
    return Smooth(_f, zero, (np.array(c),), L=1.0, convex=True, reference=zero)


valley = _valley([1.0, 1e-2, 1e-4, 1e-6, 1e-8])
easy = _valley([1.0, 0.5, 0.2, 0.1, 0.05])
other = _valley([1.0, 0.5, 0.2, 0.1, 0.06])


def _bowl(x, scale):
    return scale / 2 * sum(jnp.sum((v - 1) ** 2) for v in x.values())


def bowl(scale=1.0):
    """scale / 2 ||x - 1||^2 from 0, in float32, with more than a few unknowns."""
    x0 = {"a": np.zeros(2**13, np.float32), "b": np.zeros((2, 4), np.float32)}
    return Smooth(_bowl, x0, (np.float32(scale),))


large = bowl()


def main(path, steps):
    """Solve with a checkpoint at every chunk border until killed."""
    import banach as bn

    def tell(result):
        print(result.steps, flush=True)

    bn.solve(
        f"{__file__}:valley", GradientDescent(1.0, search=False), tol=1e-12,
        max_steps=int(steps), checkpoint=path, checkpoint_seconds=1e-9, progress=tell,
    )  # fmt: skip


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])

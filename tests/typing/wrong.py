"""A user's mistakes, with the code of the error behind each: never run."""

import jax.numpy as jnp
import numpy as np

import banach as bn

A, b = np.eye(3), [1.0, 2.0, 3.0]
result = bn.solve(bn.Ridge(A, b))

bn.solve(bn.Ridge(A, b), toll=1e-3)  # call-arg
bn.solve(bn.Ridge(A, b), tol="small")  # arg-type
bn.solve(lambda x: x)  # arg-type
bn.solve(bn.Ridge(A, b), max_steps="many")  # arg-type
bn.minimize(lambda x: jnp.sum(x**2), b, maxsteps=3)  # call-arg
bn.Lasso(A, b, lam=0.1, intercpt=True)  # call-arg
bn.Lasso(A, b, lam="0.1")  # arg-type
bn.Lasso(A, b)  # call-arg
bn.Smooth(lambda x: jnp.sum(x**2), b, convx=True)  # call-arg
bn.Smooth(lambda x: jnp.sum(x**2), b, L="1")  # arg-type
bn.Composite(lambda x: jnp.sum(x**2), 0.1, b)  # arg-type
bn.Fista(restrt=False)  # call-arg
bn.Lbfgs(memory="10")  # arg-type
bn.NewtonCg(radius="1")  # arg-type
bn.Stationarity(scren=1.0)  # call-arg
bn.L1(lamb=0.1)  # call-arg
bn.solve_many(bn.Ridge(A, b))  # arg-type
result.success  # attr-defined
result.certificate.rate  # attr-defined
bn.lasso  # attr-defined
bn.terms.L3  # attr-defined

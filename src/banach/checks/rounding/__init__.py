"""Rounding error of JAX functions: modelled bounds and perturbation estimates."""

from banach.checks.rounding.bound import perturbed as perturbed
from banach.checks.rounding.bound import supported as supported
from banach.checks.rounding.bound import traced_with_error as traced_with_error
from banach.checks.rounding.bound import with_error as with_error

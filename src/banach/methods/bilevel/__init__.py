"""Minimise over the minimiser of a lower problem."""

"""Nonlinear elliptic variational problems."""

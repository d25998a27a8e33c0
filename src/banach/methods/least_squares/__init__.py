"""Nonlinear least squares: residuals and their Jacobian."""

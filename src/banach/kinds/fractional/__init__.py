"""Ratios of a regularised least squares and a norm of few entries."""

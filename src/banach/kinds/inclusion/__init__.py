"""Monotone inclusions and saddle points."""

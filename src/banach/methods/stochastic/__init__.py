"""Sums of many terms, a few at a time."""

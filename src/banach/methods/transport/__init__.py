"""Methods of optimal transport."""

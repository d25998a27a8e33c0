"""Graph maps that contract by construction."""

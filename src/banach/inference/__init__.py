"""How well an answer is known as an estimate: standard errors and intervals."""

"""Claims of the minimax family."""

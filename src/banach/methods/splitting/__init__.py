"""Methods that split a sum into parts, each met by its own prox or gradient."""

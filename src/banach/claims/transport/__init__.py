"""Claims of the transport family."""

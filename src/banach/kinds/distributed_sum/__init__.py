"""A finite sum whose terms are spread over workers."""

"""Methods on which the comparison and the mutations are themselves tested."""

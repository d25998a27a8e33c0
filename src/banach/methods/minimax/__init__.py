"""Methods for monotone inclusions, saddle points and variational inequalities."""

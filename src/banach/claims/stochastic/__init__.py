"""Claims of the methods on sums of terms."""

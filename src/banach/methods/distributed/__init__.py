"""Methods for sums that are spread over workers."""

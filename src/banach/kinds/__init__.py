"""What a problem is and why its answer may be believed: a room for each kind."""

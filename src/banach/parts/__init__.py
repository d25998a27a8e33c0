"""What methods are built from: terms, searches, subproblems, memory, averages."""

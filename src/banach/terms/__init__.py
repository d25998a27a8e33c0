"""What a regulariser or a constraint set is: prox, projection, and what checks need."""

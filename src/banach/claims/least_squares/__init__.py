"""What methods for nonlinear least squares claim, measured again."""

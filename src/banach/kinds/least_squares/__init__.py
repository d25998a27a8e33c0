"""Half a sum of squared residuals."""

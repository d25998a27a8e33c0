"""Numbers about a problem that are not solutions: bounds of norms and spectra."""

"""The mean of many terms, one a datum."""

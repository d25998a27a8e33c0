"""The kind Structured: a smooth function, a term, and a term of a linear map."""

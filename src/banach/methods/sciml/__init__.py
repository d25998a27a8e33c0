"""Methods for partial differential equations and learned operators."""

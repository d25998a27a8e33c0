"""Peer libraries as methods: each file is the only one that imports its library."""

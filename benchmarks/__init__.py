"""banach beside its peers: `python -m benchmarks [NAME...] [--json] [--quick]`.

One file a benchmark; each has `run(quick) -> Report`. The same outside check judges
every answer, off the clock.
"""

"""Random problems with known answers, thrown at every check whose truth is computable.

`python -m fuzz --lanes 100000 --seed 0` draws them, judges every verdict in extended
precision, and prints each false certificate, shrunk, as code. See docs/fuzzing.md.
"""

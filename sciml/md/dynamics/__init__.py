"""Atoms that move: ensembles, one run or many, checkpoints."""

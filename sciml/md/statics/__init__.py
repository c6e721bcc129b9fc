"""Atoms at rest: relaxation, elastic constants, phonons."""

"""Atoms and who is near whom: systems, units, neighbour lists, pairs, and what every potential is."""

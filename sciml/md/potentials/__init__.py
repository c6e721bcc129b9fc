"""Energies of atoms."""

from ._lennard_jones import LennardJones as LennardJones

"""Potentials from data: datasets, training, committees, active learning."""

"""Models of DeePMD-kit."""

from ._load import load_deep_potential as load_deep_potential

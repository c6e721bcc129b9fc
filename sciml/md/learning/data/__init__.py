"""Labelled structures: read, checked, cut, written, downloaded."""

from ._dataset import Dataset as Dataset

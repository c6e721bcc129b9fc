"""References and coefficients: files of PINNacle (github.com/i207M/PINNacle, MIT) and our own, in ../shared/data/pinnacle.

Files of ours (`own/`) stand where PINNacle's are not public, or do not solve what is stated: finite elements and spectral
methods of other codes (scikit-fem, NumPy) on two grids, whose difference is named with each problem. Random coefficients are
drawn as its generator does, from its seed; its own published pictures agree with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _runner import DATA, Missing, Table

FILES = DATA / "pinnacle"
SEED = 20220722
TABLE = Table()

Reference = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


def present(name: str) -> Path:
    path = FILES / name
    if not path.exists():
        raise Missing(f"{path} is not here: set SCIML_DATA to the folder that holds pinnacle/{name}")
    return path


def numbers(name: str) -> np.ndarray:
    return np.loadtxt(present(name), comments="%")


def points_file(name: str, coordinates: Sequence[str], fields: Sequence[str]) -> Reference:
    """A table of points: first the coordinates, then the fields."""
    columns = numbers(name).T
    k = len(coordinates)
    return dict(zip(coordinates, columns[:k], strict=True)), dict(zip(fields, columns[k:], strict=True))


def times_file(name: str, coordinates: Sequence[str], field: str, step: float) -> Reference:
    """A table of points in space, and one column for each time."""
    data = numbers(name)
    k = len(coordinates)
    values = data[:, k:]
    points: dict[str, Any] = {c: np.broadcast_to(data[:, i, None], values.shape).ravel() for i, c in enumerate(coordinates)}
    points["t"] = np.broadcast_to(step * np.arange(values.shape[1]), values.shape).ravel()
    return points, {field: values.ravel()}


def own(name: str) -> Reference:
    with np.load(present(f"own/{name}.npz")) as data:
        part = lambda mark: {key[2:]: data[key] for key in data.files if key.startswith(mark)}  # noqa: E731
        return part("c_"), part("f_")


def random_field(power: float = 4.0, size: int = 256) -> np.ndarray:
    """A periodic Gaussian field with spectrum |k|^(-power/2), mean 0 and deviation 1; the first index is that of x."""
    random = np.random.RandomState(SEED)
    index = np.fft.fftshift(np.mgrid[:size, :size] - (size + 1) // 2)
    amplitude = (index[0] ** 2 + index[1] ** 2 + 1e-10) ** (-power / 4)
    amplitude[0, 0] = 0
    real = random.normal(size=(size, size))
    noise = real + 1j * random.normal(size=(size, size))
    value = np.fft.ifft2(noise * amplitude).real
    value -= value.mean()
    return (value / value.std()).T  # PINNacle's array has y first


def best(published: float) -> float:
    """What counts as right: the published best, or a tenth where nobody solved the problem."""
    return min(published, 0.1)

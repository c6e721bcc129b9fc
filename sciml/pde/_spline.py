"""Tensor-product interpolating splines, evaluated in JAX."""

import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import make_interp_spline


class Spline:
    """sum_ij c_ij B_i(x) B_j(y) ...: called with one scalar for each axis, returns a scalar.

    The nonzero basis functions at a point follow from the Cox-de Boor recursion (de Boor, *A Practical Guide
    to Splines*, 1978, chapter X, eq. (4)-(5)); derivatives are splines of lower degree, with coefficients by
    divided differences (ibid., eq. (15)). Of degree 0 it is constant on blocks, and the grids are their edges.
    """

    def __init__(self, knots, degrees, coefficients, grids, values, degree):
        self.knots: tuple[np.ndarray, ...] = knots
        self.degrees: tuple[int, ...] = degrees
        self.coefficients: np.ndarray = coefficients
        self.grids: tuple[np.ndarray, ...] = grids
        self.values: np.ndarray = values
        self.degree: int = degree
        digest = hashlib.sha256(repr((degree, degrees, values.shape)).encode())
        for array in (*grids, values):
            digest.update(np.ascontiguousarray(array).tobytes())
        self.fingerprint = digest.hexdigest()

    @classmethod
    def interpolate(cls, name: str, grids: Sequence[Any], values: Any, degree: int) -> "Spline":
        checked = tuple(np.asarray(grid, float) for grid in grids)
        if np.iscomplexobj(values):
            raise ValueError(
                f"Table {name!r} has complex values: make one table of the real and one of the imaginary "
                "part."
            )
        data = np.asarray(values, float)
        if degree != 0 and (degree < 1 or degree % 2 == 0):
            raise ValueError(
                f"The degree of table {name!r} must be odd and positive (5 by default), or 0 for values that are constant "
                f"on blocks; got {degree}."
            )
        shape = tuple(grid.size for grid in checked)
        edges = degree == 0 and data.shape == tuple(n - 1 for n in shape)
        shape = data.shape if edges else shape
        if any(grid.ndim != 1 for grid in checked) or data.shape != shape:
            blocks = "" if degree else " (edges of blocks are one more than values along each axis)"
            raise ValueError(
                f"Table {name!r}: expected one 1D grid per axis and values of shape {shape} to go with "
                f"them{blocks}; got grids of shapes {[grid.shape for grid in checked]} and values of shape {data.shape}."
            )
        for axis, grid in enumerate(checked):
            if grid.size < 2:
                raise ValueError(
                    f"Table {name!r}: axis {axis} has {grid.size} point(s); at least 2 are needed."
                )
            if not np.all(np.isfinite(grid)) or not np.all(np.diff(grid) > 0):
                raise ValueError(
                    f"Table {name!r}: grid {axis} must be finite and strictly increasing; sort it first."
                )
        if not np.all(np.isfinite(data)):
            raise ValueError(f"Table {name!r} contains NaN or infinity: fill or drop these points first.")
        if degree == 0:
            if not edges:  # each point stands for what is nearest to it
                checked = tuple(np.concatenate([g[:1], (g[1:] + g[:-1]) / 2, g[-1:]]) for g in checked)
            return cls(checked, (0,) * data.ndim, data, checked, data, degree)
        # Odd degrees, so that the knots lie at the data points and the interpolant has no preferred side.
        degrees = tuple(min(degree, (size - 2) // 2 * 2 + 1) for size in shape)
        coefficients, knots = data, []
        for axis, (grid, k) in enumerate(zip(checked, degrees)):
            spline = make_interp_spline(grid, coefficients, k=k, axis=axis)
            knots.append(np.asarray(spline.t))
            coefficients = np.moveaxis(np.asarray(spline.c), 0, axis)
        return cls(tuple(knots), degrees, coefficients, checked, data, degree)

    def check_order(self, name: str, axis: int, order: int) -> None:
        smooth = self.degrees[axis] - 1
        if smooth < 0:
            raise ValueError(
                f"Derivative of table {name!r} in argument {axis + 1}: it is constant on blocks, and its jumps between them "
                "have no derivative. A flux whose coefficient jumps is written d(flux, x) or div(flux); a smooth table has "
                "degree=5."
            )
        if order > smooth:
            raise ValueError(
                f"Derivative of order {order} of table {name!r} in argument {axis + 1}: its spline has only "
                f"{smooth} "
                f"continuous derivatives there. Build it with table(..., degree={2 * (order // 2) + 3}), "
                "from enough "
                "points."
            )

    def derivative(self, orders: Sequence[int]) -> "Spline":
        knots, degrees, c = list(self.knots), list(self.degrees), self.coefficients
        for axis, order in enumerate(orders):
            for _ in range(order):
                k, t = degrees[axis], knots[axis]
                spans = t[k + 1 : -1] - t[1 : -k - 1]
                shape = [1] * c.ndim
                shape[axis] = -1
                c = np.diff(c, axis=axis) * (k / spans).reshape(shape)
                knots[axis], degrees[axis] = t[1:-1], k - 1
        return Spline(tuple(knots), tuple(degrees), c, self.grids, self.values, self.degree)

    def __call__(self, *point):
        if len(point) != len(self.knots):
            raise TypeError(f"This table takes {len(self.knots)} argument(s); got {len(point)}.")
        dtype = jnp.result_type(*point)
        if not jnp.issubdtype(dtype, jnp.floating):
            dtype = jnp.result_type(float)
        starts, weights, inside = [], [], True
        for x, t, k in zip(point, self.knots, self.degrees):
            margin = 1e-6 * (t[-1] - t[0])
            inside = inside & (x >= t[0] - margin) & (x <= t[-1] + margin)
            start, basis = _basis(jnp.asarray(x, dtype), t, k)
            starts.append(start)
            weights.append(basis)
        total = jax.lax.dynamic_slice(
            jnp.asarray(self.coefficients, dtype), starts, [k + 1 for k in self.degrees]
        )
        for basis in weights:
            total = jnp.tensordot(basis, total, axes=1)
        return jnp.where(inside, total, jnp.nan)


def _basis(x, t, k):
    """The index of the first of the k + 1 splines that are nonzero at x, and their values."""
    cell = jnp.clip(jnp.searchsorted(t[k : t.size - k], jax.lax.stop_gradient(x), side="right") - 1, 0, t.size - 2 * k - 2)
    # Polynomials made beforehand: XLA would repeat the recursion itself 2^k times.
    middle, half, powers = (jnp.asarray(a, x.dtype)[cell] for a in _pieces(t, k))
    s = (x - middle) / half
    values = powers[:, k]
    for power in range(k - 1, -1, -1):
        values = values * s + powers[:, power]
    return cell, values


def _pieces(t, k):
    """The cells between knots k and -k, their middles and half widths, and the splines on each as polynomials in s, which is
    -1 to 1 in a cell: `(cells, k + 1, k + 1)`, the spline and the power."""
    cells = np.arange(k, t.size - k - 1)
    middle, half = ((t[cells + 1] + sign * t[cells]) / 2 for sign in (1, -1))
    values = np.ones((cells.size, 1, 1))
    for degree in range(1, k + 1):
        left, right = (np.stack([t[cells + j + i] for j in range(degree)], axis=1) for i in (1 - degree, 1))
        ratio = np.pad(values / (right - left)[..., None], ((0, 0), (0, 0), (0, 1)))
        risen = half[:, None, None] * np.roll(ratio, 1, axis=-1)  # times x - middle
        falling = (right - middle[:, None])[..., None] * ratio - risen
        rising = (middle[:, None] - left)[..., None] * ratio + risen
        values = np.pad(falling, ((0, 0), (0, 1), (0, 0))) + np.pad(rising, ((0, 0), (1, 0), (0, 0)))
    return middle, half, values

"""The trial function: a network between conditions that hold exactly."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy as sp
from jaxtyping import Array, Float, PyTree

from ..nn import Adapted
from ..pde import PDE, Lowered, lower
from ._exact import Exactness, Held


@dataclass(frozen=True, eq=False)
class Trial:
    """The fields as functions of one point and of the network's parameters.

        u_i(x) = lift_i(x) + scale_i factor_i(x) N_i(z(x)) - shift_i(x)

    `lift` has the prescribed values, `factor` vanishes where they are prescribed (to the order in time that is
    prescribed), z is the coordinate scaled to [-1, 1]; a periodic one enters as cos and sin, or as the angle where
    the network says that it takes angles (`network.angles`). Lagaris, Likas & Fotiadis 1998 (10.1109/72.712178); the
    lift is the transfinite interpolation of Gordon & Hall 1973 (10.1007/BF01436298). Shifts are for fields that the
    equations know up to a constant; there are none during training.
    """

    network: Adapted
    lower: np.ndarray
    upper: np.ndarray
    periodic: tuple[int, ...]
    angles: bool
    names: tuple[str, ...]
    scales: np.ndarray
    exact: Lowered  # lift_1, factor_1, lift_2, factor_2, ...
    missing: tuple[tuple[int, ...], ...]  # for each field, the coordinates on which it does not depend
    shifts: tuple[tuple[int, Shift], ...] = ()  # (number of a field, what is taken off it)

    @property
    def size(self) -> int:
        return len(self.scales)

    def inputs(self, x: Float[Array, " d"]) -> Float[Array, " inputs"]:
        """What the network sees of a point."""
        low, high = jnp.asarray(self.lower, x.dtype), jnp.asarray(self.upper, x.dtype)
        z = 2 * (x - low) / (high - low) - 1
        if self.angles or not self.periodic:
            return z
        columns = []
        for axis in range(len(self.names)):
            if axis in self.periodic:
                columns += [jnp.cos(jnp.pi * z[axis]), jnp.sin(jnp.pi * z[axis])]
            else:
                columns.append(z[axis])
        return jnp.stack(columns)

    def __call__(self, params: PyTree, x: Float[Array, " d"]) -> Float[Array, " fields"]:
        """All fields at one point, in physical units."""
        fields = self.unshifted(params, x)
        for i, shift in self.shifts:
            fields = fields.at[i].add(-shift(lambda x, i=i: self.unshifted(params, x)[i], x))
        return fields

    def unshifted(self, params: PyTree, x: Float[Array, " d"]) -> Float[Array, " fields"]:
        """The fields as they are trained."""
        z = self.inputs(x)
        outputs = self.network.apply(params, z)
        if any(self.missing):
            middle = jnp.asarray((self.lower + self.upper) / 2, x.dtype)
            for i, axes in enumerate(self.missing):
                if axes:
                    fixed = x.at[np.array(axes)].set(middle[np.array(axes)])
                    outputs = outputs.at[i].set(self.network.apply(params, self.inputs(fixed))[i])
        exact = self.exact({name: x[axis] for axis, name in enumerate(self.names)})
        lifts, factors = jnp.stack(exact[0::2]), jnp.stack(exact[1::2])
        return lifts + factors * (jnp.asarray(self.scales, x.dtype) * outputs)


# What is taken off a field, from the field as it was trained, a function of one point, and the point.
Shift = Callable[[Callable[[Any], Any], Any], Any]


def input_size(dimension: int, periodic: tuple[int, ...], angles: bool) -> int:
    """Coordinates, and one more for each periodic one where it enters as cos and sin."""
    return dimension if angles else dimension + len(periodic)


def exact_part(pde: PDE, lower_: np.ndarray, upper: np.ndarray, decided: Exactness) -> Lowered:
    """The lifts and factors of all fields as one function of the coordinates."""
    expressions: list[Any] = []
    for u in pde.fields:
        expressions += lift_and_factor(pde, lower_, upper, decided.held[u.field_name])
    lowered: Any = lower(expressions, coordinates=pde.coordinates)
    return lowered


def lift_and_factor(pde: PDE, lower_: np.ndarray, upper: np.ndarray, held: Held) -> tuple[Any, Any]:
    """Two expressions: one with the prescribed values, one that vanishes where they are prescribed.

    With P_a the interpolation of the values prescribed along axis a, the lift is the boolean sum

        u = [1 - prod_a (1 - P_a)] u = sum over nonempty sets S of (-1)^(|S|+1) prod_{a in S} P_a u
    """
    blends: list[Callable[[Any], Any]] = []
    factor: Any = sp.Integer(1)
    axes = sorted({f.axis for f in held.faces})
    for axis in axes:
        faces = {f.side: f for f in held.faces if f.axis == axis}
        x, a, b = pde.coordinates[axis], float(lower_[axis]), float(upper[axis])
        z = (2 * x - (a + b)) / (b - a)
        if len(faces) == 2:
            factor *= (1 - z) * (1 + z)
        else:
            factor *= (1 + z) / 2 if -1 in faces else (1 - z) / 2
        blends.append(_wall_blend(x, z, faces))
    if held.initial:
        assert pde.time is not None
        axis = pde.coordinates.index(pde.time)
        start, end = float(lower_[axis]), float(upper[axis])
        factor *= ((pde.time - start) / (end - start)) ** len(held.initial)
        blends.append(_initial_blend(pde.time, start, [value for value, _ in held.initial]))
    lift: Any = sp.Integer(0)
    for size in range(1, len(blends) + 1):
        for chosen in itertools.combinations(blends, size):
            term: Any = None
            for blend in reversed(chosen):
                term = blend(term)
            lift += (-1) ** (size + 1) * term
    return lift, factor


def _wall_blend(x: Any, z: Any, faces: dict[int, Any]) -> Callable[[Any], Any]:
    shares = {-1: (1 - z) / 2, 1: (1 + z) / 2} if len(faces) == 2 else dict.fromkeys(faces, sp.Integer(1))

    def blend(inner: Any) -> Any:
        def at(face: Any) -> Any:
            return (face.data if inner is None else inner).subs(x, face.value)

        return sum((shares[side] * at(face) for side, face in faces.items()), sp.Integer(0))

    return blend


def _initial_blend(t: Any, start: float, values: list[Any]) -> Callable[[Any], Any]:
    def blend(inner: Any) -> Any:
        total: Any = sp.Integer(0)
        for order, value in enumerate(values):
            data = value if inner is None else inner.diff(t, order) if order else inner
            total += (t - start) ** order / sp.factorial(order) * data.subs(t, start)
        return total

    return blend

"""A layer of random waves of which only the amplitudes are trained."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._dense import as_key, check_point, check_sizes
from ._trainable import Frozen, unfreeze


class RandomFeatures(eqx.Module):
    """One hidden layer of random waves; the output is linear in everything that is trained.

        y = C^T sin(B x + b),   B_ij uniform on [-scale_j, scale_j] (+- f_j),   b_i uniform on [0, 2 pi),

    f_j one of the frequencies `around[j]`, where there are any.

    A least-squares problem in C: one linear solve trains it on a linear equation, to an accuracy that no gradient
    method reaches where the solution is smooth. Rahimi & Recht 2008 for the features; Dwivedi & Srinivasan 2020
    (10.1016/j.neucom.2019.12.099), Dong & Li 2021 (arXiv:2012.02895) and Chen et al. 2022 (arXiv:2207.13380) for
    equations.

    **Arguments:** `features` waves; `scale`, the largest angular frequency, one number or one per coordinate;
    `periodic`, the coordinates in which it repeats over [-1, 1]: their frequencies are whole multiples of pi; `around`, for
    each coordinate the frequencies that the solution oscillates with, such as `((31.4,), (), ())`.

    **Good values:** coordinates scaled to [-1, 1]; `scale` 2 for a smooth solution, 10 for one with a few waves; 500 to
    2000 features. Sharp fronts need a network that is trained as a whole.

    >>> net = RandomFeatures(2, 1, features=100)
    >>> net(jnp.zeros(2))
    Array([0.], dtype=float32)
    """

    waves: Frozen
    amplitudes: Array
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    features: int = eqx.field(static=True)
    scale: tuple[float, ...] = eqx.field(static=True)
    periodic: tuple[int, ...] = eqx.field(static=True)
    around: tuple[tuple[float, ...], ...] = eqx.field(static=True)

    # It takes a periodic coordinate as it is, not as cos and sin.
    angles = True

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        features: int = 500,
        scale: float | Sequence[float] = 4.0,
        periodic: Sequence[int] = (),
        around: Sequence[Sequence[float]] = (),
        key: Any = 0,
    ):
        check_sizes("RandomFeatures", in_size=in_size, out_size=out_size, features=features)
        scales = tuple(float(s) for s in scale) if isinstance(scale, Sequence) else (float(scale),) * in_size
        if len(scales) != in_size:
            raise ValueError(
                f"RandomFeatures expects one scale, or one for each of the {in_size} coordinates; {len(scales)} came."
            )
        key_frequency, key_phase = jax.random.split(as_key(key))
        limits = jnp.asarray(scales)
        frequencies = jax.random.uniform(key_frequency, (features, in_size), minval=-1.0, maxval=1.0) * limits
        carriers = tuple(tuple(float(f) for f in axis) for axis in around) or ((),) * in_size
        if len(carriers) != in_size:
            raise ValueError(
                f"RandomFeatures expects frequencies for each of the {in_size} coordinates in around; {len(carriers)} came."
            )
        for axis, choices in enumerate(carriers):
            if choices:
                key_choice, key_sign = jax.random.split(jax.random.fold_in(key_frequency, axis))
                chosen = jax.random.choice(key_choice, jnp.asarray(choices), (features,))
                frequencies = frequencies.at[:, axis].add(chosen * jax.random.rademacher(key_sign, (features,)))
        if periodic:
            repeats = np.isin(np.arange(in_size), np.asarray(periodic))
            frequencies = jnp.where(repeats, jnp.pi * jnp.round(frequencies / jnp.pi), frequencies)
        phases = jax.random.uniform(key_phase, (features,), maxval=2 * jnp.pi)
        self.waves = Frozen((frequencies, phases))
        self.amplitudes = jnp.zeros((features, out_size))
        self.in_size, self.out_size, self.features = in_size, out_size, features
        self.scale, self.periodic, self.around = scales, tuple(int(axis) for axis in periodic), carriers

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("RandomFeatures", x, self.in_size)
        frequencies, phases = unfreeze(self.waves) if isinstance(self.waves, Frozen) else self.waves
        return jnp.sin(frequencies @ x + phases) @ self.amplitudes

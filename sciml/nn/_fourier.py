"""Fourier features, random and chosen, and the composition of an embedding with a network."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._dense import as_key, check_point, check_sizes
from ._trainable import Frozen, unfreeze


class FourierFeatures(eqx.Module):
    """Random waves of the coordinates, an embedding to put before a network.

        gamma(x) = [cos(B x), sin(B x)],   B_ij ~ N(0, scale_j^2),   B of shape (count, in_size)

    Tancik et al. 2020 (arXiv:2006.10739) for images, Wang, Wang, Perdikaris 2021 (CMAME 384, 113938) for
    equations. There is no factor 2 pi: `scale` is an angular frequency.

    **Arguments:** `count` waves (`out_size` is twice that); `scale` one number, or one per coordinate;
    `learn_frequencies=True` trains `B` with the network, otherwise it is `Frozen`.

    **Good values:** `scale` 1 to 2 for coordinates scaled to [-1, 1] and a smooth solution, 5 to 10 for one
    that oscillates. Too large a scale fits the points and is wrong between them.

    >>> waves = FourierFeatures(2, count=16)
    >>> waves(jnp.zeros(2)).shape, waves.out_size
    ((32,), 32)
    """

    frequencies: Any
    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    count: int = eqx.field(static=True)
    scale: float | tuple[float, ...] = eqx.field(static=True)
    learn_frequencies: bool = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        *,
        count: int = 32,
        scale: float | Sequence[float] = 1.0,
        learn_frequencies: bool = False,
        key: Any = 0,
    ):
        check_sizes("FourierFeatures", in_size=in_size, count=count)
        scales = tuple(float(s) for s in scale) if isinstance(scale, Sequence) else (float(scale),) * in_size
        if len(scales) != in_size:
            raise ValueError(
                f"FourierFeatures expects one scale, or one for each of the {in_size} coordinates; "
                f"{len(scales)} came."
            )
        frequencies = jax.random.normal(as_key(key), (count, in_size)) * jnp.asarray(scales)
        self.frequencies = frequencies if learn_frequencies else Frozen(frequencies)
        self.in_size, self.out_size, self.count = in_size, 2 * count, count
        self.scale = scales if isinstance(scale, Sequence) else scales[0]
        self.learn_frequencies = bool(learn_frequencies)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("FourierFeatures", x, self.in_size)
        phase = unfreeze(self.frequencies) @ x
        return jnp.concatenate([jnp.cos(phase), jnp.sin(phase)])


class Harmonics(eqx.Module):
    """The coordinates, and waves of chosen frequencies along them, an embedding to put before a network.

        gamma(x) = [x, cos(w_1 x_a1), ..., cos(w_m x_am), sin(w_1 x_a1), ..., sin(w_m x_am)]

    What oscillates with a known frequency (a source, a boundary value) is out of reach of a network that starts smooth;
    with the wave among its inputs it is not. `pinn.solve` puts one before its network where what is prescribed oscillates.

    **Arguments:** `waves`: pairs (number of the coordinate, angular frequency).

    >>> waves = Harmonics(2, waves=((0, 20.0),))
    >>> waves(jnp.zeros(2)).tolist(), waves.out_size
    ([0.0, 0.0, 1.0, 0.0], 4)
    """

    in_size: int = eqx.field(static=True)
    out_size: int = eqx.field(static=True)
    waves: tuple[tuple[int, float], ...] = eqx.field(static=True)

    def __init__(self, in_size: int, *, waves: Sequence[Sequence[float]], key: Any = None):
        check_sizes("Harmonics", in_size=in_size)
        self.waves = tuple((int(axis), float(omega)) for axis, omega in waves)
        for axis, omega in self.waves:
            if not (0 <= axis < in_size and omega > 0):
                raise ValueError(
                    f"Harmonics: waves={self.waves!r}; expected pairs of a coordinate, 0 to {in_size - 1}, and a "
                    "positive angular frequency."
                )
        self.in_size, self.out_size = in_size, in_size + 2 * len(self.waves)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        check_point("Harmonics", x, self.in_size)
        phase = jnp.stack([omega * x[axis] for axis, omega in self.waves]) if self.waves else x[:0]
        return jnp.concatenate([x, jnp.cos(phase), jnp.sin(phase)])


class Embedded(eqx.Module):
    """A network behind an embedding: `Embedded(embedding, network)(x) = network(embedding(x))`.

    Both are callables of one point; `in_size` and `out_size` are taken from them where they say.

    **Raises:** `ValueError` when the embedding's `out_size` is not the network's `in_size`.

    >>> from sciml.nn import MLP
    >>> waves = FourierFeatures(2, count=16)
    >>> net = Embedded(waves, MLP(waves.out_size, 1))
    >>> net(jnp.zeros(2)).shape
    (1,)
    """

    embedding: Callable
    network: Callable

    def __check_init__(self):
        produced, expected = getattr(self.embedding, "out_size", None), getattr(self.network, "in_size", None)
        if isinstance(produced, int) and isinstance(expected, int) and produced != expected:
            raise ValueError(
                f"The embedding gives {produced} numbers and the network takes {expected}. "
                f"Build the network with in_size={produced} (embedding.out_size)."
            )

    @property
    def in_size(self) -> int | None:
        return getattr(self.embedding, "in_size", None)

    @property
    def out_size(self) -> int | None:
        return getattr(self.network, "out_size", None)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        return self.network(self.embedding(x))

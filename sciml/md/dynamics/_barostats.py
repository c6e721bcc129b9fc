"""Constant pressure: the volume and the shape of the cell follow Langevin equations of their own."""

# Annotations are not postponed here: Equinox must see AbstractVar.

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..atoms._system import System
from ._ensembles import AbstractEnsemble, Dynamics, Setting, at_start, is_number, kick, positive, rescaled


class AbstractCell(eqx.Module):
    """Which shapes a cell may take at a given volume."""

    def shape(self, tensor: Any) -> Any:
        """The part of `tensor` `(3, 3)` that changes the shape, symmetric and without trace; None where none does."""
        raise NotImplementedError


class Isotropic(AbstractCell):
    """The cell keeps its shape."""

    def shape(self, tensor: Any) -> Any:
        return None


class Anisotropic(AbstractCell):
    """Lengths along x, y and z vary independently: the edges of a cell whose vectors lie along them."""

    def shape(self, tensor: Any) -> Any:
        edges = jnp.diagonal(tensor)
        return jnp.diag(edges - jnp.mean(edges))


class Flexible(AbstractCell):
    """All edges and angles vary: for crystals, as a liquid does not resist shear. The cell does not rotate: lines along x
    keep their direction, and planes along x and y; a cell with a along x and b in the plane of x and y stays so."""

    def shape(self, tensor: Any) -> Any:
        return (tensor + tensor.T) / 2 - jnp.trace(tensor) / 3 * jnp.eye(3, dtype=tensor.dtype)


class CellRescaling(AbstractEnsemble):
    """Constant pressure and temperature: stochastic cell rescaling (isotropic, Bernetti & Bussi 2020, doi:10.1063/5.0020514;
    of the shape too, Del Tatto, Raiteri, Bernetti & Bussi 2022, doi:10.3390/app12031139) and stochastic velocity rescaling.

    Where the cell goes from h to h S, positions go from r to r S and velocities from v to v S^-T. With lambda = sqrt(V), the
    tensor T = sum m v v + virial and S = (V'/V)^(1/3) exp(e) (as (1 + e/2) / (1 - e/2) of unit determinant, which is as
    reversible), turned so that the cell does not rotate,

        d lambda = a f dt + sqrt(2 a kB T) dW,  a = compressibility / (4 time),    f = (2 (tr T / 3 - P V) + kB T) / lambda
        de       = b F dt + sqrt(2 b kB T) dW,  b = compressibility / (3 V time),  F = the part of T that changes the shape

    Noise is additive in lambda, and along e at the mean volume sqrt(V V') of a move. So a step of Euler and Maruyama can be
    gone backwards with a known probability; `heat` takes the ratio of both ways, which makes the conserved quantity exact but
    for the error of the time step. T is that of the start of the step, after the half kick, and the cell changes in the
    middle of the drift (the time-reversible integrator of the second paper).

    Samples exp(-(K + U + P V) / kB T) dV times the invariant measure of the shapes at given volume. The centre of mass is at
    rest and takes no part: V^(N - 1) exp(-P V / kB T) for atoms without forces, and the mean of `pressure` is P.

    **Arguments:** `temperature` [K] and `pressure` [bar], numbers or functions of time [fs]; `cell`, `Isotropic()`,
    `Anisotropic()` or `Flexible()`; `time`, of relaxation of the volume [fs]; `thermostat_time` [fs]; `compressibility`
    [1/bar], an estimate, which changes only how fast the volume moves; `every`, steps between two moves of the cell, each
    of which is then as long.

    **Raises** `ValueError` where an argument does not fit, for systems that are not periodic along all vectors, and for
    atoms that are held.

    Good values: `compressibility` of water 4.6e-5, of metals 1e-6, of liquid argon 2e-4 per bar; `time` 500 to 5000 fs.
    """

    temperature: Any
    pressure: Any
    cell: AbstractCell = eqx.field(static=True, default=Isotropic())
    time: Any = 1000.0
    thermostat_time: Any = 100.0
    compressibility: Any = 4.6e-5
    every: int = eqx.field(static=True, default=1)
    keeps_momentum = True

    def __check_init__(self):
        positive(self, "temperature", "time", "thermostat_time", "compressibility")
        if callable(self.pressure):
            at_start(self, "pressure", self.pressure)
        elif not is_number(self.pressure):
            raise ValueError(f"CellRescaling: pressure={self.pressure!r}; expected a number [bar] or a function of time [fs].")
        if not isinstance(self.cell, AbstractCell):
            raise ValueError(
                f"CellRescaling: cell={self.cell!r}; expected md.Isotropic(), md.Anisotropic() or md.Flexible()."
            )
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"CellRescaling: every={self.every!r}; expected a positive whole number of steps.")

    def check(self, atoms: System, fixed: Any) -> None:
        if not all(atoms.periodic):
            raise ValueError(
                f"CellRescaling: the system is periodic along {list(atoms.periodic)}; a pressure needs a cell that is periodic "
                "along all three vectors."
            )
        if fixed is not None and np.size(fixed):
            raise ValueError(
                "CellRescaling: atoms that are held (fixed=...) would have to move with the cell; hold none: fixed=[]."
            )
        if atoms.atoms < 2:
            raise ValueError("CellRescaling: one atom came; expected two or more, as the centre of mass does not move.")

    def virial_at(self, step: Any) -> Any:
        return self.every == 1 or (step % self.every == 0) | ((step + 1) % self.every == 0)

    def init(self, setting: Setting) -> Any:
        zero = jnp.zeros((), jnp.asarray(setting.h).dtype)
        return zero, zero, jnp.zeros((3, 3), zero.dtype)

    def _span(self, at: Dynamics, setting: Setting) -> Any:
        return jnp.where(at.step % self.every == 0, self.every * setting.h, 0)

    def _mobility(self, setting: Setting) -> Any:
        return self.compressibility / setting.units.pressure / (self.time * setting.units.time)

    def _forces(self, at: Dynamics, setting: Setting) -> tuple[Any, Any, Any]:
        """(lambda, f, F)."""
        tensor = jnp.einsum("n,na,nb->ab", setting.masses[:, 0], at.velocities, at.velocities) + at.virial
        volume = jnp.abs(jnp.linalg.det(at.cell))
        excess = jnp.trace(tensor) / 3 - setting.pressure(self.pressure, at.step) * volume
        root = jnp.sqrt(volume)
        return root, (2 * excess + setting.thermal_energy(self.temperature, at.step)) / root, self.cell.shape(tensor)

    def before(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        at = kick(at, setting)
        heat = setting.thermal_energy(self.temperature, at.step)
        span, mobility = self._span(at, setting), self._mobility(setting)
        key_volume, key_shape = jax.random.split(key)
        root, f, F = self._forces(at, setting)
        a = mobility / 4
        change = a * f * span + jnp.sqrt(2 * a * heat * span) * jax.random.normal(key_volume, (), root.dtype)
        new = root + change
        gained = -change * f / 2 + a * span / 4 * f**2 + heat * jnp.log(jnp.abs(new / root))
        gained = gained - setting.pressure(self.pressure, at.step) * (new**2 - root**2)
        S = jnp.cbrt((new / root) ** 2) * jnp.eye(3, dtype=root.dtype)
        b, turned = jnp.zeros_like(root), jnp.zeros_like(S)
        if F is not None:
            # The mean of both volumes, so that the way back has the same noise.
            b = mobility / 3 / jnp.abs(root * new)
            noise = self.cell.shape(jax.random.normal(key_shape, (3, 3), root.dtype))
            # Two roots: that of a span of zero has no derivative with respect to b.
            e = b * F * span + jnp.sqrt(b) * jnp.sqrt(2 * heat * span) * noise
            gained = gained - jnp.sum(e * F) / 2 + b * span / 4 * jnp.sum(F**2)
            one = jnp.eye(3, dtype=e.dtype)
            stretch = jnp.linalg.solve(one - e / 2, one + e / 2)
            unrotated = jnp.linalg.cholesky(stretch @ stretch.T)
            rotation = jnp.linalg.solve(stretch, unrotated)
            turned = rotation.T @ e @ rotation
            S = S @ unrotated / jnp.cbrt(jnp.prod(jnp.diagonal(unrotated)))
        velocities = jnp.linalg.solve(S, at.velocities.T).T
        half = setting.h / 2
        positions = (at.positions + half * at.velocities) @ S + half * velocities
        return eqx.tree_at(
            lambda a: (a.positions, a.velocities, a.cell, a.bath, a.heat), at,
            (positions, velocities, at.cell @ S, (change, b, turned), at.heat + gained),
        )  # fmt: skip

    def after(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        change, b, turned = at.bath
        span = self._span(at, setting)
        _, f, F = self._forces(at, setting)
        gained = -change * f / 2 - self._mobility(setting) / 4 * span / 4 * f**2
        if F is not None:
            gained = gained - jnp.sum(turned * F) / 2 - b * span / 4 * jnp.sum(F**2)
        at = kick(eqx.tree_at(lambda a: a.heat, at, at.heat + gained), setting)
        return rescaled(at, setting, key, self.temperature, self.thermostat_time)

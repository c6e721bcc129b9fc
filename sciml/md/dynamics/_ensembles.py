"""How atoms move: velocity Verlet, and thermostats around it.

A step is `before` (a half kick and the drift), the forces at the new positions, and `after` (a half kick). What baths give to
the atoms, and what a pressure does to them, is added up in `heat`, so that energy - heat + `stored` is conserved but for the
error of the time step, under schedules of temperature and pressure too.
"""

# Annotations are not postponed here: Equinox must see AbstractVar.

import math
import numbers
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._precision import is_traced
from ..atoms._system import System
from ..atoms._units import Units

Schedule = float | Callable[[Any], Any]


class Dynamics(eqx.Module):
    """What is carried from step to step, in internal units. **Attributes:** `positions`, `velocities`, `forces`
    `(atoms, 3)`; `cell` `(3, 3)`; `energy`, potential; `virial` `(3, 3)`; `bath`, variables of the ensemble; `heat`, what the
    baths have given to the atoms; `step`, how many were done."""

    positions: Any
    velocities: Any
    forces: Any
    cell: Any
    energy: Any
    virial: Any
    bath: Any
    heat: Any
    step: Any


class Setting(eqx.Module):
    """What does not change. **Attributes:** `masses` `(atoms, 1)`; `free` `(atoms, 1)`, one for atoms that move, zero for
    those held; `h`, the time step; `degrees` of freedom; `units`."""

    masses: Any
    free: Any
    h: Any
    degrees: Any
    units: Units = eqx.field(static=True)

    def thermal_energy(self, temperature: Schedule, step: Any) -> Any:
        """kB T at a step."""
        return self._at(temperature, step) * self.units.temperature

    def pressure(self, pressure: Schedule, step: Any) -> Any:
        """The pressure at a step."""
        return self._at(pressure, step) * self.units.pressure

    def _at(self, schedule: Schedule, step: Any) -> Any:
        """A schedule is a function of time [fs]."""
        return schedule(step * self.h / self.units.time) if callable(schedule) else schedule

    def kinetic(self, velocities: Any) -> Any:
        return jnp.sum(self.masses * velocities**2) / 2


class AbstractEnsemble(eqx.Module):
    """How atoms move. **Attributes:** `keeps_momentum`, whether the total momentum stays zero, which takes three degrees of
    freedom."""

    keeps_momentum: eqx.AbstractClassVar[bool]

    def check(self, atoms: System, fixed: Any) -> None:
        """Raises `ValueError` where the ensemble is none for these atoms, of which `fixed` are held."""

    def virial_at(self, step: Any) -> Any:
        """Whether the virial is wanted with the forces of this step: False, True or an array."""
        return False

    def init(self, setting: Setting) -> Any:
        """Variables of the bath."""
        return ()

    def before(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        """From a complete step to the positions where forces are wanted."""
        return drift(kick(at, setting), setting, 1.0)

    def after(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        """The rest of the step, with the new forces."""
        return kick(at, setting)

    def stored(self, at: Dynamics, setting: Setting) -> Any:
        """The energy of the bath's own variables."""
        return 0.0


def kick(at: Dynamics, setting: Setting) -> Dynamics:
    """B: half a step of the velocities."""
    v = at.velocities + setting.free * setting.h / 2 * at.forces / setting.masses
    return eqx.tree_at(lambda a: a.velocities, at, v)


def drift(at: Dynamics, setting: Setting, share: float) -> Dynamics:
    """A: a share of a step of the positions."""
    return eqx.tree_at(lambda a: a.positions, at, at.positions + share * setting.h * at.velocities)


def _heated(at: Dynamics, velocities: Any, setting: Setting) -> Dynamics:
    heat = at.heat + setting.kinetic(velocities) - setting.kinetic(at.velocities)
    return eqx.tree_at(lambda a: (a.velocities, a.heat), at, (velocities, heat))


class NVE(AbstractEnsemble):
    """Velocity Verlet at constant energy and volume (Swope et al. 1982, doi:10.1063/1.442716)."""

    keeps_momentum = True


class Langevin(AbstractEnsemble):
    """Langevin dynamics by the splitting BAOAB (Leimkuhler & Matthews 2013, doi:10.1063/1.4802990), whose configurational
    averages are right to second order in the time step and to fourth for harmonic forces.

        m dv = F dt - friction m v dt + sqrt(2 friction kB T m) dW

    **Arguments:** `temperature` [K], a number or a function of time [fs]; `friction` [1/fs].
    """

    temperature: Any
    friction: Any = 1e-3
    keeps_momentum = False

    def __check_init__(self):
        positive(self, "temperature", "friction")

    def before(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        at = drift(kick(at, setting), setting, 0.5)
        keep = jnp.exp(-self.friction / setting.units.time * setting.h)
        heat = setting.thermal_energy(self.temperature, at.step)
        noise = jax.random.normal(key, at.velocities.shape, at.velocities.dtype)
        width = jnp.sqrt((1 - keep**2) * heat / setting.masses)
        return drift(_heated(at, setting.free * (keep * at.velocities + width * noise), setting), setting, 0.5)


class Rescaling(AbstractEnsemble):
    """Stochastic velocity rescaling (Bussi, Donadio & Parrinello 2007, doi:10.1063/1.2408420): the kinetic energy follows its
    own Langevin equation, and momentum is kept.

    **Arguments:** `temperature` [K], a number or a function of time [fs]; `time`, of relaxation [fs].
    """

    temperature: Any
    time: Any = 100.0
    keeps_momentum = True

    def __check_init__(self):
        positive(self, "temperature", "time")

    def after(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        return rescaled(kick(at, setting), setting, key, self.temperature, self.time)


def rescaled(at: Dynamics, setting: Setting, key: Any, temperature: Schedule, time: Any) -> Dynamics:
    """A step of stochastic velocity rescaling."""
    n = setting.degrees
    keep = jnp.exp(-setting.h / (time * setting.units.time))
    one, rest = jax.random.split(key)
    noise = jax.random.normal(one, (), at.velocities.dtype)
    others = jnp.where(n > 1, 2 * jax.random.gamma(rest, jnp.maximum(n - 1, 1) / 2, (), at.velocities.dtype), 0)
    kinetic = setting.kinetic(at.velocities)
    moves = kinetic > 0  # atoms at rest have no velocities that could be scaled
    share = setting.thermal_energy(temperature, at.step) / 2 / jnp.where(moves, kinetic, 1)
    square = keep + share * (1 - keep) * (noise**2 + others) + 2 * jnp.sqrt(share * keep * (1 - keep)) * noise
    sign = jnp.sign(noise + jnp.sqrt(keep / (share * (1 - keep))))
    return _heated(at, jnp.where(moves, sign * jnp.sqrt(jnp.maximum(square, 0)), 1) * at.velocities, setting)


class NoseHoover(AbstractEnsemble):
    """A chain of Nose-Hoover thermostats (Martyna, Klein & Tuckerman 1992, doi:10.1063/1.463940), integrated with the
    weights of Yoshida and Suzuki (Martyna et al. 1996, doi:10.1080/00268979600100761). Deterministic, and not ergodic for few
    atoms or harmonic forces. Under a schedule the work of changing the temperature of the chain counts as `heat`.

    **Arguments:** `temperature` [K], a number or a function of time [fs]; `time`, the period of the first thermostat [fs];
    `chain`, their number.
    """

    temperature: Any
    time: Any = 100.0
    chain: int = eqx.field(static=True, default=3)
    keeps_momentum = True

    def __check_init__(self):
        positive(self, "temperature", "time")
        if isinstance(self.chain, bool) or not isinstance(self.chain, int) or self.chain < 1:
            raise ValueError(f"NoseHoover: chain={self.chain!r}; expected a positive whole number.")

    def init(self, setting: Setting) -> Any:
        zero = jnp.zeros((self.chain,), jnp.asarray(setting.h).dtype)
        return zero, zero

    def _inertias(self, setting: Setting, heat: Any) -> Any:
        counts = jnp.asarray([setting.degrees] + [1] * (self.chain - 1), jnp.asarray(setting.h).dtype)
        return counts * heat * (self.time * setting.units.time / (2 * jnp.pi)) ** 2

    def _half(self, at: Dynamics, setting: Setting) -> Dynamics:
        place, rate = at.bath
        heat = setting.thermal_energy(self.temperature, at.step)
        inertia = self._inertias(setting, heat)
        kinetic, scale = setting.kinetic(at.velocities), 1.0
        places, rates = list(place), list(rate)

        def force(k: int) -> Any:
            driven = 2 * kinetic * scale**2 - setting.degrees * heat if k == 0 else inertia[k - 1] * rates[k - 1] ** 2 - heat
            return driven / inertia[k]

        middle = 1 / (2 - 2 ** (1 / 3))
        for weight in (middle, 1 - 2 * middle, middle):
            h = weight * setting.h / 2
            for k in reversed(range(self.chain)):
                damp = jnp.exp(-h / 4 * rates[k + 1]) if k + 1 < self.chain else 1.0
                rates[k] = (rates[k] * damp + h / 2 * force(k)) * damp
            scale = scale * jnp.exp(-h * rates[0])
            places = [x + h * v for x, v in zip(places, rates, strict=True)]
            for k in range(self.chain):
                damp = jnp.exp(-h / 4 * rates[k + 1]) if k + 1 < self.chain else 1.0
                rates[k] = (rates[k] * damp + h / 2 * force(k)) * damp
        bath = jnp.stack(places), jnp.stack(rates)
        return eqx.tree_at(lambda a: (a.velocities, a.bath), at, (scale * at.velocities, bath))

    def before(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        return drift(kick(self._half(at, setting), setting), setting, 1.0)

    def after(self, at: Dynamics, setting: Setting, key: Any) -> Dynamics:
        at = self._half(kick(at, setting), setting)
        if not callable(self.temperature):
            return at
        change = self._stored(at, setting, at.step + 1) - self._stored(at, setting, at.step)
        return eqx.tree_at(lambda a: a.heat, at, at.heat + change)

    def stored(self, at: Dynamics, setting: Setting) -> Any:
        return self._stored(at, setting, at.step)

    def _stored(self, at: Dynamics, setting: Setting, step: Any) -> Any:
        place, rate = at.bath
        heat = setting.thermal_energy(self.temperature, step)
        return jnp.sum(self._inertias(setting, heat) * rate**2) / 2 + heat * (
            setting.degrees * place[0] + jnp.sum(place[1:])
        )


class Ramp(eqx.Module):
    """A temperature [K] or pressure [bar] that goes from `start` to `end` in a straight line within `duration` [fs], and stays
    there.

    **Raises** `ValueError` where these are no numbers, or `duration` is not positive.
    """

    start: float
    end: float
    duration: float

    def __check_init__(self):
        whole = is_number(self.start) and is_number(self.end) and is_number(self.duration)
        if not (whole and (is_traced(self.duration) or self.duration > 0)):
            raise ValueError(f"{self}: expected three numbers, the last of them positive [fs].")

    def __call__(self, t: Any) -> Any:
        return self.start + (self.end - self.start) * jnp.clip(t / self.duration, 0, 1)


def is_number(value: Any) -> bool:
    """A finite real number; one of which only the kind is known, while a function is traced, counts."""
    if is_traced(value):
        return True
    if isinstance(value, (np.ndarray, jax.Array)) and value.ndim == 0:
        value = value.item()
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def positive(ensemble: Any, *names: str) -> None:
    """**Raises** `ValueError` where one of these is no positive number; a temperature may be a function of time."""
    for name in names:
        value = getattr(ensemble, name)
        if name == "temperature" and callable(value):
            ends = (value.start, value.end) if isinstance(value, Ramp) else (at_start(ensemble, name, value),)
            if not is_traced(ends) and not min(ends) > 0:
                raise ValueError(f"{type(ensemble).__name__}: {name} is {min(ends):g} at a time; expected more than zero.")
        elif not (is_number(value) and (is_traced(value) or value > 0)):
            more = " [K], or a function of time [fs]" if name == "temperature" else ""
            raise ValueError(f"{type(ensemble).__name__}: {name}={value!r}; expected a positive number{more}.")


def at_start(ensemble: Any, name: str, schedule: Callable[[Any], Any]) -> float:
    """What a schedule is at t = 0. **Raises** `ValueError` where it is none."""
    try:
        with jax.ensure_compile_time_eval():
            found = float(schedule(0.0))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{type(ensemble).__name__}: {name} is no number at t = 0 ({error}); expected a number or a function of time [fs], "
            "such as md.Ramp(300, 600, 10_000)."
        ) from None
    return found

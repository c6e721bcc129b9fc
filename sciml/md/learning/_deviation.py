"""How far potentials differ while atoms move."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from ..._precision import float64
from ..atoms._neighbours import Neighbours
from ..atoms._pairs import AbstractPotential, evaluate, kinds_of, neighbours_for
from ..atoms._potential import seen_by
from ..atoms._system import System, complete, expect_system
from ..dynamics._batch import on_device
from ..files._frame import Frame, system_at
from ..observables._observables import AbstractObservable, _axes
from ._committee import Committee, Deviation

COLUMNS = "system", "step", "time", "max", "mean", "min", "energy"


class Exceeded(NamedTuple):
    """A frame in which potentials differ by more than they may: the `step`, the `atom` where they differ most and the
    `deviation` there, the `atoms` as they are, and the number of the `system` where several are simulated at once."""

    step: int
    atom: int
    deviation: float
    atoms: System
    system: int = 0


class ModelDeviation(AbstractObservable):
    """How far the forces of several potentials differ in each frame, eps_i of `md.Deviation`: whether a run has left what they
    were trained on. Atoms that come closer than in the data are seen in every step, by `closest` of the potential.

        md.simulate(atoms, models[0], ..., every=20, callbacks=[md.ModelDeviation(models, stop=0.5)])

    **Arguments:**

    - `models`: a `md.Committee`, or potentials for one.
    - `stop`: where the largest eps_i is above it [eV/angstrom], the run ends; `trajectory.result` says why. `warn`: where it is
        above this, a warning names the first such step. NaN is above both.
    - `relative`: a level [eV/angstrom]; `stop` and `warn` are then compared with eps_i / (|<F_i>| + level).
    - `save`: a file of extended XYZ, to which frames above a bound are appended, each once.

    Good values: trained models differ by 0.05 to 0.1 eV/angstrom; DP-GEN labels frames between 0.15 and 0.35.

    Several systems that are simulated at once are measured too; the one that is above `stop` ends.

    **Attributes:** `table`, arrays over frames: `step`, `time` [fs], `max`, `mean` and `min` of eps_i over atoms, `energy`
    [eV/atom], and the number of the `system`; `exceeded`, all frames above a bound (`md.Exceeded`); `reason` of a stop.

    **Raises** `ValueError` where bounds are not positive, and at the start of a run where species are not known.
    """

    several = True

    def __init__(
        self, models: Committee | Sequence[AbstractPotential], *, stop: float | None = None, warn: float | None = None,
        relative: float | None = None, save: Any = None,
    ):  # fmt: skip
        self.committee = models if isinstance(models, Committee) else Committee(models)
        for name, bound in (("stop", stop), ("warn", warn), ("relative", relative)):
            number = isinstance(bound, Real) and not isinstance(bound, bool)
            if bound is not None and not (number and 0 < float(bound) < np.inf):
                raise ValueError(f"ModelDeviation: {name}={bound!r}; expected a positive number, or None.")
        if stop is not None and warn is not None and not warn < stop:
            raise ValueError(f"ModelDeviation: warn={warn:g} and stop={stop:g}; a run would stop before it warns.")
        self.stop, self.warn, self.level = stop, warn, relative
        self.save = None if save is None else Path(save)
        self.reason: str | None = None
        self.exceeded: list[Exceeded] = []

    def begin(self, atoms: System | Sequence[System]) -> None:
        systems = [atoms] if isinstance(atoms, System) else list(atoms)
        for system in systems:
            expect_system(system, "ModelDeviation")
            kinds_of(self.committee, system.names)
            if self.save is not None:
                from ..files._ase import to_ase

                to_ase(system)  # says now what it could not write later
        self.atoms, self._watches = systems[0], [Watch(self.committee, system) for system in systems]
        self._rows: list[tuple[float, ...]] = []
        self.reason, self.exceeded, self._warned = None, [], False

    def __call__(self, frame: Frame, system: int = 0) -> bool:
        self._system()
        watch = self._watches[system]
        plain = watch(frame.positions, frame.cell)
        found = plain if self.level is None else plain.relative(self.level)
        self._rows.append((system, frame.step, frame.time, found.max, found.mean, found.min, found.energy))
        beyond = lambda bound: bound is not None and not found.max <= bound  # noqa: E731
        if not (beyond(self.stop) or beyond(self.warn)):
            return False
        now = Exceeded(frame.step, found.atom, found.max, system_at(watch.atoms, frame), system)
        self.exceeded.append(now)
        self._write(now, found)
        if beyond(self.stop):
            self.reason = f"{self._told(now)}, more than stop={self.stop:g}. The frame is in `exceeded` of the ModelDeviation."
            return True
        if not self._warned:
            self._warned = True
            warnings.warn(f"{self._told(now)}, more than warn={self.warn:g}.", stacklevel=2)
        return False

    def _told(self, now: Exceeded) -> str:
        unit = "" if self.level is not None or now.atoms.units.name == "reduced" else " eV/angstrom"
        name = now.atoms.names[int(np.asarray(now.atoms.species)[now.atom])]
        return (
            f"at step {now.step} the forces of {self.committee.count} potentials on atom {now.atom} ({name}) differ by "
            f"{now.deviation:.3g}{unit}"
        )

    def _write(self, now: Exceeded, found: Deviation) -> None:
        if self.save is None:
            return
        import ase.io  # pyright: ignore[reportMissingImports]

        from ..files._ase import to_ase

        made = to_ase(now.atoms)
        # A run that goes on from a checkpoint comes by the same frames again.
        mark = f"{now.step}-{zlib.crc32((np.round(now.atoms.positions, 5) + 0.0).tobytes()):08x}"
        if self.save.exists() and f" frame={mark} " in self.save.read_text():
            return
        made.info |= {"frame": mark, "step": now.step, "atom": now.atom, "deviation": now.deviation}
        made.arrays["deviation"] = found.forces
        self.save.parent.mkdir(parents=True, exist_ok=True)
        ase.io.write(self.save, made, format="extxyz", append=True)

    @property
    def table(self) -> dict[str, np.ndarray]:
        self._system()
        columns = np.array(self._rows, float).reshape(-1, len(COLUMNS)).T
        return {name: c.astype(int) if name in ("system", "step") else c for name, c in zip(COLUMNS, columns, strict=True)}

    def plot(self, ax: Any = None) -> Any:
        """The largest, mean and smallest deviation of forces against time, and the bounds."""
        found, units, ax = self.table, self._system().units, _axes(ax)
        for k in np.unique(found["system"]).tolist():
            here = found["system"] == k
            for name, style in (("max", "-"), ("mean", "--"), ("min", ":")):
                ax.plot(found["time"][here], found[name][here], style, color=f"C{k % 10}", label=None if k else name)
        for name, bound in (("stop", self.stop), ("warn", self.warn)):
            if bound is not None:
                ax.axhline(bound, color="k", lw=0.8, ls="-" if name == "stop" else "--", label=name)
        what = "deviation of forces"
        what = what if self.level is not None else units.axis(what, "eV/angstrom")
        ax.set(xlabel=units.axis("time", "fs"), ylabel=what)
        ax.set_ylim(bottom=0)
        ax.legend(fontsize="small")
        return ax


class Watch:
    """The deviation of atoms that move, with lists of sizes that are kept as long as they fit."""

    def __init__(self, committee: Committee, atoms: System):
        self.atoms = atoms
        with float64():
            self._committee = on_device(committee)
        self._plain = seen_by(committee, atoms)
        self._neighbours: Any = None

    def __call__(self, positions: Any, cell: Any) -> Deviation:
        r, h = np.asarray(positions, float), complete(cell)
        now = eqx.tree_at(lambda s: (s.positions, s.cell), self._plain, (r, h))
        with float64():
            if self._neighbours is None:
                self._neighbours = neighbours_for(now, self._committee, skin=0.0, spare=1.4, kept=True)
            found, overflow = _members(self._committee, now, self._neighbours)
            if overflow:
                self._neighbours = neighbours_for(now, self._committee, skin=0.0, spare=1.4, kept=True)
                found, _ = _members(self._committee, now, self._neighbours)
            return Deviation.of(*(np.asarray(a) for a in found))


@eqx.filter_jit
def _members(committee: Committee, atoms: System, n: Neighbours) -> tuple[Any, Any]:
    """Energies, forces and virials `(members, ...)`, and whether the list did not fit."""
    lists = n.update(atoms.positions, atoms.cell)

    def one(member: AbstractPotential) -> Any:
        found = evaluate(member, atoms, lists, virials=False)
        return found.energy, found.forces, found.virial

    return committee.of_each(one), lists.overflow

"""Many runs at once: training data from many initial states."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .._precision import float64
from ._calls import kept
from ._problem import Problem
from .flow import FlowProblem
from .stepping import AbstractStepper


def rollout(
    problem: Problem | FlowProblem,
    initial: Any,
    *,
    save_at: Any,
    parameters: Mapping[str, Any] | None = None,
    method: AbstractStepper | None = None,
    steps: int | None = None,
    rtol: float = 1e-8,
    path: Any = None,
    batch: int = 16,
    progress: bool = True,
) -> Any:
    """Integrates from many initial states, `batch` at a time in one compiled program.

    **Arguments:**

    - `problem`: of `solvers.compile`.
    - `initial`: `(samples, *n)` for an equation of one state, else such arrays by name of the state (`u`, `u.t`; for a flow the
        velocities, of which the nearest flow without divergence is taken); `GaussianField` and `BandLimited` draw them.
    - `save_at`: the times, the first of which is the start; `method`, `steps`, `rtol` as for `problem.run`.
    - `parameters`: values by name; one number for all, or `(samples,)`.
    - `path`: a `.zarr` or a `.nc` file. Every finished batch is written at once, so that memory holds one only, and the same
        call after a kill goes on where it stopped. A file of other runs is refused.
    - `progress`: a progress bar.

    **Returns** an `xarray.Dataset` with the dimensions sample, time and those of space; lazily read from `path` where there is
    one. A sample that blew up is NaN from there on, and named in a warning.

    >>> import numpy as np
    >>> from sciml import Box, catalogue, Initial, Periodic, solvers
    >>> heat = catalogue.heat(alpha=0.1)
    >>> heat = heat.with_conditions(Initial(heat["u"], 0), Periodic())
    >>> problem = solvers.compile(heat, Box(x=(0, 1), t=(0, 1)), grid=32)
    >>> start = solvers.BandLimited(4).sample(problem, 3)
    >>> solvers.rollout(problem, start, save_at=[0, 0.5, 1], progress=False).sizes["sample"]
    3
    """
    import xarray
    from tqdm.auto import tqdm

    if not isinstance(problem, Problem | FlowProblem) or problem.pde.time is None:
        raise TypeError(f"rollout: {problem!r} came; expected what solvers.compile makes of an equation in time.")
    options: dict[str, Any] = {"steps": steps}
    if isinstance(problem, Problem):
        options |= {"method": method, "rtol": rtol}
    elif method is not None:
        raise ValueError(f"rollout: method={method!r} would change nothing: flows with walls have one method.")
    states = _states(problem, initial)
    count = len(states)
    values = problem.parameters(parameters)
    several = {k: np.asarray(v, float) for k, v in values.items() if np.ndim(v)}
    wrong = [k for k, v in several.items() if v.shape != (count,)]
    if wrong:
        raise ValueError(f"rollout: {', '.join(wrong)} needs one number, or one for each of the {count} samples.")
    alone = {k: v for k, v in values.items() if k not in several}
    times = np.asarray(save_at, float)
    if times.ndim != 1 or len(times) < 2 or not np.all(np.diff(times) > 0):
        raise ValueError(
            f"rollout: save_at needs at least two increasing times, the first of which is the start; {save_at!r} came."
        )
    if batch < 1:
        raise ValueError(f"rollout: batch={batch!r}; expected a positive whole number.")

    flow = isinstance(problem, FlowProblem)
    static, rest = ((steps, "lax"), ()) if flow else ((method or problem.discrete.stepper, steps, "lax"), (rtol,))

    pure: Any = problem.pure  # of which the two kinds of problem take different options

    def together(states: Any, several: Any, alone: Any, *rest: Any) -> Any:
        return jax.vmap(lambda u, own: pure(*static, u, alone | own, *rest))(states, several)

    run = kept(problem, ("rollout", *static), together)
    chunks = [range(i, min(i + batch, count)) for i in range(0, count, batch)]

    def results(first: int) -> Iterator[Any]:
        done = chunks[first][0] if first < len(chunks) else count
        bar = tqdm(total=count, initial=done, desc="rollout", disable=not progress)
        with bar:
            for chunk in chunks[first:]:
                rows = np.arange(chunk[0], chunk[0] + batch) % count  # the last batch is filled up, nothing is compiled again
                with float64():
                    found = run(states[rows], {k: v[rows] for k, v in several.items()}, alone, times, *rest)
                    found = np.asarray(found)[: len(chunk)]
                bar.update(len(chunk))
                yield _dataset(problem, chunk, times, found)

    if path is None:
        whole = xarray.concat(list(results(0)), dim="sample")
    else:
        identity = {
            "states": list(problem.states), "times": times.tolist(), "samples": count, "batch": batch,
            "options": {k: repr(v) for k, v in options.items()}, "domain": repr(problem.domain), "shape": states.shape[2:],
            "first": float(np.sum(states[0])), "all": float(np.sum(states)),
            "parameters": {k: np.asarray(v, float).tolist() for k, v in values.items()},
            "equations": [str(e.expression) for e in problem.pde.equations],
        }  # fmt: skip
        whole = _written(Path(path), identity, len(chunks), results)
    last = np.asarray(whole[_variable(problem.recorded[0])].isel(time=-1).transpose("sample", ...).values)
    broken = np.flatnonzero(~np.isfinite(last.reshape(count, -1)).all(axis=1)).tolist()
    if broken:
        warnings.warn(f"rollout: samples {broken} blew up; they are NaN from there on.", stacklevel=2)
    return whole


def _variable(name: str) -> str:
    return name.replace(".", "_")


def _states(problem: Problem | FlowProblem, initial: Any) -> np.ndarray:
    """`(samples, states, *full)`."""
    names = problem.states
    given = initial if isinstance(initial, Mapping) else {names[0]: initial}
    if set(given) != set(names):
        raise ValueError(f"rollout: initial states of {', '.join(names)} are needed; {', '.join(map(str, given))} came.")
    rows = [np.asarray(given[name], float) for name in names]
    full = tuple(axis.n for axis in problem.axes)
    for name, row in zip(names, rows, strict=True):
        if row.shape[1:] != full or len(row) != len(rows[0]) or not len(row):
            raise ValueError(
                f"rollout: {name} has the shape {row.shape}; expected (samples, {', '.join(map(str, full))})."
            )
        if not np.all(np.isfinite(row)):
            raise ValueError(f"rollout: {name} has NaN or infinite numbers.")
    return np.stack(rows, axis=1)


def _dataset(problem: Problem | FlowProblem, chunk: range, times: np.ndarray, found: np.ndarray) -> Any:
    import xarray

    names = [x.name for x in problem.pde.space]
    coordinates: dict[Any, Any] = {"sample": list(chunk), "time": times}
    coordinates |= {name: axis.points for name, axis in zip(names, problem.axes, strict=True)}
    dims = ("sample", "time", *names)
    return xarray.Dataset({_variable(n): (dims, found[:, :, i]) for i, n in enumerate(problem.recorded)}, coordinates)


def _written(path: Path, identity: dict[str, Any], count: int, results: Any) -> Any:
    """Batches as files of their own in `path`.parts, each put there whole; then one file."""
    import xarray

    if path.suffix not in (".nc", ".zarr"):
        raise ValueError(f"rollout: path={str(path)!r}; expected a name that ends in .nc or .zarr.")
    parts = path.with_name(path.name + ".parts")
    mark = parts / "run.json"
    said = json.dumps(identity)
    if path.exists():
        data = _open(path)
        if data.attrs.get("sciml") != said:
            raise ValueError(f"rollout: {path} holds other runs. Remove it, or give another path.")
        return data
    if mark.exists() and mark.read_text() != said:
        raise ValueError(f"rollout: {parts} holds batches of other runs. Remove it, or give another path.")
    parts.mkdir(parents=True, exist_ok=True)
    mark.write_text(said)
    names = [parts / f"{i:06d}.nc" for i in range(count)]
    done = next((i for i, name in enumerate(names) if not name.exists()), count)
    for name, data in zip(names[done:], results(done), strict=True):
        fresh = name.with_suffix(".tmp")
        data.to_netcdf(fresh, engine="h5netcdf")
        fresh.replace(name)
    fresh = path.with_name(path.name + ".tmp")
    if path.suffix == ".zarr":
        shutil.rmtree(fresh, ignore_errors=True)
        for i, name in enumerate(names):
            with xarray.open_dataset(name, engine="h5netcdf") as data:
                data = data.load().assign_attrs(sciml=said)
                data.to_zarr(fresh, mode="w") if i == 0 else data.to_zarr(fresh, append_dim="sample")
    else:
        _joined(fresh, names, said)
    fresh.replace(path)
    shutil.rmtree(parts)
    return _open(path)


def _joined(path: Path, names: list[Path], said: str) -> None:
    """One netCDF file, written batch by batch."""
    import h5netcdf  # pyright: ignore[reportMissingImports]
    import xarray

    out: Any
    with h5netcdf.File(path, "w") as out:
        out.attrs["sciml"] = said
        at = 0
        for name in names:
            with xarray.open_dataset(name, engine="h5netcdf") as data:
                rows = data.sizes["sample"]
                if not at:
                    out.dimensions = {n: None if n == "sample" else k for n, k in data.sizes.items()}
                    for variable in (*data.coords, *data.data_vars):
                        array = data[variable]
                        out.create_variable(str(variable), tuple(map(str, array.dims)), array.dtype)
                out.resize_dimension("sample", at + rows)
                for variable in (*data.coords, *data.data_vars):
                    array = data[variable]
                    if "sample" in array.dims:
                        out[str(variable)][at : at + rows] = array.values
                    elif not at:
                        out[str(variable)][...] = array.values
                at += rows


def _open(path: Path) -> Any:
    import xarray

    return xarray.open_zarr(path) if path.suffix == ".zarr" else xarray.open_dataset(path, engine="h5netcdf")

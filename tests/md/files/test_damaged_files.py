"""Files cut off in the middle are told by their path (../shared/cases/results.md, M18, M20)."""

import numpy as np
import pytest

from sciml import md
from sciml._files import read_arrays, write_arrays


@pytest.mark.parametrize("damage", ["cut", "junk", "empty", "pickle"])
def test_a_damaged_checkpoint(tmp_path, damage):
    path = tmp_path / "run.npz"
    write_arrays(path, {"format": 1}, {"a": np.arange(1000.0)})
    whole = path.read_bytes()
    if damage == "pickle":
        np.savez(path, header=np.array([{"a": 1}], object))
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "junk": b"no archive at all", "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"run\.npz cannot be read: it is damaged"):
        read_arrays(path)


def test_a_damaged_model(tmp_path):
    path = tmp_path / "model.dp"
    descriptor = md.SeE2A.new(2, cutoff=4.0, sel=(8, 8), widths=(4, 4), axis=2)
    md.DeepPotential(descriptor, md.FittingNet.new(2, descriptor.size, widths=(4,)), np.zeros(2), ("O", "H")).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"model\.dp is damaged or cut off"):
        md.DeepPotential.load(path)


def test_labels_of_nothing():
    with pytest.raises(ValueError, match="of no systems"):
        md.Dataset.of(md.label([], md.ase_calculator(md.LennardJones(0.01, 3.4, cutoff=5.0))))


RUN = dict(steps=4, timestep=2.0, every=2, progress=False)
ARGON = md.thermal(md.fcc(5.3, 2, "Ar"), 50)
LJ = md.LennardJones(0.0104, 3.4, cutoff=5.0)


@pytest.mark.parametrize("name", ["run.h5", "run.xyz"])
def test_a_trajectory_that_cannot_be_made(tmp_path, monkeypatch, name):
    """Told before anything is computed, with the path (M18)."""
    (tmp_path / "plain").write_text("a file")
    path = tmp_path / "plain" / "deeper" / name
    for option in ("trajectory", "checkpoint"):
        told = f"{option}: .*plain/deeper/{name} cannot be made: .*plain is a file, not a folder"
        with pytest.raises(ValueError, match=told):
            md.simulate(ARGON, LJ, **RUN, **{option: path})

    def denied(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", denied)
    with pytest.raises(ValueError, match=f"{name} cannot be made: there is no permission to write in {tmp_path}"):
        md.simulate(ARGON, LJ, **RUN, trajectory=tmp_path / "locked" / name)


def test_a_checkpoint_that_holds_more_steps_than_asked_for(tmp_path):
    path = tmp_path / "run.npz"
    whole = md.simulate(ARGON, LJ, **RUN, checkpoint=path)
    with pytest.warns(UserWarning, match="The checkpoint holds 4 steps, more than the 2 that were asked for"):
        again = md.simulate(ARGON, LJ, **RUN | {"steps": 2}, checkpoint=path)
    assert "more than the 2 that were asked for" in again.result and again.step.tolist() == whole.step.tolist()

"""Data that cannot be trained on are told before anything is compiled (../shared/cases/results.md, M14)."""

import numpy as np
import pytest

from sciml import md
from sciml.md.learning.training import _looks
from sciml.md.learning.training._buckets import FrameSet, buckets
from sciml.md.learning.training._lists import frame_pairs


def frames(*positions, cell=12.0):
    systems = [md.system(r, ["O"] + ["H"] * (len(r) - 1), cell=cell) for r in positions]
    forces = [np.zeros((s.atoms, 3)) for s in systems]
    return md.Dataset.of(md.Labels(systems, np.arange(float(len(systems))), forces, None))


WATER = [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]


def model(cutoff):
    return md.deep_potential(("O", "H"), md.SeE2A.new(2, cutoff=cutoff, widths=(4, 8), axis=4))


def test_atoms_of_a_frame_that_lie_on_each_other():
    data = frames(WATER, [[0.0, 0, 0], [0.96, 0, 0], [0.96, 12.0, 0]])
    told = r"in frame 1 of the training set atoms 1 \(H\) and 2 \(H\) are 0 angstrom apart: .*without_outliers"
    with pytest.raises(ValueError, match=told):
        md.train(model(4.0), data, steps=1, progress=False)
    with pytest.raises(ValueError, match="in frame 1 of the validation set"):
        md.train(model(4.0), data[:1], validation=data, steps=1, progress=False)
    kept, _ = data.without_outliers(distance=0.5)
    assert len(kept) == 1


def test_a_cutoff_without_neighbours():
    told = r"no atom has a neighbour within the model's cutoff of 0.9 angstrom; the smallest distance of all is 0.96"
    with pytest.raises(ValueError, match=told):
        md.train(model(0.9), frames(WATER), steps=1, progress=False)


def test_coordinates_far_from_the_cell():
    far = np.array(WATER) + 1e14
    with pytest.raises(ValueError, match=r"train: the positions of frame 0 reach 1e\+14"):
        md.train(model(4.0), frames(far), steps=1, progress=False)


def test_images_that_eight_bits_do_not_count():
    """Unwrapped atoms 1000 cells away have the neighbours that they have in the cell."""
    cell, flags = 12 * np.eye(3), np.ones(3, bool)
    near = np.array(WATER)
    far = near + [[0, 0, 0], [12_000.0, 0, 0], [0, -3600.0, 0]]
    for r in (near, far):
        data = frames(r)
        frame = FrameSet(data, [frame_pairs(r, cell, flags, 4.0)], [np.array([0, 1, 1])], np.array([[1, 2]]))
        made = buckets([frame], 4.0)[0][0].frames
        index = np.where(made.empty, 0, made.index).astype(int)[0]
        vectors = made.positions[0][index] + made.shift[0].astype(float) @ cell - made.positions[0][:, None]
        distances = np.sort(np.linalg.norm(vectors, axis=2)[~np.asarray(made.empty)[0]])
        np.testing.assert_allclose(distances, np.repeat(np.sort([0.96, np.hypot(0.24, 0.93), np.hypot(1.2, 0.93)]), 2))


@pytest.mark.parametrize("most", [1000, pytest.param(2, marks=pytest.mark.slow)])
def test_the_remark_speaks_of_all_frames(monkeypatch, most):
    """Not of the last batch (M22): its errors are those of md.validate, and a sample says so."""
    monkeypatch.setattr(_looks, "MOST", most)
    rng = np.random.default_rng(0)
    data = frames(*(np.array(WATER) + 0.05 * rng.normal(size=(3, 3)) for _ in range(5)))
    settings = dict(steps=2, batch=1, series=False, precision=np.float64, progress=False)
    potential = md.train(model(4.0), data, **settings).potential
    chosen = data if most > 5 else data[[0, 4]]
    told = md.validate(potential, chosen)
    of = "" if most > 5 else " of 2 of 5 frames"
    wanted = f"training errors{of} {1e3 * told.energy_error:.3g} meV/atom, {1e3 * told.force_error:.3g} meV/angstrom"
    assert str(potential.remark) == wanted

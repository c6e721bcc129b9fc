"""Data that cannot be trained on are told before anything is compiled (../shared/cases/results.md, M14)."""

import numpy as np
import pytest

from sciml import md
from sciml.md.learning.training._buckets import buckets
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
        made = buckets(data, [frame_pairs(r, cell, flags, 4.0)], [np.array([0, 1, 1])], 2, 4.0)[0].frames
        index = np.where(made.empty, 0, made.index).astype(int)[0]
        vectors = made.positions[0][index] + made.shift[0].astype(float) @ cell - made.positions[0][:, None]
        distances = np.sort(np.linalg.norm(vectors, axis=2)[~np.asarray(made.empty)[0]])
        np.testing.assert_allclose(distances, np.repeat(np.sort([0.96, np.hypot(0.24, 0.93), np.hypot(1.2, 0.93)]), 2))

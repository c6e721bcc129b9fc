"""A `sel` of zero: no neighbour of that type has a place (../shared/cases/md.md, 17)."""

import numpy as np
import pytest

from sciml import md


@pytest.mark.slow
def test_a_type_without_places():
    descriptor = md.SeE2A.new(2, cutoff=4.0, sel=(8, 0), widths=(4, 8), axis=4, key=1)
    potential = md.deep_potential(("O", "H"), descriptor, widths=(8,))
    oxygen = [md.system([[0, 0, 0], [r, 0, 0]], "O") for r in (2.0 - 1e-5, 2.0, 2.0 + 1e-5)]
    a, b, c = md.evaluate_batch(potential, oxygen)
    np.testing.assert_allclose(b.forces[1, 0], (a.energy - c.energy) / 2e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="evaluate_batch: system 0: the forces on .* not finite.*neighbours"):
        md.evaluate_batch(potential, [md.system([[0, 0, 0], [2.0, 0, 0]], ["O", "H"])])

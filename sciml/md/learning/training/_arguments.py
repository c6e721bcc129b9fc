"""What `md.train` takes, looked at before anything is compiled."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax

from ...potentials._trainable import AbstractTrainable
from ._loss import AbstractLoss
from ._schedule import AbstractSchedule


def check_models(model: Any) -> list[AbstractTrainable]:
    """The models as a list. **Raises** `ValueError` where one cannot be trained, or they do not have the same shape."""
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    wrong = [type(m).__name__ for m in models if not isinstance(m, AbstractTrainable)]
    if wrong or not models:
        raise ValueError(
            f"train: expected a DeepPotential, or a list of them; {', '.join(wrong) or 'nothing'} came. "
            'md.deep_potential(("O", "H")) makes one, md.LocalPotential(network, cutoff=5.0, names=("O", "H")) one of your own.'
        )
    for m in models:
        if m.names is None:
            raise ValueError(f"train: {m!r} has no names of species; say which it knows: names=('O', 'H').")
        if not any(jax.tree.leaves(m.trained)):
            raise ValueError(f"train: {m!r} has no parameters: no floating arrays among the leaves of its function.")
    shapes = [(jax.tree.structure(m), [np.shape(a) for a in jax.tree.leaves(m)]) for m in models]
    if any(s != shapes[0] for s in shapes[1:]):
        raise ValueError("train: models that are trained at once have the same species, sizes and cutoffs; these differ.")
    return models


def check_data(data: Any, what: str) -> None:
    """**Raises** `ValueError` where no frames came, or they have no labels."""
    from ..data import Dataset

    if not isinstance(data, Dataset):
        raise ValueError(f"train: the {what} set is a {type(data).__name__}; expected a Dataset: md.Dataset.load(path).")
    if not len(data):
        raise ValueError(f"train: the {what} set is empty.")
    if not (np.any(np.isfinite(data.energies)) or np.any(np.isfinite(data.forces))):
        raise ValueError(f"train: the {what} set has no energies and no forces.")


def check_choices(loss: Any, schedule: Any, optimizer: Any, ema: Any, patience: Any, validation: Any) -> None:
    """**Raises** `ValueError` for what is no choice."""
    if not isinstance(loss, AbstractLoss):
        raise ValueError(f"train: loss={loss!r}; expected md.SquaredError(), md.Huber(delta) or md.AbsoluteError().")
    if not isinstance(schedule, AbstractSchedule):
        raise ValueError(f"train: schedule={schedule!r}; expected md.Cosine(), md.Exponential() or md.deepmd_schedule().")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise ValueError(f"train: optimizer={optimizer!r}; expected an optax transformation without a learning rate.")
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"train: ema={ema!r}; expected a decay between 0 and 1, such as 0.999, or None.")
    if patience is not None and validation is None:
        raise ValueError("train: patience needs a validation set to stop by.")

"""Energy biases of a model for other data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...._precision import float64
from ...potentials._trainable import AbstractTrainable
from ._arguments import check_data, check_models
from ._prepare import check_places, prepared, without_bias
from ._run import MANY, Run


def change_bias(model: AbstractTrainable, dataset: Any) -> Any:
    """`model` with energy biases of the species that fit the energies of `dataset` best, in least squares; forces do not
    change. DeePMD-kit's `change-bias`: for data from another code or functional.

    **Raises** `ValueError` where the data do not fit the model or have no energies.
    """
    check_models(model)
    check_data(dataset, "given")
    if not dataset.labelled["energies"].any():
        raise ValueError("change_bias: the dataset has no energies.")
    with float64():
        (data,) = prepared(model, given=dataset)
        check_places(model, data.survey, "given")
        model = model if model.bias is not None else dataclasses.replace(model, bias=np.zeros(len(model.names)))
        bias = np.asarray(model.bias, float)
        left = dataclasses.replace(data, buckets=[without_bias(b, dataset, bias) for b in data.buckets])
        run = Run([model], left, series=False, nearest=data.survey.nearest, dtype=np.float32)
        run.refit(run.parameters, MANY)
        return dataclasses.replace(model, bias=bias + run.shifts[0])

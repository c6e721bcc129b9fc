"""Energy biases, fitted to what a model leaves over."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...potentials._trainable import cast
from ._predict import predict
from ._prepare import Prepared, least_squares_bias, without_bias
from ._run import evenly

SOME = 8  # frames of a bucket that the first shift is taken from
MANY = 200  # frames that the last one is fitted to


def shifted(model: Any, data: Prepared, dataset: Any, most: int = SOME) -> Any:
    """`model` with biases that fit the energies of some frames."""
    low = cast(model, np.float32)
    call = jax.jit(lambda m, f: predict_energies(m, f))
    counts, left = [], []
    for bucket in data.buckets:
        bucket = without_bias(bucket, dataset, np.asarray(model.bias))
        which = evenly(len(bucket.members), most / len(bucket.members))
        known = np.asarray(bucket.frames.known)[which, 0]
        for k in which[known]:
            found = call(low, jax.tree.map(lambda a: jnp.asarray(a)[k : k + 1], bucket.frames))  # noqa: B023
            left.append(float(bucket.frames.energies[k] - found[0]))
            counts.append(bucket.counts[k])
    if not counts:
        return model
    return dataclasses.replace(model, bias=np.asarray(model.bias) + least_squares_bias(np.array(counts), np.array(left)))


def predict_energies(model: Any, frames: Any) -> Any:
    return predict(model, frames, jnp.float32).energies

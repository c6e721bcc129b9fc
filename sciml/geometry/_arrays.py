"""Equality and hash by value for frozen dataclasses that hold arrays."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


def _key(value: Any) -> Any:
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def frozen_equal(first: Any, second: Any) -> Any:
    if type(first) is not type(second):
        return NotImplemented
    return all(_key(getattr(first, f.name)) == _key(getattr(second, f.name)) for f in fields(first))


def frozen_hash(instance: Any) -> int:
    return hash((type(instance).__name__, *(_key(getattr(instance, f.name)) for f in fields(instance))))

"""Arrays and a JSON header in one `.npz` file: no pickle, nothing evaluated, put in place only when complete."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np


def write_arrays(path: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """A header of plain JSON and arrays in one `.npz`, put in place only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + f".{os.getpid()}.part")
    with open(temporary, "wb") as file:
        np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)  # pyright: ignore
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_arrays(path: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `write_arrays` wrote. Nothing is unpickled or evaluated."""
    with np.load(path, allow_pickle=False) as file:
        if "header" not in file:
            raise ValueError(f"{path} was not written by sciml: it has no header.")
        header = json.loads(file["header"].tobytes().decode())
        return header, {k: file[k] for k in file.files if k != "header"}

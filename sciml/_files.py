"""Arrays and a JSON header in one `.npz` file: no pickle, nothing evaluated, put in place only when complete."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
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
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes().decode()) if "header" in file else None
            arrays = {} if header is None else {k: file[k] for k in file.files if k != "header"}
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read: it is damaged, or was not written by sciml ({type(error).__name__}). Remove it, or give "
            "another path."
        ) from None
    if header is None:
        raise ValueError(f"{path} was not written by sciml: it has no header.")
    return header, arrays

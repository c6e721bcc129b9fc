"""Arrays and a JSON header in one `.npz` file: no pickle, nothing evaluated, put in place only when complete."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np


def expect_writable(path: Path, what: str) -> None:
    """Makes the folder of `path` where there is none, and tries to write beside it. **Raises** `ValueError` where a file cannot
    be made there, so that nothing is computed in vain."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb"):
            pass
        part.unlink()
    except OSError as error:
        above = next((folder for folder in path.parents if folder.exists()), path.parent)
        why = (
            f"{above} is a file, not a folder" if not above.is_dir()
            else f"there is no permission to write in {above}" if isinstance(error, PermissionError)
            else (error.strerror or str(error))
        )
        raise ValueError(f"{what}: {path} cannot be made: {why}. Give another path.") from None


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

"""DeePMD-kit's native files, `.dp` (HDF5) and `.yaml`, as a tree of dictionaries, lists and arrays.

`.dp`: the root attribute `json` holds the tree, in which each array is replaced by the path of a dataset. `.yaml`: an array is
{"@class": "np.ndarray", "value": nested lists}. Arrays hang under the key "@variables"; None stays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def read_tree(path: Any) -> dict[str, Any]:
    """**Raises** `FileNotFoundError`, and `ValueError` where it is neither kind of file."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    if path.suffix in (".yaml", ".yml"):
        import yaml  # pyright: ignore[reportMissingModuleSource]

        try:
            tree = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no YAML file, or cut off: {' '.join(str(error).split())}") from None
        if not isinstance(tree, dict):
            came = "it is empty" if tree is None else f"a {type(tree).__name__} came"
            raise ValueError(f"{path} holds no model of DeePMD-kit: expected keys and values, and {came}.")
        return _from_yaml(path, "", tree)
    if path.suffix != ".dp":
        raise ValueError(
            f"{path}: expected a model in a .dp or .yaml file. DeePMD-kit converts its others: dp convert-backend {path.name} "
            "model.dp; an input of dp train is no model."
        )
    import h5py  # pyright: ignore[reportMissingImports]

    if not h5py.is_hdf5(path):
        raise ValueError(f"{path} is no HDF5 file, which a .dp model of DeePMD-kit is.")
    try:
        with h5py.File(path) as file:
            if "json" not in file.attrs:
                raise ValueError(f"{path} has no attribute 'json': it is no model of DeePMD-kit.")
            return _from_dp(json.loads(file.attrs["json"]), file)  # type: ignore[arg-type]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged or cut off ({' '.join(str(error).split())}): copy it again.") from None


def write_tree(path: Any, tree: dict[str, Any]) -> Path:
    """Writes a `.dp` file."""
    import h5py  # pyright: ignore[reportMissingImports]

    path = Path(path)
    if path.suffix != ".dp":
        raise ValueError(f"{path}: expected a name that ends in .dp.")
    with h5py.File(path, "w") as file:
        counter = iter(range(1 << 30))
        file.attrs["json"] = json.dumps(_to_dp(tree, file, counter))
    return path


def _from_dp(node: Any, file: Any) -> Any:
    if isinstance(node, dict):
        return {key: _from_dp(value, file) for key, value in node.items()}
    if isinstance(node, list):
        return [_from_dp(value, file) for value in node]
    return np.asarray(file[node]) if isinstance(node, str) and node.startswith("/variable_") else node


def _to_dp(node: Any, file: Any, counter: Any) -> Any:
    if isinstance(node, dict):
        return {key: _to_dp(value, file, counter) for key, value in node.items()}
    if isinstance(node, list):
        return [_to_dp(value, file, counter) for value in node]
    if isinstance(node, np.ndarray):
        name = f"variable_{next(counter):04d}"
        file.create_dataset(name, data=node)
        return f"/{name}"
    return node


def _from_yaml(path: Path, where: str, node: Any) -> Any:
    if isinstance(node, dict):
        if node.get("@class") == "np.ndarray":
            try:
                return np.asarray(node["value"], node.get("dtype"))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: {where[1:]} is damaged or cut off, no array of numbers: {error}") from None
        return {key: _from_yaml(path, f"{where}.{key}", value) for key, value in node.items()}
    return [_from_yaml(path, f"{where}[{k}]", value) for k, value in enumerate(node)] if isinstance(node, list) else node

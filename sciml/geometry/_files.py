"""Meshes from files, through the packages of the extra `mesh`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f'reading meshes needs the package {name}; install it with: python -m pip install "sciml[mesh]"'
        ) from error


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no mesh file {path}.")
    return path


def read_surface(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (equal ones merged) and faces of a file that trimesh reads."""
    mesh = _package("trimesh").load(_existing(path), force="mesh")
    return np.asarray(mesh.vertices, float), np.asarray(mesh.faces, int)


def read_plane_mesh(path: str | Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Vertices, triangles (quadrilaterals are split) and named line groups of a file that meshio reads."""
    mesh = _package("meshio").read(_existing(path))
    points = np.asarray(mesh.points, float)
    if points.shape[1] == 3:
        if np.ptp(points[:, 2]) > 1e-12 * np.ptp(points, axis=0).max():
            raise ValueError(f"{path} is not plane: its z coordinates differ. For closed surfaces use Surface.load.")
        points = points[:, :2]
    triangles = [np.asarray(block.data) for block in mesh.cells if block.type == "triangle"]
    for block in mesh.cells:
        if block.type == "quad":
            quads = np.asarray(block.data)
            triangles += [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]
    if not triangles:
        kinds = ", ".join(sorted({block.type for block in mesh.cells})) or "none"
        raise ValueError(f"{path} has no triangles or quadrilaterals of first order; its cells are: {kinds}.")
    return points, np.concatenate(triangles).astype(int), _line_groups(mesh)


def _line_groups(mesh: Any) -> dict[str, np.ndarray]:
    """Named sets of lines: meshio's cell sets, or the physical tags of Gmsh with their names."""
    groups: dict[str, list[np.ndarray]] = {}
    for name, blocks in mesh.cell_sets.items():
        if name.startswith("gmsh:"):
            continue
        for block, rows in zip(mesh.cells, blocks, strict=True):
            if block.type == "line" and rows is not None and len(rows):
                groups.setdefault(_identifier(name), []).append(np.asarray(block.data)[np.asarray(rows, int)])
    if not groups:
        names = {int(tag): name for name, (tag, dim) in mesh.field_data.items() if int(dim) == 1}
        tags = mesh.cell_data.get("gmsh:physical", [])
        for block, of_block in zip(mesh.cells, tags, strict=False):
            if block.type == "line":
                for tag in np.unique(of_block):
                    name = _identifier(names.get(int(tag), f"part_{int(tag)}"))
                    groups.setdefault(name, []).append(np.asarray(block.data)[np.asarray(of_block) == tag])
    return {name: np.concatenate(edges) for name, edges in groups.items()}


def _identifier(name: str) -> str:
    """The name of a group in a file as an identifier: what cannot stand in one becomes an underscore."""
    clean = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    return clean if clean.isidentifier() else f"part_{clean}"

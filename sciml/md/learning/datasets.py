"""Datasets that are downloaded once, with their hashes checked, or taken from the folder that `SCIML_DATA` names."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from .data._dataset import Dataset
from .data._download import extended_xyz, fetched, mlearn_to_xyz
from .data._registry import SILICON, WATER

DEEPMD = "https://raw.githubusercontent.com/deepmodeling/deepmd-kit/v3.0.0/examples/water/data/"
MLEARN = "https://raw.githubusercontent.com/materialsvirtuallab/mlearn/a04d3b6ecaac47c27aa8f7e452c16a5c9a2a8cff/data/Si/"


def water() -> tuple[Dataset, Dataset]:
    """Liquid water, 64 molecules in a cube of 12.44 angstrom: 320 frames to train on and 80 to validate, with energies and
    forces. The example of DeePMD-kit (Wang et al. 2018, doi:10.1016/j.cpc.2018.03.016).

    **Raises** `FileNotFoundError`, `ConnectionError` or `ValueError`, which say how to get the files, where they are not there,
    cannot be downloaded, or are others.
    """
    source = "github.com/deepmodeling/deepmd-kit, the folder examples/water/data of release v3.0.0"
    folder = fetched("water", DEEPMD, WATER, source)
    load = Dataset.load
    return load([folder / f"data_{k}" for k in range(3)]), load(folder / "data_3")


def silicon() -> tuple[Dataset, Dataset]:
    """Crystals, strained, melting, with vacancies and surfaces, of silicon: 214 structures to train on and 25 to test, with
    energies and forces of density-functional theory (Zuo et al. 2020, doi:10.1021/acs.jpca.9b08723; mlearn, BSD-3).

    What is kept of mlearn's JSON files is extended XYZ, without their stresses.

    **Raises** as `water`.
    """
    source = "github.com/materialsvirtuallab/mlearn, the folder data/Si of commit a04d3b6"
    raw = {"train.xyz": "training.json", "test.xyz": "test.json"}
    folder = fetched("silicon", MLEARN, SILICON, source, made_from=raw, downloader=mlearn_to_xyz)
    train, test = (_xyz_or_mlearn(folder / file, folder / raw[file]) for file in raw)
    return train, test


def _xyz_or_mlearn(file: Path, raw: Path) -> Dataset:
    import ase.io  # pyright: ignore[reportMissingImports]

    if file.exists():
        return Dataset.load(file)
    return Dataset.from_ase(ase.io.read(StringIO(extended_xyz(json.loads(raw.read_text()))), index=":", format="extxyz"))

"""Files that are downloaded once, into pooch's cache, and compared with their hash."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "SCIML_DATA"


def fetched(
    name: str, base: str, registry: dict[str, str], source: str, *, made_from: dict[str, str] | None = None,
    downloader: Callable[..., Any] | None = None,
) -> Path:  # fmt: skip
    """The folder that holds the files of `registry` (path -> SHA-256): `$SCIML_DATA/name` where that is set, else the cache.

    `source` says in words where they are. `made_from`: which file at `base` each is made from by `downloader`; in
    `$SCIML_DATA` either will do. **Raises** `FileNotFoundError` where `$SCIML_DATA` lacks a file, `ConnectionError` without a
    network, `ValueError` where a hash differs.
    """
    there = {file: (made_from or {}).get(file, file) for file in registry}
    files = ", ".join(there.values()) if len(there) < 4 else "the files"
    how = f"Get {files} from {source}; then set {VARIABLE} to the folder in which they are in {name}/"
    if given := os.environ.get(VARIABLE):
        folder = Path(given) / name
        if lacking := [raw for file, raw in there.items() if not ((folder / file).exists() or (folder / raw).exists())]:
            raise FileNotFoundError(f"{VARIABLE} is {given}, and {folder / lacking[0]} is not there. {how}, or unset it.")
        return folder
    import pooch  # pyright: ignore[reportMissingImports]

    store = pooch.create(path=pooch.os_cache("sciml") / name, base_url=base, registry=registry)
    store.urls = {file: base + raw for file, raw in there.items()}
    for file in registry:
        try:
            store.fetch(file, downloader=downloader)
        except OSError as error:
            raise ConnectionError(
                f"{store.get_url(file)} could not be downloaded ({type(error).__name__}), and {VARIABLE} is not set. {how}."
            ) from error
        except ValueError as error:
            raise ValueError(f"{store.get_url(file)} is not the file that was expected: {error} {how}.") from error
    return Path(store.path)


def mlearn_to_xyz(url: str, output: Any, store: Any) -> None:
    """A downloader for pooch: a JSON file of mlearn's, written as extended XYZ, whose hash pooch compares then."""
    import pooch  # pyright: ignore[reportMissingImports]

    raw = Path(f"{output}.json")
    try:
        pooch.HTTPDownloader()(url, str(raw), store)
        text = extended_xyz(json.loads(raw.read_text()))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"it has not the layout of mlearn's files ({type(error).__name__}: {error}).") from error
    finally:
        raw.unlink(missing_ok=True)
    Path(output).write_bytes(text.encode())


def extended_xyz(records: list[dict[str, Any]]) -> str:
    """Structures of mlearn's JSON, of pymatgen's layout, in ASE's format: eight digits behind the point."""
    lines = []
    for record in records:
        sites, outputs = record["structure"]["sites"], record["outputs"]
        lattice = " ".join(repr(float(x)) for row in record["structure"]["lattice"]["matrix"] for x in row)
        lines += [
            str(len(sites)),
            f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={float(outputs["energy"])!r} pbc="T T T"',
        ]
        for site, force in zip(sites, outputs["forces"], strict=True):
            numbers = " ".join(f"{x:16.8f}" for x in (*site["xyz"], *force))
            lines.append(f"{site['label']:<2} {numbers}")
    return "\n".join(lines) + "\n"

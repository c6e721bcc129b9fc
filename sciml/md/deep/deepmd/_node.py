"""A dictionary of a model file that knows its place: what is missing, of another kind or not known is told by file and key."""

from __future__ import annotations

from typing import Any

import numpy as np

NEWEST = "3.2"  # DeePMD-kit, whose keys are known
REQUIRED: Any = object()


class Node:
    """One dictionary of the tree. What a reader has asked for is known; `finish` refuses the rest.

    **Attributes:** `file`; `where`, the keys that lead here.
    """

    def __init__(self, file: Any, where: str, tree: Any):
        self.file, self.where = file, where
        if not isinstance(tree, dict):
            raise ValueError(f"{file}: {where} is {_shown(tree)}; expected keys and values.")
        self._tree, self._asked = tree, set()

    def get(self, key: str, default: Any = REQUIRED) -> Any:
        """**Raises** `ValueError` where there is no such key, and no default."""
        self._asked.add(key)
        if key not in self._tree and default is REQUIRED:
            raise ValueError(f"{self.file} is incomplete: it has no {self.where}.{key}, which DeePMD-kit writes.")
        return self._tree.get(key, default)

    def __contains__(self, key: str) -> bool:
        return self._tree.get(key) is not None

    def wrong(self, key: str, expected: str) -> ValueError:
        return ValueError(f"{self.file}: {self.where}.{key} is {_shown(self._tree.get(key))}; expected {expected}.")

    def node(self, key: str) -> Node:
        return Node(self.file, f"{self.where}.{key}", self.get(key))

    def nodes(self, key: str) -> list[Node | None]:
        """Of a list of dictionaries, in which DeePMD-kit leaves out what it does not use."""
        found = self.get(key)
        if not isinstance(found, list):
            raise self.wrong(key, "a list")
        return [None if one is None else Node(self.file, f"{self.where}.{key}[{k}]", one) for k, one in enumerate(found)]

    def all_nodes(self, key: str) -> list[Node]:
        """**Raises** `ValueError` where one is left out."""
        found = self.nodes(key)
        whole = [node for node in found if node is not None]
        if len(whole) < len(found):
            raise ValueError(f"{self.file} is incomplete: {self.where}.{key}[{found.index(None)}] is empty.")
        return whole

    def number(self, key: str, default: Any = REQUIRED) -> float:
        """Also one in words, as YAML reads 1e-5."""
        found = self.get(key, default)
        try:
            if isinstance(found, (bool, type(None))):
                raise TypeError
            value = float(np.reshape(np.asarray(found, float), ()))
        except (TypeError, ValueError):
            raise self.wrong(key, "a number") from None
        if not np.isfinite(value):
            raise self.wrong(key, "a finite number")
        return value

    def whole(self, key: str, default: Any = REQUIRED) -> int:
        value = self.number(key, default)
        if value != int(value) or value < 0:
            raise self.wrong(key, "a whole number")
        return int(value)

    def whole_numbers(self, key: str) -> tuple[int, ...]:
        found = self.get(key)
        try:
            value = np.atleast_1d(np.asarray(found, float))
        except (TypeError, ValueError):
            value = np.array([np.nan])
        if value.ndim != 1 or not value.size or np.any(value != np.floor(value)) or np.any(value < 0):
            said = ", which dp train puts numbers for" if isinstance(found, str) and found.startswith("auto") else ""
            raise self.wrong(key, f"whole numbers{said}")
        return tuple(int(k) for k in value)

    def names(self, key: str) -> tuple[str, ...]:
        found = self.get(key)
        if not isinstance(found, list) or not found or not all(isinstance(n, str) for n in found):
            raise self.wrong(key, "the names of the types, such as ['O', 'H']")
        if len(set(found)) < len(found):
            raise self.wrong(key, "the names of the types, each once, such as ['O', 'H']")
        return tuple(found)

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        found = self.get(key, default)
        if not isinstance(found, (bool, np.bool_)):
            raise self.wrong(key, "true or false")
        return bool(found)

    def word(self, key: str, default: Any = REQUIRED) -> str:
        found = self.get(key, default)
        if not isinstance(found, str):
            raise self.wrong(key, "a word")
        return found

    def array(self, key: str, shape: tuple[int | None, ...], axes: str = "", flat: bool = False) -> np.ndarray:
        """Of this shape, None for any length; `flat`, whether axes of length one do not count.

        **Raises** `ValueError` where it has another, or is not finite.
        """
        found = self.get(key)
        try:
            value = np.asarray(found)
            value = value if np.issubdtype(value.dtype, np.floating) else value.astype(float)
        except (TypeError, ValueError):
            raise self.wrong(key, f"numbers of the shape {_sizes(shape)}") from None
        value = value.ravel() if flat else value
        if len(shape) != value.ndim or any(n not in (None, m) for n, m in zip(shape, value.shape, strict=True)):
            raise ValueError(
                f"{self.file}: {self.where}.{key} has the shape {np.shape(found)}; expected {_sizes(shape)}"
                f"{f', of {axes}' if axes else ''}."
            )
        if not np.all(np.isfinite(value)):
            raise ValueError(f"{self.file}: {self.where}.{key} has numbers that are not finite.")
        return value

    def refuse(self, **asked: str) -> None:
        """**Raises** `NotImplementedError` where one of the keys asks for something; it is named in these words, if any."""
        found = [f"{words} ({key})" if words else key for key, words in asked.items() if _says(self.get(key, None))]
        if found:
            raise NotImplementedError(f"{self.file}: {self.where} asks for {', '.join(found)}, which sciml.md does not have.")

    def idle(self, *keys: str) -> None:
        """They are known, and have no effect on the energy."""
        self._asked.update(keys)

    def finish(self, *idle: str, version: int | None = None) -> None:
        """Nothing is left that could change the energy: keys are asked for, or `idle`.

        **Raises** `NotImplementedError` that names keys that are not known, or a version of the format above `version`.
        """
        if version is not None and self.number("@version", 1) > version:
            raise NotImplementedError(
                f"{self.file}: {self.where} is written in version {self.get('@version')}; sciml.md knows versions up to "
                f"{version}, those of DeePMD-kit {NEWEST}."
            )
        self.idle(*idle)
        unknown = [str(key) for key in self._tree if key not in self._asked and key not in IDLE]
        if unknown:
            raise NotImplementedError(
                f"{self.file}: {self.where} has {', '.join(unknown)}, which sciml.md does not know and DeePMD-kit {NEWEST} "
                "does not write: it may change the energy."
            )


# What says the same again, or matters in training alone; in every dictionary.
IDLE = (
    "@class", "@version", "activation_function", "neuron", "ntypes", "precision", "resnet_dt", "seed", "trainable", "type_map",
)  # fmt: skip


def _says(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in ("", "none", "false", "0", "0.0")
    return bool(np.any(value)) if isinstance(value, (np.ndarray, np.generic)) else bool(value)


def _shown(value: Any) -> str:
    text = f"an array of the shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def _sizes(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"

"""The progress bar. tqdm is imported when one is shown: its notebook variant warns on import where ipywidgets is missing."""

from __future__ import annotations

import warnings
from typing import Any


class _Silent:
    def update(self, n: int) -> None: ...

    def set_postfix(self, **values: Any) -> None: ...

    def close(self) -> None: ...


def progress_bar_of(description: str, unit: str, *, shown: bool, initial: int = 0) -> Any:
    """A bar with `update`, `set_postfix` and `close`; one that does nothing unless `shown`."""
    if not shown:
        return _Silent()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=None, desc=description, unit=unit, initial=initial)

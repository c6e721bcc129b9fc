"""Progress bars, which say that programs are being compiled until the first steps are done."""

from __future__ import annotations

from typing import Any

COMPILING = "compiling"


def bar_of(what: str, steps: int, progress: bool) -> Any:
    """A bar for `what`, which is not shown without `progress`."""
    from tqdm.auto import tqdm

    return tqdm(total=steps, desc=what, unit="step", disable=not progress, leave=False, postfix=COMPILING)


def moved(bar: Any, steps: int) -> None:
    """`steps` more are done."""
    if getattr(bar, "postfix", None) == COMPILING:
        bar.set_postfix_str("", refresh=False)
    bar.update(steps)

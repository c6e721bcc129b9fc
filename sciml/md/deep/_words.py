"""Descriptors in words."""

from __future__ import annotations

from typing import Any

from ._chebyshev import Chebyshev


def described(name: str, descriptor: Any, nets: tuple[Any, ...], *more: str) -> str:
    """Its name, cutoff, places, and the widths of its embedding nets; `more` follows."""
    sel = descriptor.sel
    words = [
        f"{name}, cutoff {descriptor.cutoff:g} angstrom",
        f"sel {'from the data' if sel is None else list(sel) if isinstance(sel, tuple) else sel}",
        f"embedding {'-'.join(str(layer.w.shape[1]) for layer in nets[0].layers)}", *more,
    ]  # fmt: skip
    terms = [n.terms for n in nets if isinstance(n, Chebyshev)]
    return ", ".join(words) + (f" in Chebyshev series of {max(terms)} terms" if terms else "")

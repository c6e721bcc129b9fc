"""What NumPy and JAX find when they are called with a symbol of the language."""

from typing import Any

import numpy as np
import sympy as sp

_OTHER_NAMES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "absolute": "Abs", "fabs": "Abs", "ceil": "ceiling", "maximum": "Max", "minimum": "Min",
    "fmax": "Max", "fmin": "Min", "heaviside": "Heaviside", "conjugate": "conjugate",
}  # fmt: skip
_SAME_NAMES = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "cbrt", "sign", "floor")


class OnArrays:
    """`np.sin(x)` of a symbol is SymPy's; its arithmetic with arrays stays what it is with any object.

    Sums and products are SymPy's own classes, of which NumPy knows nothing: `np.sin(np.pi * x)` cannot be helped.
    """

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = _OTHER_NAMES.get(ufunc.__name__, ufunc.__name__ if ufunc.__name__ in _SAME_NAMES else "")
        if name and method == "__call__" and not any(isinstance(i, np.ndarray) and i.ndim for i in inputs):
            return getattr(sp, name)(*inputs, **kwargs)
        objects = []
        for value in inputs:
            if isinstance(value, OnArrays):
                value, alone = np.empty((), object), value
                value[()] = alone
            objects.append(value)
        return getattr(ufunc, method)(*objects, **kwargs)

    @property
    def dtype(self) -> Any:
        # JAX asks for it of an argument that it does not know, and hides a TypeError behind a message of its own.
        raise ValueError(
            f"{self} is a symbol of an equation, not an array: write sp.sin({self}) rather than jnp.sin({self}); a function "
            f"that needs JAX is function(name, callable)({self})."
        )

"""Functions that SymPy cannot write: JAX callables and tables."""

import builtins
import inspect
from collections.abc import Callable
from types import MethodType
from typing import Any

import jax
import numpy as np
from sympy.core.function import AppliedUndef, UndefinedFunction

from ._names import check_name
from ._spline import Spline


class _Same:
    """Compares callables by identity, since a network that holds arrays has no hash; tables by their data."""

    def __init__(self, callable):
        self.callable = callable

    def _key(self) -> Any:
        f = self.callable
        if isinstance(f, Spline):
            return f.fingerprint
        if isinstance(f, MethodType):
            return (id(f.__self__), id(f.__func__))
        return id(f)

    def __hash__(self):
        return hash(self._key())

    def __eq__(self, other):
        if not isinstance(other, _Same):
            return NotImplemented
        return self._key() == other._key()


class Opaque(AppliedUndef):
    """A call of a JAX function inside an equation. `type(node).callable` is the function. See `function`,
    `table`.

    `type(node).function_name` is the name it was given and `type(node).orders` how often it has been
    differentiated in each argument (trailing zeros dropped).
    """

    function_name: str
    base: _Same
    orders: tuple[int, ...]
    callable: Callable[..., Any]

    def fdiff(self, argindex: int = 1) -> Any:
        axis = argindex - 1
        orders = list(self.orders) + [0] * (len(self.args) - len(self.orders))
        orders[axis] += 1
        if isinstance(self.base.callable, Spline):
            self.base.callable.check_order(self.function_name, axis, orders[axis])
        return opaque_class(self.function_name, self.base.callable, tuple(orders))(*self.args)

    def __reduce_ex__(self, protocol):
        return _rebuild, (self.function_name, self.base.callable, self.orders, self.args)


def _rebuild(name, callable, orders, args):
    return opaque_class(name, callable, orders)(*args)


def opaque_class(name: str, callable: Callable, orders: tuple[int, ...] = ()) -> Any:
    """The SymPy function class of a callable, differentiated `orders` times. Equal calls, equal classes."""
    while orders and orders[-1] == 0:
        orders = orders[:-1]
    derivative = callable
    if isinstance(callable, Spline):
        derivative = callable.derivative(orders)
    else:
        for axis, order in enumerate(orders):
            for _ in range(order):
                derivative = jax.grad(derivative, argnums=axis)
    shown = name + "".join(f"_{axis + 1}" for axis, order in enumerate(orders) for _ in range(order))
    made: Any = UndefinedFunction(
        shown,
        (Opaque,),
        real=True,
        function_name=name,
        base=_Same(callable),
        orders=orders,
    )
    # Not a keyword above: it may have no hash. A staticmethod, so that `type(node).callable` is not bound to
    # a node.
    made.callable = staticmethod(derivative)
    return made


def function(name: str, callable: Callable[..., Any]) -> Any:
    """A JAX function to be used inside an equation, like any SymPy function: `f = function("f", net)`; `f(u,
    u.x)`.

    It takes scalars and returns a scalar; batches are made by `jax.vmap`. It is differentiated by the chain
    rule, and each partial derivative of it is `jax.grad`. It is saved by name only and handed in again on
    load.

    **Raises:** `TypeError` if `callable` cannot be called; on application, if it cannot take that many
    arguments.

    >>> import jax.numpy as jnp
    >>> from sciml.pde import coordinates, field
    >>> x = coordinates("x")
    >>> u = field("u", x)
    >>> f = function("f", lambda a: jnp.tanh(a) ** 2)
    >>> f(u).diff(x)
    f_1(u(x))*Derivative(u(x), x)
    """
    name = check_name(name, "function", attribute=False)
    if not builtins.callable(callable) or (isinstance(callable, type) and issubclass(callable, AppliedUndef)):
        raise TypeError(
            f"function({name!r}, ...) takes a JAX callable of scalars; got {type(callable).__name__}."
        )
    return opaque_class(name, callable)


def jumps(node: Any) -> bool:
    """Whether a call is that of a table of blocks."""
    return isinstance(node, Opaque) and isinstance(node.base.callable, Spline) and node.base.callable.degree == 0


def blunted(expression: Any) -> Any:
    """Tables of blocks as functions that differentiate to zero, where only the order of derivatives matters."""
    blocks = {node for node in expression.atoms(Opaque) if jumps(node)}
    return expression.xreplace({n: opaque_class(n.function_name, _Blunt(n.base.callable))(*n.args) for n in blocks})


class _Blunt:
    def __init__(self, table: Spline):
        self.table = table

    def __call__(self, *point: Any) -> Any:
        return self.table(*point)


def check_callable_arity(name: str, callable: Callable, count: int, arguments: str) -> None:
    """Raises `TypeError` unless `callable` accepts `count` positional arguments (or cannot be inspected)."""
    try:
        signature = inspect.signature(callable)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        raise TypeError(
            f"The function {name!r} must accept {count} scalar argument{'s' * (count != 1)} ({arguments}): "
            f"{error}."
        ) from None


def table(name: str, grids: Any, values: Any, *, degree: int = 5) -> Any:
    """Values on a grid as a smooth function: `k = table("k", (xs, ys), values)`, then `k(x, y)` in an
    equation.

    An interpolating spline (a tensor product in several dimensions) of odd `degree` along each axis, `degree
    - 1` times continuously differentiable. Asking an equation for more derivatives than that is an error.
    Outside the grid it is NaN, beyond a margin of 1e-6 of its width for rounding.

    **Arguments:**

    - `grids`: one increasing 1D array for each argument; a bare array for a function of one argument.
    - `values`: real, shape `(len(grid_1), len(grid_2), ...)`.
    - `degree`: 5 by default; fewer where a grid has less than six points. With 0 it is constant on blocks and jumps between
        them: the grids are the edges of the blocks, one more than there are values along each axis; or as many, then every
        value holds where its point is the nearest.

    **Raises:** `ValueError` on shapes that disagree, a grid that does not increase, NaN, or too few points.

    >>> import numpy as np
    >>> from sciml.pde import coordinates
    >>> x = coordinates("x")
    >>> xs = np.linspace(0, 1, 30)
    >>> k = table("k", xs, np.sin(xs))(x)
    >>> layers = table("layers", [0, 0.2, 1], [400.0, 1.4], degree=0)(x)
    """
    name = check_name(name, "table", attribute=False)
    if isinstance(grids, np.ndarray) or not isinstance(grids, (tuple, list)) or np.ndim(grids[0]) == 0:
        grids = (grids,)
    return opaque_class(name, Spline.interpolate(name, grids, values, degree))

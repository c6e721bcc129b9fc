"""Vector calculus in the space coordinates."""

from typing import Any

import sympy as sp

from ._coordinates import Coordinate, in_canonical_order
from ._field import Field
from ._flux import FluxDerivative, total_derivative


def d(flux: Any, coordinate: Any) -> Any:
    """The derivative of a flux, kept as it is written: conservation form for solvers that use it.

    A strong-form method expands it by the product rule, and refuses a discontinuous coefficient inside.

    >>> from sciml.pde import coordinates, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> d(u**2 / 2, x)
    d(u(x, t)**2/2, x)
    >>> d(u**2 / 2, x).doit()
    u(x, t)*Derivative(u(x, t), x)
    """
    node = FluxDerivative(flux, coordinate)
    return node if node.coordinate in node.flux.free_symbols else sp.S.Zero


def div(flux: Any, *coords: Coordinate) -> Any:
    """The divergence of a flux vector, sum_i d(flux_i, x_i), kept as it is written (see `d`).

    `coords` are the space coordinates of its components: by default those of the fields inside, in their
    order.

    >>> from sciml.pde import coordinates, field
    >>> x, y = coordinates("x y")
    >>> u = field("u", x, y)
    >>> div((1 + x) * grad(u))
    d((x + 1)*Derivative(u(x, y), x), x) + d((x + 1)*Derivative(u(x, y), y), y)
    """
    parts = _components(flux, "div")
    along = _space(parts, coords)
    _same_length("div", parts, along)
    return sp.Add(*(d(part, x) for part, x in zip(parts, along)))


def grad(expression: Any, *coords: Coordinate) -> Any:
    """The gradient in the space coordinates, as a SymPy column vector (it can be scaled, added, and
    unpacked).

    >>> from sciml.pde import coordinates, field
    >>> x, y, t = coordinates("x y t")
    >>> u_x, u_y = grad(field("u", x, y, t))
    """
    expression = _scalar(expression, "grad")
    return sp.ImmutableMatrix([total_derivative(expression, x) for x in _space([expression], coords)])


def curl(vector: Any, *coords: Coordinate) -> Any:
    """The curl of a vector: a scalar v_x - u_y for two components, a SymPy column vector for three.

    >>> from sciml.pde import coordinates, fields
    >>> x, y = coordinates("x y")
    >>> curl(fields("u v", x, y))
    -Derivative(u(x, y), y) + Derivative(v(x, y), x)
    """
    parts = _components(vector, "curl")
    along = _space(parts, coords)
    _same_length("curl", parts, along)
    if len(parts) == 2:
        (u, v), (x, y) = parts, along
        return total_derivative(v, x) - total_derivative(u, y)
    if len(parts) == 3:
        (u, v, w), (x, y, z) = parts, along
        return sp.ImmutableMatrix(
            [
                total_derivative(w, y) - total_derivative(v, z),
                total_derivative(u, z) - total_derivative(w, x),
                total_derivative(v, x) - total_derivative(u, y),
            ]
        )
    raise ValueError(f"`curl` takes a vector of two or three components; got {len(parts)}.")


def laplacian(expression: Any, *coords: Coordinate) -> Any:
    """The sum of the second derivatives in the space coordinates; componentwise for a vector.

    >>> from sciml.pde import coordinates, field
    >>> x, y, t = coordinates("x y t")
    >>> laplacian(field("u", x, y, t))
    Derivative(u(x, y, t), (x, 2)) + Derivative(u(x, y, t), (y, 2))
    """
    if _is_vector(expression):
        parts = _components(expression, "laplacian")
        along = _space(parts, coords)
        return sp.ImmutableMatrix([laplacian(part, *along) for part in parts])
    expression = _scalar(expression, "laplacian")
    return sp.Add(*(total_derivative(expression, x, 2) for x in _space([expression], coords)))


def biharmonic(expression: Any, *coords: Coordinate) -> Any:
    """The laplacian of the laplacian.

    >>> from sciml.pde import coordinates, field
    >>> x = coordinates("x")
    >>> biharmonic(field("u", x))
    Derivative(u(x), (x, 4))
    """
    along = _space(
        _components(expression, "") if _is_vector(expression) else [sp.sympify(expression)], coords
    )
    return laplacian(laplacian(expression, *along), *along)


def material_derivative(expression: Any, velocity: Any, *coords: Coordinate) -> Any:
    """df/dt + (velocity . grad) f: the rate of change seen by a moving particle; componentwise for a vector.

    Without a time coordinate (a steady flow) only (velocity . grad) f is left.

    >>> from sciml.pde import coordinates, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> material_derivative(u, (u,))
    u(x, t)*Derivative(u(x, t), x) + Derivative(u(x, t), t)
    """
    speeds = _components(velocity, "material_derivative") if _is_vector(velocity) else [sp.sympify(velocity)]
    if _is_vector(expression):
        parts = _components(expression, "material_derivative")
        along = _space([*parts, *speeds], coords)
        return sp.ImmutableMatrix([material_derivative(part, speeds, *along) for part in parts])
    expression = _scalar(expression, "material_derivative")
    along = _space([expression, *speeds], coords)
    _same_length("material_derivative", speeds, along)
    terms = [speed * total_derivative(expression, x) for speed, x in zip(speeds, along)]
    times = {c for f in expression.atoms(Field) for c in f.coordinates if c.role == "time"}
    times |= {c for c in expression.free_symbols if isinstance(c, Coordinate) and c.role == "time"}
    return sp.Add(*(total_derivative(expression, t) for t in times), *terms)


def _is_vector(value: Any) -> bool:
    return isinstance(value, (tuple, list, sp.MatrixBase, sp.Tuple))


def _components(vector: Any, operator: str) -> list[Any]:
    if not _is_vector(vector):
        raise TypeError(
            f"`{operator}` takes a vector: a tuple of expressions or a SymPy matrix; got {vector!r}."
        )
    return [_scalar(part, operator) for part in vector]


def _scalar(expression: Any, operator: str) -> Any:
    if isinstance(expression, bool) or _is_vector(expression):
        raise TypeError(f"`{operator}` expected one expression here; got {expression!r}.")
    expression = sp.sympify(expression)
    if not isinstance(expression, sp.Expr):
        raise TypeError(
            f"`{operator}` expected an expression; got {expression!r} of type {type(expression).__name__}."
        )
    return expression


def _space(expressions: list[Any], given: tuple[Coordinate, ...]) -> tuple[Coordinate, ...]:
    """The space coordinates meant: those given, else those of the fields inside."""
    if given:
        for c in given:
            if not isinstance(c, Coordinate) or c.role != "space":
                raise ValueError(f"Vector operators act in space coordinates; got {c!r}.")
        return given
    found = {f for expression in expressions for f in expression.atoms(Field)}
    # The field with the most coordinates decides their order.
    ordered = sorted(found, key=lambda f: (-len(f.coordinates), f.field_name))
    space = tuple(
        c for c in in_canonical_order(c for f in ordered for c in f.coordinates) if c.role == "space"
    )
    if not space:
        raise ValueError(
            "No field with space coordinates is inside, so the coordinates are not known: name them, as in "
            "laplacian(f, x, y)."
        )
    return space


def _same_length(operator: str, parts: list[Any], along: tuple[Coordinate, ...]) -> None:
    if len(parts) != len(along):
        raise ValueError(
            f"`{operator}` got {len(parts)} component(s) for the {len(along)} space coordinate(s) "
            f"{', '.join(c.name for c in along)}: give one for each, or name the coordinates."
        )

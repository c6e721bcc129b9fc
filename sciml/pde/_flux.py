"""Derivatives of fluxes that stay as they are written, and total derivatives."""

from typing import Any

import sympy as sp

from ._coordinates import Coordinate
from ._field import Field
from ._opaque import Opaque, blunted, jumps

_JUMPS = (sp.Piecewise, sp.Heaviside, sp.sign, sp.floor, sp.ceiling, sp.DiracDelta, sp.Mod)
_KINKS = (sp.Abs, sp.Max, sp.Min)


class FluxDerivative(sp.Expr):
    """d(flux)/dx, unevaluated until `.doit()`. See `d`."""

    def __new__(cls, flux: Any, coordinate: Any):
        flux, coordinate = sp.sympify(flux), sp.sympify(coordinate)
        if not isinstance(coordinate, Coordinate):
            raise TypeError(
                f"d(flux, x) differentiates along a coordinate made by `coordinates`; got {coordinate!r} of "
                "type "
                f"{type(coordinate).__name__}."
            )
        if not isinstance(flux, sp.Expr):
            raise TypeError(f"d(flux, {coordinate}) takes one expression; got {type(flux).__name__}.")
        # Not simplified, even to 0: SymPy puts placeholders for fields while it substitutes.
        return super().__new__(cls, flux, coordinate)

    @property
    def flux(self) -> Any:
        return self.args[0]

    @property
    def coordinate(self) -> Any:
        return self.args[1]

    def doit(self, **hints: Any) -> Any:
        flux = self.flux.doit(**hints) if hints.get("deep", True) else self.flux
        return total_derivative(flux, self.coordinate)

    def _eval_derivative(self, s):
        # A field as the variable (linearisation) commutes only after expansion.
        return (
            FluxDerivative(total_derivative(self.flux, s), self.coordinate)
            if isinstance(s, Coordinate)
            else None
        )

    def _eval_is_commutative(self):
        return True

    def _eval_is_real(self):
        return self.flux.is_real

    def _sympystr(self, printer):
        return f"d({printer._print(self.flux)}, {printer._print(self.coordinate)})"

    def _latex(self, printer):
        return rf"\partial_{{{printer._print(self.coordinate)}}}\left({printer._print(self.flux)}\right)"


def leaves(expression: Any) -> set[Any]:
    """The fields and the derivatives of fields in `expression`."""
    found, pending = set(), [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, Field) or (isinstance(node, sp.Derivative) and isinstance(node.expr, Field)):
            found.add(node)
        else:
            pending.extend(node.args)
    return found


def total_derivative(expression: Any, variable: Any, count: int = 1) -> Any:
    """d(expression)/d(variable) by the chain rule, knowing that derivatives of real fields are real.

    SymPy does not know it, so its own derivative of |u_x| is a page long.
    """
    for _ in range(count):
        inner = sorted(leaves(expression), key=sp.default_sort_key)
        if any(_field_of(leaf).is_complex_field for leaf in inner):
            expression = expression.diff(variable)
            continue
        dummies = {leaf: sp.Dummy(real=True) for leaf in inner}
        outer = expression.xreplace(dummies)
        terms = [outer.diff(variable)]
        for leaf, dummy in dummies.items():
            if variable in leaf.free_symbols:
                terms.append(outer.diff(dummy) * leaf.diff(variable))
        expression = sp.Add(*terms).xreplace({dummy: leaf for leaf, dummy in dummies.items()})
    return expression


def _field_of(leaf: Any) -> Any:
    return leaf.expr if isinstance(leaf, sp.Derivative) else leaf


def expanded(expression: Any) -> Any:
    """Multiplied out, but for what is inside functions of the coordinates: exp(-(x - a)^2 / b) as a product of exponentials
    would be zero times infinity."""
    hidden = {n: sp.Dummy() for n in expression.atoms(sp.Function) if not isinstance(n, Field) and not n.atoms(Field)}
    return sp.expand(expression.xreplace(hidden)).xreplace({symbol: n for n, symbol in hidden.items()})


def expand_fluxes(expression: Any) -> Any:
    """`expression` with every `d(flux, x)` and `div(flux)` expanded by the product rule: its strong form.

    **Raises:** `ValueError` if a flux contains a discontinuous coefficient (Piecewise, Heaviside, sign,
    floor, or a kink such as |x| or max(x, 0) in the coordinates): the product rule would lose the jump.

    >>> from sciml.pde import coordinates, d, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> expand_fluxes(d(u**2 / 2, x))
    u(x, t)*Derivative(u(x, t), x)
    """
    for node in expression.atoms(FluxDerivative):
        for bad in node.flux.atoms(*_JUMPS, *_KINKS, Opaque):
            if jumps(bad) if isinstance(bad, Opaque) else isinstance(bad, _JUMPS) or not leaves(bad):
                raise ValueError(
                    f"The flux in {node} contains {bad}, which is not smooth: differentiating it at points would "
                    "lose its jump, and the answer would be wrong at the interface. In a Box, solvers.solve "
                    "keeps fluxes whole (finite volumes); otherwise give each side of the interface its own "
                    "field, with Condition for equal values and fluxes: docs/interfaces.md writes both out."
                )
    return evaluate_derivatives(expand_without_check(expression))


def expand_without_check(expression: Any) -> Any:
    """`expand_fluxes` for questions about the order only."""
    if not expression.has(FluxDerivative):
        return expression
    return _bottom_up(expression, FluxDerivative, lambda node: slope_beside_jumps(blunted(node.flux), node.coordinate))


def slope_beside_jumps(flux: Any, variable: Any) -> Any:
    """`total_derivative` on either side of the jumps in a flux: without deltas, and of a step zero.

    >>> from sciml.pde import coordinates, field
    >>> x = coordinates("x")
    >>> u = field("u", x)
    >>> slope_beside_jumps((1 + sp.Heaviside(x - 0.5)) * u.x, x)
    (Heaviside(x - 0.5) + 1)*Derivative(u(x), (x, 2))
    """
    slope = total_derivative(flux.replace(sp.Mod, lambda a, b: a - b * sp.floor(a / b)), variable)
    steps = {n for n in slope.atoms(sp.Derivative) if not isinstance(n.expr, Field)}
    return slope.xreplace(dict.fromkeys(slope.atoms(sp.Subs, sp.DiracDelta) | steps, sp.Integer(0)))


def evaluate_derivatives(expression: Any) -> Any:
    """`expression` with SymPy derivatives of anything but a field carried out, such as those of products.

    Derivatives of fields get their variables sorted: `sp.Derivative(u, t, x)` is not `u.diff(x, t)` to SymPy.
    """

    def carried_out(node):
        result = node.expr
        if isinstance(result, Field):
            return result.diff(*node.variable_count)
        for variable, count in node.variable_count:
            result = total_derivative(result, variable, int(count))
        return result

    written = expression.atoms(sp.Derivative)
    unsorted = {n: carried_out(n) for n in written if isinstance(n.expr, Field) and carried_out(n) != n}
    if unsorted:
        expression = expression.xreplace(unsorted)
    if all(isinstance(node.expr, Field) for node in written):
        return expression
    return _bottom_up(expression, sp.Derivative, carried_out)


def _bottom_up(expression, kind, change):
    # A derivative of a field is a leaf: rebuilding it from its arguments would only cost time.
    if not expression.args or isinstance(expression, Field):
        return expression
    if isinstance(expression, sp.Derivative) and isinstance(expression.expr, Field):
        return expression
    args = [_bottom_up(arg, kind, change) if isinstance(arg, sp.Basic) else arg for arg in expression.args]
    if isinstance(expression, sp.Derivative):
        rebuilt = (
            sp.Derivative(args[0], *expression.variable_count) if args[0] != expression.expr else expression
        )
    elif all(new is old for new, old in zip(args, expression.args)):
        rebuilt = expression
    else:
        rebuilt = expression.func(*args)
    return change(rebuilt) if isinstance(rebuilt, kind) else rebuilt

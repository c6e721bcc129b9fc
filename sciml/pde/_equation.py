"""One equation of a system."""

from typing import Any

import sympy as sp

from ._flux import evaluate_derivatives, expand_without_check, leaves
from ._heads import check_heads
from ._printing import latex, text


class Equation:
    """`expression = 0` in the interior; losses and residuals are keyed by its name. See `equation`."""

    def __init__(self, name: str | None, expression: Any):
        self.name: str = name or ""
        self.expression: Any = expression

    def describe(self) -> str:
        return f"{text(self.expression)} = 0"

    def latex(self) -> str:
        return f"{latex(self.expression)} = 0"

    def __eq__(self, other):
        if not isinstance(other, Equation):
            return NotImplemented
        return self.name == other.name and self.expression == other.expression

    def __hash__(self):
        return hash((self.name, self.expression))

    def __repr__(self):
        return f"<Equation {self.name!r}: {self.describe()}>"

    def _repr_latex_(self):
        return f"$\\displaystyle {self.latex()}$"


def equation(expression: Any, *, name: str | None = None) -> Equation:
    """An equation with a name; the name appears in losses, weights and history.

    **Arguments:**

    - `expression`: what must be zero, or `sp.Eq(left, right)`.

    **Raises:** `TypeError` on a Python bool (`u.t + u.x == 0` compares two objects and gives False);
    `ValueError` on an identity, on an equation without a field, and on anything in it that has no meaning
    here.

    >>> from sciml.pde import coordinates, fields
    >>> x, y = coordinates("x y")
    >>> u, v = fields("u v", x, y)
    >>> equation(u.x + v.y, name="continuity")
    <Equation 'continuity': u.x + v.y = 0>
    """
    if name is not None and (not isinstance(name, str) or not name.strip()):
        raise TypeError(f"The name of an equation is a string; got {name!r}.")
    where = "An equation" if name is None else f"Equation {name!r}"
    if isinstance(expression, bool) or expression is sp.false:
        raise TypeError(
            f"{where} is {expression}, a bool. In Python `a == b` asks whether two expressions are the same "
            "object; an "
            "equation is written as an expression that is zero, `u.t + u.x`, or as sp.Eq(u.t, -u.x)."
        )
    if expression is sp.true:
        raise ValueError(f"{where} is the identity 0 = 0: it is always true, so nothing would be solved.")
    if isinstance(expression, sp.Eq):
        expression = expression.lhs - expression.rhs  # pyright: ignore
    if not isinstance(expression, sp.Expr):
        raise TypeError(
            f"{where}: expected an expression that is zero or sp.Eq(left, right); got {expression!r} of type "
            f"{type(expression).__name__}."
        )
    expression = evaluate_derivatives(expression)
    check_heads(expression, where)
    if expression.is_zero or sp.expand(expand_without_check(expression)) == 0:
        raise ValueError(f"{where} is the identity 0 = 0: its terms cancel, so nothing would be solved.")
    if not leaves(expression):
        raise ValueError(f"{where}, {text(expression)} = 0, contains no field, so nothing would be solved.")
    return Equation(name, expression)

"""Equations as text for a terminal and as LaTeX, derivatives as subscripts."""

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from ._field import Field
from ._flux import FluxDerivative, leaves


def _letters(derivative: Any) -> str:
    """The subscript of a derivative, in the order of the field's coordinates, time last."""
    counts = {variable: int(count) for variable, count in derivative.variable_count}
    ordered = sorted(derivative.expr.coordinates, key=lambda c: c.role == "time")
    return "".join(c.name * counts.get(c, 0) for c in ordered)


def _rank(term: Any) -> tuple:
    """Sorts the terms of a sum as papers do: time derivatives, rising orders in space, sources."""
    found = leaves(term)
    if not found:
        return (2, 0)
    time = space = 0
    for leaf in found:
        if isinstance(leaf, sp.Derivative):
            for variable, count in leaf.variable_count:  # pyright: ignore
                is_time = getattr(variable, "role", "") == "time"
                time, space = (max(time, int(count)), space) if is_time else (time, max(space, int(count)))
    if term.has(FluxDerivative):
        time = max([time, *(1 for n in term.atoms(FluxDerivative) if n.coordinate.role == "time")])
        space += 1
    return (0, -time) if time else (1, space)


def _terms(expression: Any, printer: Any) -> list[Any]:
    terms = sp.Add.make_args(expression)
    return sorted(terms, key=lambda term: (_rank(term), printer.natural(term)))


class _Text(StrPrinter):
    natural = staticmethod(sp.default_sort_key)

    def _print_Add(self, expr, order=None):
        if not leaves(expr):
            return super()._print_Add(expr, order=order)
        shown = ""
        for term in _terms(expr, self):
            text = self._print(term)
            sign, text = ("-", text[1:]) if text.startswith("-") else ("+", text)
            shown += (f" {sign} " if shown else sign.strip("+")) + text
        return shown

    def _print_Float(self, expr):
        return f"{float(expr):.6g}"

    def _print_Derivative(self, expr):
        if isinstance(expr.expr, Field):
            return f"{self._print(expr.expr)}.{_letters(expr)}"
        return super()._print_Derivative(expr)

    def _print_Function(self, expr):
        if isinstance(expr, Field):
            return expr.field_name if expr.args == expr.coordinates else super()._print_Function(expr)
        return super()._print_Function(expr)


class _Latex(LatexPrinter):
    natural = staticmethod(sp.default_sort_key)

    def _print_Add(self, expr, order=None):
        if not leaves(expr):
            return super()._print_Add(expr, order=order)
        shown = ""
        for term in _terms(expr, self):
            text = self._print(term)
            sign, text = ("-", text[1:].lstrip()) if text.startswith("-") else ("+", text)
            shown += (f" {sign} " if shown else sign.strip("+")) + text
        return shown

    def _print_Float(self, expr):
        text = f"{float(expr):.6g}"
        if "e" in text:
            mantissa, exponent = text.split("e")
            return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
        return text

    def _print_Derivative(self, expr):
        if not isinstance(expr.expr, Field):
            return super()._print_Derivative(expr)
        counts = {variable: int(count) for variable, count in expr.variable_count}
        ordered = sorted(expr.expr.coordinates, key=lambda c: c.role == "time")
        # The space ends a control word: \theta t is two letters, \thetat an unknown command.
        letters = " ".join(self._print(c) for c in ordered for _ in range(counts.get(c, 0)))
        name = self._name(expr.expr)
        return rf"\partial_{{{letters}}} {name}" if "_" in name else f"{name}_{{{letters}}}"

    def _name(self, expr):
        return self._deal_with_super_sub(expr.field_name)

    def _print_Function(self, expr, exp=None):
        if isinstance(expr, Field) and expr.args == expr.coordinates:
            name = self._name(expr)
            return name if exp is None else f"{name}^{{{exp}}}"
        return super()._print_Function(expr, exp)


def text(expression: Any) -> str:
    """`expression` for a terminal, such as `u.t + u*u.x - 0.0031831*u.xx`."""
    return _Text().doprint(expression)


def latex(expression: Any, symbol_names: dict[Any, str] | None = None) -> str:
    """`expression` in LaTeX, such as `u_{t} + u u_{x}`."""
    return _Latex({"symbol_names": symbol_names or {}}).doprint(expression)


def latex_word(word: str) -> str:
    """A name inside LaTeX text."""
    escaped = "".join("\\" + c if c in "_&%#$" else "-" if c in "^~\\" else c for c in word)
    return r"\text{" + escaped.replace("{", "(").replace("}", ")") + "}"

"""Complex fields as two real ones each."""

from typing import Any

import numpy as np
import sympy as sp

from ._conditions import AbstractCondition, Condition, Dirichlet, Initial, Neumann, Periodic, Robin
from ._equation import Equation
from ._field import Field, field
from ._flux import FluxDerivative, total_derivative
from ._observed import Observed
from ._opaque import Opaque
from ._operators import d


class Splitter:
    """Rewrites expressions in complex fields `psi` as pairs of real expressions in `psi_re` and `psi_im`.

    SymPy's `as_real_imag` does not know that the derivative of a real function is real, so the tree is walked
    here, and SymPy is asked only about functions of real symbols.
    """

    def __init__(self, fields: tuple[Any, ...]):
        self.parts: dict[Any, tuple[Any, Any]] = {}
        taken = {f.field_name for f in fields}
        for psi in fields:
            if not psi.is_complex_field:
                continue
            names = (f"{psi.field_name}_re", f"{psi.field_name}_im")
            for name in names:
                if name in taken:
                    raise ValueError(
                        f"The complex field {psi.field_name!r} becomes {names[0]!r} and {names[1]!r}, but "
                        "there is already "
                        f"a field {name!r}: rename it."
                    )
            self.parts[psi] = (field(names[0], *psi.coordinates), field(names[1], *psi.coordinates))

    def __call__(self, expression: Any) -> tuple[Any, Any]:
        """The real and the imaginary part of `expression`."""
        if isinstance(expression, Field):
            return self.parts.get(expression, (expression, sp.S.Zero))
        if isinstance(expression, sp.Derivative):
            return self._derivative(expression, expression.expr, expression.variable_count)
        if isinstance(expression, FluxDerivative):
            re, im = self(expression.flux)
            return d(re, expression.coordinate), d(im, expression.coordinate)
        if expression is sp.I:
            return sp.S.Zero, sp.S.One
        if not expression.args:
            return expression, sp.S.Zero
        if isinstance(expression, Opaque):
            return self._opaque(expression), sp.S.Zero
        if isinstance(expression, sp.Add):
            pairs = [self(arg) for arg in expression.args]
            return sp.Add(*(re for re, _ in pairs)), sp.Add(*(im for _, im in pairs))
        if isinstance(expression, sp.Mul):
            return self._product([self(arg) for arg in expression.args])
        if isinstance(expression, sp.Piecewise):
            pairs = [(self(value), condition) for value, condition in expression.args]  # pyright: ignore
            return tuple(sp.Piecewise(*((pair[i], condition) for pair, condition in pairs)) for i in (0, 1))  # type: ignore
        return self._function(expression, [self(arg) for arg in expression.args])

    def _derivative(self, expression, inner, variable_count):
        pair = []
        for part in self(inner):
            for variable, count in variable_count:
                part = total_derivative(part, variable, int(count))
            pair.append(part)
        return pair[0], pair[1]

    def _product(self, pairs):
        real = [re for re, im in pairs if im == 0]
        a, b = sp.S.One, sp.S.Zero
        for re, im in (pair for pair in pairs if pair[1] != 0):
            a, b = a * re - b * im, a * im + b * re
        factor = sp.Mul(*real)
        # A sum times a number is written out, so that terms stay terms.
        return (
            (sp.expand_mul(factor * a), sp.expand_mul(factor * b))
            if factor.is_Number
            else (factor * a, factor * b)
        )

    def _function(self, expression, pairs):
        (re, im) = pairs[0]
        if isinstance(expression, sp.conjugate):
            return re, -im
        if isinstance(expression, sp.re):
            return re, sp.S.Zero
        if isinstance(expression, sp.im):
            return im, sp.S.Zero
        if isinstance(expression, sp.arg):
            return sp.atan2(im, re), sp.S.Zero
        if isinstance(expression, sp.Abs) and im != 0:
            return sp.sqrt(re**2 + im**2), sp.S.Zero
        if all(pair[1] == 0 for pair in pairs) and not (isinstance(expression, sp.Pow) and re.is_negative):
            return expression.func(*(pair[0] for pair in pairs)), sp.S.Zero
        if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
            power = self._product([(re, im)] * abs(int(expression.exp)))
            if int(expression.exp) > 0:
                return power
            size = power[0] ** 2 + power[1] ** 2
            return power[0] / size, -power[1] / size
        if isinstance(expression, sp.exp):
            return sp.exp(re) * sp.cos(im), sp.exp(re) * sp.sin(im)
        return self._by_sympy(expression, pairs)

    def _by_sympy(self, expression, pairs):
        back, args = {}, []
        for pair in pairs:
            dummies = [part if part.is_number else sp.Dummy(real=True) for part in pair]
            back.update(zip(dummies, pair))
            args.append(dummies[0] + sp.I * dummies[1])
        re, im = expression.func(*args).as_real_imag()
        if re.has(sp.re, sp.im) or im.has(sp.re, sp.im):
            raise ValueError(
                f"{expression} cannot be split into a real and an imaginary part: write it in re(...), "
                "im(...), "
                "conjugate(...) and Abs(...)."
            )
        back = {dummy: part for dummy, part in back.items() if isinstance(dummy, sp.Dummy)}
        return re.xreplace(back), im.xreplace(back)

    def _opaque(self, expression):
        args = []
        for arg in expression.args:
            re, im = self(arg)
            if im != 0:
                raise ValueError(
                    f"{expression}: a JAX function takes real scalars, but {arg} is complex: pass re({arg}) "
                    f"and im({arg})."
                )
            args.append(re)
        return expression.func(*args)

    def equations(self, equations: tuple[Equation, ...]) -> list[Equation]:
        """Two real equations for each complex one; a part that is identically zero is left out."""
        made = []
        for e in equations:
            re, im = self(e.expression)
            if im == 0:
                made.append(Equation(e.name, re))
            else:
                parts = (("real", re), ("imaginary", im))
                made += [Equation(f"{e.name} ({which})", part) for which, part in parts if part != 0]
        return made

    def condition(self, c: AbstractCondition) -> list[Any]:
        """The condition for the real fields."""
        if isinstance(c, Periodic):
            halves = self.parts.get(c.field, (c.field,))
            names = [c.name] if len(halves) == 1 else [f"{c.name} (real)", f"{c.name} (imaginary)"]
            made = []
            for half, name in zip(halves, names):
                made.append(Periodic(*(() if half is None else (half,)), *c.coordinates, name=name))
            return made
        if isinstance(c, Observed):
            return self._observed(c)
        if isinstance(c, Condition):
            re, im = self(c.residual)
            if im == 0:
                return [Condition(re, c.on, name=c.name)]
            parts = (("real", re), ("imaginary", im))
            return [Condition(part, c.on, name=f"{c.name} ({which})") for which, part in parts if part != 0]
        assert isinstance(c, Initial | Dirichlet | Neumann | Robin)
        if c.field not in self.parts:
            return [c]
        made = []
        for i, which in enumerate(("real", "imaginary")):
            u, value, name = self.parts[c.field][i], self(c.value)[i], f"{c.name} ({which})"
            if isinstance(c, Initial):
                made.append(Initial(u, value, c.order, name=name))
            elif isinstance(c, Robin):
                if self(c.alpha)[1] != 0 or self(c.beta)[1] != 0:
                    return self.condition(Condition(c.residual, c.on, name=c.name))
                made.append(Robin(u, c.alpha, c.beta, value, c.on, name=name))
            else:
                made.append(type(c)(u, value, c.on, name=name))
        return made

    def _observed(self, c: Observed) -> list[Observed]:
        re, im = self(c.expression)
        made = []
        if im == 0 and not np.any(np.imag(c.values)):
            return [Observed(re, _by_name(c), np.real(c.values), c.noise, name=c.name)]
        for which, part, values in (("real", re, np.real(c.values)), ("imaginary", im, np.imag(c.values))):
            if part != 0:
                made.append(Observed(part, _by_name(c), values, c.noise, name=f"{c.name} ({which})"))
        return made


def _by_name(c: Observed) -> dict[str, np.ndarray]:
    return {x.name: column for x, column in zip(c.coordinates, c.points.T)}

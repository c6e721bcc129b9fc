"""Conditions: what holds at the initial time, on the boundary, or at observed points."""

import re
from typing import Any

import sympy as sp

from ._coordinates import Coordinate, NormalComponent
from ._field import Field, as_field
from ._flux import evaluate_derivatives
from ._place import check_place, place_key, place_text
from ._printing import latex, latex_word, text
from ._values import as_value


class AbstractCondition:
    """What all conditions share: `name`, `on`, and a `residual` that is zero where the condition holds."""

    name: str
    on: Any = None
    automatic: bool = False

    def _set_name(self, name: str | None, automatic: str) -> None:
        if name is not None and (not isinstance(name, str) or not name.strip()):
            raise TypeError(f"The name of a condition is a string; got {name!r}.")
        self.automatic = name is None
        self.name = automatic if name is None else name

    @property
    def expressions(self) -> tuple[Any, ...]:
        """Every SymPy expression inside."""
        raise NotImplementedError

    @property
    def fields(self) -> tuple[Any, ...]:
        """The fields that it constrains, by name."""
        found = {f for expression in self.expressions for f in expression.atoms(Field)}
        return tuple(sorted(found, key=lambda f: f.field_name))

    def key(self) -> tuple:
        """What two conditions are compared by."""
        return (type(self).__name__, self.name, self.expressions, place_key(self.on))

    def describe(self) -> str:
        """The condition as a readable line."""
        raise NotImplementedError

    def latex(self) -> str:
        """The condition in LaTeX."""
        raise NotImplementedError

    def __eq__(self, other):
        return self.key() == other.key() if isinstance(other, AbstractCondition) else NotImplemented

    def __hash__(self):
        return hash((type(self).__name__, self.name))

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}: {self.describe()}>"

    def _repr_latex_(self):
        return f"$\\displaystyle {self.latex()}$"


class _ForFields(type):
    """Lets `Dirichlet((u, v), (1, 0))` stand for one condition per field; PDE accepts nested conditions."""

    def __call__(cls, u: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(u, sp.MatrixBase):
            u = tuple(u.flat())
        if not isinstance(u, (tuple, list)):
            return super().__call__(u, *args, **kwargs)
        if kwargs.get("name") is not None:
            raise ValueError(
                f"{cls.__name__} of several fields is named automatically: write one for each to name it."
            )
        names = cls.values_of  # pyright: ignore
        given = {**dict(zip(cls.arguments, args)), **kwargs}  # pyright: ignore
        made = []
        for i, one in enumerate(u):
            own = dict(given)
            for name in names:
                value = given.get(name)
                value = tuple(value.flat()) if isinstance(value, sp.MatrixBase) else value
                if isinstance(value, (tuple, list)):
                    if len(value) != len(u):
                        raise ValueError(
                            f"{cls.__name__}: {len(u)} fields but {len(value)} values in `{name}`: give one "
                            "for each, or "
                            "one number for all."
                        )
                    own[name] = value[i]
            made.append(super().__call__(one, **own))
        return tuple(made)


class Initial(AbstractCondition, metaclass=_ForFields):
    """`d^order u / dt^order = value` at the initial time.

    **Arguments:**

    - `u`: the field or a time derivative of it, `Initial(u.t, v)`; or a tuple of them with a tuple of values.
    - `value`: a number; an expression in the coordinates and unknown parameters; a JAX function of the space coordinates (or of
        all); or `(grid of x, ..., values)`.
    - `order`: which time derivative is prescribed; 1 is the initial velocity of a wave.

    >>> import sympy as sp
    >>> from sciml.pde import coordinates, field
    >>> x, t = coordinates("x t")
    >>> u = field("u", x, t)
    >>> Initial(u, sp.sin(x))
    <Initial 'initial u': u = sin(x) at the initial time>
    >>> Initial(u, 0, order=1)
    <Initial 'initial u.t': u.t = 0 at the initial time>
    """

    arguments = ("value", "order", "name")
    values_of = ("value",)

    def __init__(self, u: Any, value: Any, order: int = 0, *, name: str | None = None):
        u, order = _of_time_derivative(u, order)
        self.field = as_field(u, "Initial")
        times = [c for c in self.field.coordinates if c.role == "time"]
        if not times:
            raise ValueError(f"Initial({u.field_name}, ...): {u} does not depend on time.{_time_by_another_name(u)}")
        if isinstance(order, bool) or not isinstance(order, int) or order < 0:
            raise ValueError(f"Initial({u.field_name}, ...): order={order!r}; expected 0, 1, 2, ...")
        self.order, self.time = order, times[0]
        dots = self.time.name * order
        label = f"initial {u.field_name}" + (f".{dots}" if order else "")
        self.value = as_value(value, self.field, f"Initial({u.field_name})", label, initial=True)
        self._set_name(name, label)

    @property
    def target(self) -> Any:
        """The field or the time derivative that is prescribed."""
        return sp.Derivative(self.field, (self.time, self.order)) if self.order else self.field

    @property
    def residual(self) -> Any:
        return self.target - self.value

    @property
    def expressions(self):
        return (self.target, self.value)

    def describe(self):
        return f"{text(self.target)} = {text(self.value)} at the initial time"

    def latex(self):
        return rf"{latex(self.target)} = {latex(self.value)} \quad \text{{at the initial time}}"


def _of_time_derivative(u: Any, order: Any) -> tuple[Any, Any]:
    """The field and the order of `u`, which may be written as u.t."""
    if not (isinstance(u, sp.Derivative) and isinstance(u.expr, Field)):
        return u, order
    f: Any = u.expr
    counts: dict[Any, Any] = {variable: int(count) for variable, count in u.variable_count}  # pyright: ignore
    if any(c.role != "time" for c in counts):
        raise ValueError(
            f"Initial({text(u)}, ...): at the start {f.field_name} and its time derivatives are prescribed; "
            f"{text(u)} follows from Initial({f.field_name}, ...)."
        )
    if order != 0:
        raise ValueError(f"Initial({text(u)}, ..., order={order!r}): {text(u)} says the order already.")
    return f, sum(counts.values())


def _time_by_another_name(u: Any) -> str:
    like = [c.name for c in u.coordinates if c.role == "space" and re.fullmatch(r"[tT](\d*|_.*|au|ime|IME)", c.name)]
    if not like:
        return f" Its coordinates are {', '.join(f'{c.name} ({c.role})' for c in u.coordinates)}."
    return f" {like[0]} is a space coordinate: declare it with coordinates({like[0]!r}, role='time')."


class _OnBoundary(AbstractCondition):
    """Conditions of the form left side = value on a part of the boundary."""

    value: Any

    @property
    def left(self) -> Any:
        """The left side, with components of the normal as symbols."""
        raise NotImplementedError

    @property
    def residual(self) -> Any:
        return self.left - self.value

    def _left_text(self) -> str:
        raise NotImplementedError

    def _left_latex(self) -> str:
        raise NotImplementedError

    def describe(self):
        return f"{self._left_text()} = {text(self.value)} on {place_text(self.on)}"

    def latex(self):
        return rf"{self._left_latex()} = {latex(self.value)} \quad \text{{on }} {_place_latex(self.on)}"


class Dirichlet(_OnBoundary, metaclass=_ForFields):
    """`u = value` on a part of the boundary, at all times; or at one point, which pins a pressure.

    **Arguments:**

    - `u`: the field, or a tuple of fields with a tuple of values (or one for all).
    - `value`: a number; an expression in the coordinates, time included; a JAX function of the coordinates of
        the field; or `(grid, ..., values)` over all of them.
    - `on`: the whole boundary by default; a name such as `"x_min"`, a part of the domain's boundary, a shape with a
        name that the domain is made with, a tuple of them, a relation such as `x < 0` (two are joined by `&`: Python
        reads `0 < x < 1` as a question that SymPy cannot answer, so write `(0 < x) & (x < 1)`), or a point
        `{"x": 0, "y": 0}`.

    >>> from sciml.pde import coordinates, fields
    >>> x, y = coordinates("x y")
    >>> u, v = fields("u v", x, y)
    >>> Dirichlet((u, v), (1, 0), on="y_max")
    (<Dirichlet 'dirichlet u on y_max': u = 1 on y_max>, <Dirichlet 'dirichlet v on y_max': v = 0 on y_max>)
    """

    arguments = ("value", "on", "name")
    values_of = ("value",)

    def __init__(self, u: Any, value: Any, on: Any = None, *, name: str | None = None):
        self.field = as_field(u, "Dirichlet")
        what = f"Dirichlet({u.field_name})"
        self.on = check_place(on, what)
        label = _label("dirichlet", u, self.on)
        self.value = as_value(value, self.field, what, label)
        self._set_name(name, label)

    @property
    def left(self):
        return self.field

    @property
    def expressions(self):
        return (self.field, self.value)

    def _left_text(self):
        return text(self.field)

    def _left_latex(self):
        return latex(self.field)


class Neumann(_OnBoundary, metaclass=_ForFields):
    """`du/dn = n . grad(u) = value` on a part of the boundary, n the outward unit normal. Arguments as
    `Dirichlet`.

    >>> from sciml.pde import coordinates, field
    >>> x, y = coordinates("x y")
    >>> u = field("u", x, y)
    >>> Neumann(u, 0, on="x_max").residual
    n_x*Derivative(u(x, y), x) + n_y*Derivative(u(x, y), y)
    """

    arguments = ("value", "on", "name")
    values_of = ("value",)

    def __init__(self, u: Any, value: Any, on: Any = None, *, name: str | None = None):
        self.field = as_field(u, "Neumann")
        what = f"Neumann({u.field_name})"
        self.on = check_place(on, what)
        label = _label("neumann", u, self.on)
        self.value = as_value(value, self.field, what, label)
        self._set_name(name, label)

    @property
    def left(self):
        return normal_derivative(self.field)

    @property
    def expressions(self):
        return (self.left, self.value)

    def _left_text(self):
        return f"d{text(self.field)}/dn"

    def _left_latex(self):
        return rf"\partial_n {latex(self.field)}"


class Robin(_OnBoundary, metaclass=_ForFields):
    """`alpha u + beta du/dn = value` on a part of the boundary, n the outward unit normal. `value` and `on`
    as `Dirichlet`.

    `alpha` and `beta` may be numbers, expressions in the coordinates or JAX functions of them.

    >>> from sciml.pde import coordinates, field
    >>> x, t = coordinates("x t")
    >>> Robin(field("u", x, t), 2, 1, 0, on="x_min")
    <Robin 'robin u on x_min': 2*u + du/dn = 0 on x_min>
    """

    arguments = ("alpha", "beta", "value", "on", "name")
    values_of = ("alpha", "beta", "value")

    def __init__(self, u: Any, alpha: Any, beta: Any, value: Any, on: Any = None, *, name: str | None = None):
        self.field = as_field(u, "Robin")
        what = f"Robin({u.field_name})"
        self.on = check_place(on, what)
        label = _label("robin", u, self.on)
        self.alpha = as_value(alpha, self.field, what, label + " alpha")
        self.beta = as_value(beta, self.field, what, label + " beta")
        if self.beta == 0:
            raise ValueError(
                f"{what}: beta is 0, so this is Dirichlet({u.field_name}, value / alpha, on=...)."
            )
        self.value = as_value(value, self.field, what, label)
        self._set_name(name, label)

    @property
    def left(self):
        return self.alpha * self.field + self.beta * normal_derivative(self.field)

    @property
    def expressions(self):
        return (self.field, self.alpha, self.beta, normal_derivative(self.field), self.value)

    def _left_text(self):
        # A symbol named du/dn lets SymPy place the factors and signs.
        return _plus(text(self.alpha * self.field), text(self.beta * sp.Symbol(f"d{text(self.field)}/dn")))

    def _left_latex(self):
        slope = sp.Dummy()
        shown = {slope: rf"\partial_n {latex(self.field)}"}
        return _plus(latex(self.alpha * self.field), latex(self.beta * slope, shown))


class Periodic(AbstractCondition):
    """The solution repeats from one end of a coordinate to the other: `Periodic()`, `Periodic(x)`,
    `Periodic("x", "y")`.

    Without coordinates it holds in every space coordinate. With a field first, `Periodic(u, x)`, for that
    field only.

    >>> from sciml.pde import coordinates
    >>> x = coordinates("x")
    >>> Periodic(x)
    <Periodic 'periodic x': periodic in x>
    """

    def __init__(self, *what: Any, name: str | None = None):
        self.field = None
        if what and isinstance(what[0], Field):
            self.field, what = as_field(what[0], "Periodic"), what[1:]
        names = []
        for c in what:
            if isinstance(c, Coordinate) and c.role != "space":
                raise ValueError(
                    f"Periodic({c.name}): {c.name} is no space coordinate; solutions repeat in space."
                )
            if not isinstance(c, (str, Coordinate)):
                raise TypeError(
                    f"Periodic takes space coordinates or their names; got {c!r} of type {type(c).__name__}."
                )
            names.append(c.name if isinstance(c, Coordinate) else c)
        if len(set(names)) != len(names):
            raise ValueError(f"Periodic names a coordinate twice: {', '.join(names)}.")
        self.coordinates: tuple[str, ...] = tuple(names)
        self._set_name(
            name, " ".join(["periodic", *([self.field.field_name] if self.field is not None else []), *names])
        )

    @property
    def expressions(self):
        return () if self.field is None else (self.field,)

    def key(self):
        return (*super().key(), self.coordinates)

    def covers(self, u: Any, coordinate: Any) -> bool:
        """Whether field `u` is periodic along `coordinate` by this condition."""
        mine = self.field is None or self.field == u
        return (
            mine
            and coordinate.role == "space"
            and (not self.coordinates or coordinate.name in self.coordinates)
        )

    def describe(self):
        whose = "" if self.field is None else f"{text(self.field)} "
        return f"{whose}periodic in {' and '.join(self.coordinates) or 'every space coordinate'}"

    def latex(self):
        return latex_word(self.describe())


class Condition(AbstractCondition):
    """`expression = 0` on a part of the boundary: any expression in fields, derivatives, coordinates and
    `normal(x)`.

    >>> from sciml.pde import coordinates, fields, normal
    >>> x, y = coordinates("x y")
    >>> u, p = fields("u p", x, y)
    >>> Condition(0.1 * u.x - p, on="x_max", name="open outlet")
    <Condition 'open outlet': -p + 0.1*u.x = 0 on x_max>
    """

    def __init__(self, expression: Any, on: Any = None, *, name: str | None = None):
        self.on = check_place(on, "Condition")
        if isinstance(expression, bool) or expression in (sp.true, sp.false):
            raise TypeError(
                f"Condition({expression}): a bool is no equation. `a == b` compares two objects in Python; "
                "write the "
                "difference `a - b`, or sp.Eq(a, b)."
            )
        if isinstance(expression, sp.Eq):
            expression = expression.lhs - expression.rhs  # pyright: ignore
        if not isinstance(expression, sp.Expr):
            raise TypeError(
                f"Condition takes an expression; got {expression!r} of type {type(expression).__name__}."
            )
        if not expression.atoms(Field):
            raise ValueError(
                f"Condition({text(expression)}): no field is inside, so there is nothing to solve for."
            )
        self.residual = evaluate_derivatives(expression)
        self._set_name(name, "condition" + ("" if on is None else f" on {place_text(self.on)}"))

    @property
    def expressions(self):
        return (self.residual,)

    def describe(self):
        return f"{text(self.residual)} = 0 on {place_text(self.on)}"

    def latex(self):
        return rf"{latex(self.residual)} = 0 \quad \text{{on }} {_place_latex(self.on)}"


def normal_derivative(u: Any) -> Any:
    """n . grad(u) with the components of the normal as symbols."""
    return sp.Add(*(NormalComponent(c) * u.diff(c) for c in u.coordinates if c.role == "space"))


def _place_latex(on: Any) -> str:
    return latex(on) if isinstance(on, sp.Basic) else latex_word(place_text(on))


def _plus(first: str, second: str) -> str:
    return f"{first} - {second[1:].lstrip()}" if second.startswith("-") else f"{first} + {second}"


def _label(kind: str, u: Any, on: Any) -> str:
    return f"{kind} {u.field_name}" + ("" if on is None else f" on {place_text(on)}")

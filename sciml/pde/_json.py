"""A PDE as plain data: a tree over a whitelist of heads. Nothing read back is ever evaluated as text.

A node is a number, or a list that begins with its head: ["Add", a, b], ["field", "u"], ["derivative", "u",
"x", 2].
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from sympy.functions.elementary.piecewise import ExprCondPair

from ._conditions import AbstractCondition, Condition, Dirichlet, Initial, Neumann, Periodic, Robin
from ._coordinates import Coordinate, NormalComponent, Parameter, coordinates, parameter
from ._equation import Equation
from ._field import Field, field
from ._flux import FluxDerivative
from ._heads import CONSTANTS, FUNCTIONS, STRUCTURE
from ._observed import Observed
from ._opaque import Opaque, opaque_class
from ._place import place_key
from ._spline import Spline

FORMAT = "sciml-pde"
VERSION = 1


def to_json(pde: Any) -> dict[str, Any]:
    writer = _Writer()
    equations = [{"name": e.name, "expression": writer(e.expression)} for e in pde.equations]
    conditions = [writer.condition(c) for c in pde.conditions]
    named = list(pde.coordinates)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": pde.name,
        "coordinates": [{"name": c.name, "role": c.role} for c in named],
        "fields": [
            {
                "name": f.field_name,
                "coordinates": [c.name for c in f.coordinates],
                "complex": f.is_complex_field,
            }
            for f in pde.fields
        ],
        "parameters": [
            {"name": s.name, "initial": s.initial, "positive": bool(s.is_positive)} for s in pde.parameters
        ],
        "functions": sorted(pde.functions),
        "tables": writer.tables,
        "equations": equations,
        "conditions": conditions,
    }


def from_json(make: Callable[..., Any], data: Any, functions: Mapping[str, Callable]) -> Any:
    """What `make` makes of the equations and conditions in `data`."""
    data = json.loads(data) if isinstance(data, str | bytes) else data
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"This is not a saved PDE: expected a dict with format {FORMAT!r}.")
    if data["version"] > VERSION:
        raise ValueError(
            f"This PDE was saved in version {data['version']} of the format; here {VERSION} is the newest."
        )
    missing = [name for name in data["functions"] if name not in functions]
    if missing:
        raise ValueError(
            f"The PDE uses the JAX functions {', '.join(missing)}, which are saved by name only. Hand them "
            "in: "
            f"PDE.from_json(data, functions={{{', '.join(f'{name!r}: ...' for name in missing)}}})."
        )
    reader = _Reader(data, functions)
    equations = [Equation(e["name"], reader(e["expression"])) for e in data["equations"]]
    conditions = [reader.condition(c) for c in data["conditions"]]
    return make(*equations, *conditions, name=data["name"], fields=tuple(reader.fields.values()))


class _Writer:
    def __init__(self):
        self.tables: list[dict[str, Any]] = []
        self._indices: dict[str, int] = {}

    def __call__(self, e: Any) -> Any:
        if isinstance(e, sp.Integer):
            return int(e)
        if isinstance(e, sp.Rational):
            return ["Rational", int(e.p), int(e.q)]
        if isinstance(e, sp.Float):
            if e._prec == 53 and sp.Float(float(e)) == e:
                return ["Float", float(e)]
            sign, mantissa, exponent, _ = e._mpf_
            return ["BigFloat", int(sign), hex(mantissa), int(exponent), int(e._prec)]
        if isinstance(e, Coordinate):
            return ["coordinate", e.name]
        if isinstance(e, Parameter):
            return ["parameter", e.name]
        if isinstance(e, NormalComponent):
            return ["normal", e.coordinate.name]
        if isinstance(e, Field):
            return ["field", e.field_name]
        if isinstance(e, sp.Derivative):
            flat = [item for variable, count in e.variable_count for item in (variable.name, int(count))]  # pyright: ignore
            return ["derivative", self(e.expr), *flat]
        if isinstance(e, FluxDerivative):
            return ["d", self(e.flux), e.coordinate.name]
        if isinstance(e, Opaque):
            base = e.base.callable
            if isinstance(base, Spline):
                return [
                    "table",
                    self._table(e.function_name, base),
                    list(e.orders),
                    *(self(arg) for arg in e.args),
                ]
            return ["function", e.function_name, list(e.orders), *(self(arg) for arg in e.args)]
        if isinstance(e, ExprCondPair):
            return [self(e.args[0]), self(e.args[1])]
        for name, constant in CONSTANTS.items():
            if e is constant:
                return ["constant", name]
        for heads in (STRUCTURE, FUNCTIONS):
            for name, head in heads.items():
                if e.func is head:
                    return [name, *(self(arg) for arg in e.args)]
        raise ValueError(f"{e} ({type(e).__name__}) has no saved form.")

    def _table(self, name: str, spline: Spline) -> int:
        key = f"{name} {spline.fingerprint}"
        if key not in self._indices:
            self._indices[key] = len(self.tables)
            grids = [grid.tolist() for grid in spline.grids]
            self.tables.append(
                {"name": name, "grids": grids, "values": spline.values.tolist(), "degree": spline.degree}
            )
        return self._indices[key]

    def condition(self, c: AbstractCondition) -> dict[str, Any]:
        data: dict[str, Any] = {"kind": type(c).__name__, "name": c.name, "automatic": c.automatic}
        if isinstance(c, Periodic):
            whose = None if c.field is None else c.field.field_name
            return {**data, "field": whose, "coordinates": list(c.coordinates)}
        if isinstance(c, Observed):
            noise = c.noise.tolist() if isinstance(c.noise, np.ndarray) else c.noise
            values: Any = c.values.tolist()
            if np.iscomplexobj(c.values):
                values = {"real": np.real(c.values).tolist(), "imag": np.imag(c.values).tolist()}
            points = {x.name: column.tolist() for x, column in zip(c.coordinates, c.points.T)}
            return {
                **data,
                "expression": self(c.expression),
                "points": points,
                "values": values,
                "noise": noise,
            }
        if isinstance(c, Condition):
            return {**data, "expression": self(c.residual), "on": self._place(c.on)}
        assert isinstance(c, Initial | Dirichlet | Neumann | Robin)
        data |= {"field": c.field.field_name, "value": self(c.value)}
        if isinstance(c, Initial):
            return {**data, "order": c.order}
        if isinstance(c, Robin):
            data |= {"alpha": self(c.alpha), "beta": self(c.beta)}
        return {**data, "on": self._place(c.on)}

    def _place(self, on: Any) -> Any:
        if on is None or isinstance(on, str):
            return on
        if isinstance(on, dict):
            return {"point": on}
        if isinstance(on, tuple):
            return {"parts": [place_key(part) for part in on]}
        return {"relation": self(on)} if isinstance(on, sp.Basic) else on.name


class _Reader:
    def __init__(self, data: dict[str, Any], functions: Mapping[str, Callable]):
        # Through the public constructors, so that names are checked as when they were made.
        self.coordinates = {c["name"]: coordinates(c["name"], role=c["role"]) for c in data["coordinates"]}
        self.parameters = {
            s["name"]: parameter(s["name"], initial=s["initial"], positive=s["positive"])
            for s in data["parameters"]
        }
        self.fields = {}
        for f in data["fields"]:
            along = [self._get(self.coordinates, name, "coordinate") for name in f["coordinates"]]
            self.fields[f["name"]] = field(f["name"], *along, complex=f["complex"])
        self.tables = [
            (t["name"], Spline.interpolate(t["name"], t["grids"], t["values"], t["degree"]))
            for t in data["tables"]
        ]
        self.functions = functions

    def _get(self, table: dict[str, Any], name: Any, what: str) -> Any:
        if not isinstance(name, str) or name not in table:
            raise ValueError(f"The saved tree refers to the {what} {name!r}, which it does not declare.")
        return table[name]

    def __call__(self, node: Any) -> Any:
        if isinstance(node, int) and not isinstance(node, bool):
            return sp.Integer(node)
        if not isinstance(node, list) or not node or not isinstance(node[0], str):
            raise ValueError(
                f"The saved tree holds {node!r}, which is neither an integer nor a list with a head."
            )
        head, *rest = node
        if head == "Rational":
            return sp.Rational(_int(rest[0]), _int(rest[1]))
        if head == "Float":
            return sp.Float(float(rest[0]))
        if head == "BigFloat":
            sign, mantissa, exponent, precision = rest
            exact = sp.Rational(int(mantissa, 16)) * sp.Rational(2) ** _int(exponent)
            return sp.Float(-exact if sign else exact, precision=_int(precision))  # pyright: ignore
        if head == "coordinate":
            return self._get(self.coordinates, rest[0], head)
        if head == "parameter":
            return self._get(self.parameters, rest[0], head)
        if head == "normal":
            return NormalComponent(self._get(self.coordinates, rest[0], "coordinate"))
        if head == "field":
            return self._get(self.fields, rest[0], head)
        if head == "derivative":
            inner, *flat = rest
            pairs = [
                (self._get(self.coordinates, name, "coordinate"), _int(count))
                for name, count in zip(flat[::2], flat[1::2])
            ]
            return self(inner).diff(*pairs)
        if head == "d":
            return FluxDerivative(self(rest[0]), self._get(self.coordinates, rest[1], "coordinate"))
        if head == "function":
            name, orders, *args = rest
            return opaque_class(name, self._get(dict(self.functions), name, head), _orders(orders))(
                *map(self, args)
            )
        if head == "table":
            index, orders, *args = rest
            if not 0 <= _int(index) < len(self.tables):
                raise ValueError(f"The saved tree refers to table {index}, but holds {len(self.tables)}.")
            return opaque_class(*self.tables[index], _orders(orders))(*map(self, args))  # pyright: ignore
        if head == "constant":
            return self._get(CONSTANTS, rest[0], head)
        if head == "Piecewise":
            return sp.Piecewise(
                *((self(value), self(condition)) for value, condition in rest), evaluate=False
            )
        for heads in (STRUCTURE, FUNCTIONS):
            if head in heads:
                # As it was saved: evaluating again could change a form that the user chose.
                return heads[head](*map(self, rest), evaluate=False)
        raise ValueError(f"The saved tree holds the head {head!r}, which is not in the whitelist.")

    def condition(self, data: dict[str, Any]) -> AbstractCondition:
        made = self._condition(data)
        made.name, made.automatic = data["name"], bool(data["automatic"])
        return made

    def _condition(self, data: dict[str, Any]) -> AbstractCondition:
        kind = data["kind"]
        if kind == "Periodic":
            whose = [] if data["field"] is None else [self._get(self.fields, data["field"], "field")]
            return Periodic(*whose, *data["coordinates"])
        if kind == "Observed":
            values = data["values"]
            if isinstance(values, dict):
                values = np.asarray(values["real"]) + 1j * np.asarray(values["imag"])
            noise = np.asarray(data["noise"]) if isinstance(data["noise"], list) else data["noise"]
            return Observed(self(data["expression"]), data["points"], values, noise)
        if kind == "Condition":
            return Condition(self(data["expression"]), self._place(data["on"]))
        if kind not in ("Initial", "Dirichlet", "Neumann", "Robin"):
            raise ValueError(f"The saved PDE holds a condition of the unknown kind {kind!r}.")
        u, value = self._get(self.fields, data["field"], "field"), self(data["value"])
        if kind == "Initial":
            return Initial(u, value, _int(data["order"]))
        on = self._place(data["on"])
        if kind == "Robin":
            return Robin(u, self(data["alpha"]), self(data["beta"]), value, on)
        return (Dirichlet if kind == "Dirichlet" else Neumann)(u, value, on)

    def _place(self, on: Any) -> Any:
        if not isinstance(on, dict):
            return on
        if "point" in on:
            return on["point"]
        return tuple(on["parts"]) if "parts" in on else self(on["relation"])


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"The saved tree holds {value!r} where an integer is expected.")
    return value


def _orders(orders: Any) -> tuple[int, ...]:
    return tuple(_int(order) for order in orders)

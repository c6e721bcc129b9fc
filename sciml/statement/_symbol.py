"""The symbol of a system with its coefficients frozen at a point: how many conditions belong on a wall there, and whether
waves that are short grow without bound in time.

At a wall with the outward normal n put d/dn -> xi, derivatives along the wall -> i eta, d/dt -> s. The equations, linearised,
become a matrix P(xi) `(equations, fields)`, and solutions of the frozen problem behave as exp(xi n) for the roots of

    det P(xi) = 0.

Their number is the order of the system along n, the number of conditions at both ends together. With Re s large, those with
Re xi > 0 decay into the domain: as many conditions are needed at this end (Kreiss 1970, doi:10.1002/cpa.3160230304; for
elliptic systems Agmon, Douglis & Nirenberg 1964, with eta large instead of s). For transport it is one where the flow enters
and none where it leaves; for u.t + u.xxx one at the lower end and two at the upper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from .._evaluate import evaluate
from ..pde import PDE, Opaque, multi_index
from ..pde._flux import evaluate_derivatives, expand_without_check, leaves

FAST, SHORT = 1e12, 1e3  # s, and eta beside it; eta alone in steady problems is
STEADY = 1e6
DRAWS = 12  # values of the fields and derivatives that a coefficient depends on
FEW = 4  # points of a wall where coefficients do not depend on the place
NEUTRAL = 1e-7  # of its modulus: a real part that is none

Polynomial = np.ndarray  # coefficients `(rows, degree + 1)`, the constant first


@dataclass(frozen=True)
class Term:
    """coefficient x the derivative `index` of a field in an expression; `key` of the leaf."""

    row: int
    field: int
    index: tuple[int, ...]
    coefficient: Any


def linearised(expressions: list[Any], pde: PDE) -> list[Term]:
    """The derivative of each expression with respect to each field and derivative in it."""
    found = []
    names = [u.field_name for u in pde.fields]
    for row, expression in enumerate(expressions):
        expression = evaluate_derivatives(expand_without_check(sp.sympify(expression)))
        inside = sorted(leaves(expression), key=sp.default_sort_key)
        dummies = {leaf: sp.Dummy(real=True) for leaf in inside}
        back = {dummy: leaf for leaf, dummy in dummies.items()}
        outer = expression.xreplace(dummies)
        for leaf, dummy in dummies.items():
            u: Any = leaf.expr if isinstance(leaf, sp.Derivative) else leaf
            coefficient = outer.diff(dummy).xreplace(back)
            if coefficient != 0:
                index = multi_index(leaf, pde.coordinates)
                found.append(Term(row, names.index(u.field_name), index, coefficient))
    return found


def depends_on_fields(terms: list[Term]) -> bool:
    return any(leaves(term.coefficient) for term in terms)


def _varies(coefficient: Any, pde: PDE) -> bool:
    """Whether it depends on coordinates other than through fields."""
    hidden = {leaf: sp.Dummy() for leaf in leaves(coefficient)}
    return bool(coefficient.xreplace(hidden).free_symbols & set(pde.coordinates))


def coefficients(terms: list[Term], pde: PDE, x: np.ndarray, normals: np.ndarray | None = None) -> np.ndarray:
    """Their values `(terms, n)` at points in the order of `pde.coordinates`. Fields and derivatives in them, and functions of
    fields that SymPy cannot see through, are drawn over three decades and both signs."""
    random = np.random.default_rng(0)
    draw = lambda: random.choice([-1.0, 1.0], len(x)) * 10 ** random.uniform(-1.5, 1.5, len(x))  # noqa: E731
    drawn: dict[Any, Any] = {}
    start = {p: sp.Float(p.initial or 1.0) for p in pde.parameters}
    rows, known = [], {}
    for term in terms:
        if term.coefficient in known:
            rows.append(known[term.coefficient])
            continue
        inside = leaves(term.coefficient)
        for leaf in sorted(inside, key=sp.default_sort_key):
            u: Any = leaf.expr if isinstance(leaf, sp.Derivative) else leaf
            key = (u.field_name, multi_index(leaf, pde.coordinates))
            if key not in drawn:
                drawn[key] = draw()
        if inside and term.coefficient.has(Opaque):
            rows.append(draw())
            continue
        with np.errstate(all="ignore"):
            known[term.coefficient] = evaluate(pde, term.coefficient.xreplace(start), x, drawn, normals)
        rows.append(known[term.coefficient])
    return np.stack(rows) if rows else np.zeros((0, len(x)))


def determinant(
    terms: list[Term], values: np.ndarray, size: int, rates: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[Polynomial, np.ndarray]:
    """(det P, the sum of the moduli of what it is the sum of), coefficients of a polynomial in xi; `rates`: for each
    coordinate (a, b) `(rows,)` with d/dcoordinate -> a + b xi."""
    rows = values.shape[1]
    finite = np.all(np.isfinite(values), axis=0)
    values = np.where(finite, values, 1.0)
    entries: dict[tuple[int, int], tuple[Polynomial, Polynomial]] = {}
    for term, value in zip(terms, values, strict=True):
        p: Any = value[:, None].astype(complex)
        for (a, b), order in zip(rates, term.index, strict=True):
            for _ in range(order):
                p = _product(p, np.stack([np.broadcast_to(a, rows), np.broadcast_to(b, rows)], axis=1))
        old = entries.get((term.row, term.field))
        entries[term.row, term.field] = (p, np.abs(p)) if old is None else (_sum(old[0], p), _sum(old[1], np.abs(p)))
    p, bound = _expanded(entries, 0, tuple(range(size)), rows)
    return np.where(finite[:, None], p, np.nan), bound


def _expanded(entries: Any, row: int, columns: tuple[int, ...], rows: int) -> tuple[Polynomial, Polynomial]:
    """Laplace's expansion along the rows: matrices here are small and mostly empty."""
    if not columns:
        return np.ones((rows, 1), complex), np.ones((rows, 1))
    total, size = np.zeros((rows, 1), complex), np.zeros((rows, 1))
    for place, column in enumerate(columns):
        if (row, column) not in entries:
            continue
        entry, modulus = entries[row, column]
        minor, bound = _expanded(entries, row + 1, columns[:place] + columns[place + 1 :], rows)
        total = _sum(total, (-1) ** place * _product(entry, minor))
        size = _sum(size, _product(modulus, bound))
    return total, size


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    out = a.copy()
    out[:, : b.shape[1]] += b
    return out


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    out = np.zeros((a.shape[0], a.shape[1] + b.shape[1] - 1), np.result_type(a, b))
    for k in range(b.shape[1]):
        out[:, k : k + a.shape[1]] += a * b[:, k : k + 1]
    return out


def roots_of(p: Polynomial, size: Polynomial) -> list[np.ndarray | None]:
    """The roots of each row; None where the determinant is zero or not finite."""
    found: list[np.ndarray | None] = []
    cache: dict[bytes, np.ndarray | None] = {}
    for c, s in zip(p, size, strict=True):
        key = c.tobytes()
        if key not in cache:
            cache[key] = _roots(c, s)
        found.append(cache[key])
    return found


def _roots(c: np.ndarray, s: np.ndarray) -> np.ndarray | None:
    if not np.all(np.isfinite(c)):
        return None
    c = np.where(np.abs(c) <= 1e-10 * s, 0, c)
    there = np.flatnonzero(c)
    if not len(there):
        return None
    first, last = there[0], there[-1]
    inner = c[first : last + 1]
    if len(inner) == 1:
        return np.zeros(first, complex)
    # Scaled such that the roots are of order one.
    radius = float(np.abs(inner[0] / inner[-1])) ** (1 / (len(inner) - 1))
    scaled = inner * radius ** np.arange(len(inner)) / inner[0]
    return np.concatenate([np.zeros(first, complex), radius * np.roots(scaled[::-1])])


@dataclass(frozen=True)
class Need:
    """How many conditions belong at points of a wall, arrays `(n,)`: `sure` of them; `loose` more at this end or the opposite
    one; at most `most`. `order`: of the system along the normal."""

    sure: np.ndarray
    loose: np.ndarray
    most: np.ndarray
    order: np.ndarray


def needed(pde: PDE, terms: list[Term], size: int, x: np.ndarray, normals: np.ndarray, lengths: np.ndarray) -> Need:
    """At points `x` `(n, d)` of a wall with outward `normals` `(n, space)`, for a system of `size` equations and fields.

    `lengths` `(d,)`: of the domain along each coordinate. Coefficients are taken on the wall and a little inside, since those
    of singular equations vanish on it, and a solution that stays bounded then needs no condition.
    """
    if len(x) > FEW and not any(_varies(term.coefficient, pde) for term in terms):
        # The same everywhere but for the direction of the normal.
        few = needed(pde, terms, size, x[:FEW], normals[:FEW], lengths)
        wide = lambda a, worst: np.full(len(x), worst(a))  # noqa: E731
        return Need(wide(few.sure, np.min), wide(few.loose, np.min), wide(few.most, np.max), wide(few.order, np.max))
    n, draws = len(x), DRAWS if depends_on_fields(terms) else 1
    space = len(pde.space)
    inward = x.copy()
    inward[:, :space] -= 1e-3 * normals * lengths[:space]
    places = np.tile(np.concatenate([x, inward]), (draws, 1))
    values = coefficients(terms, pde, places)
    scaled = normals * lengths[:space]
    scaled = np.tile(scaled / np.linalg.norm(scaled, axis=1, keepdims=True), (2 * draws, 1))
    random = np.random.default_rng(1)
    marching = pde.time is not None and any(t.index[pde.coordinates.index(pde.time)] for t in terms)
    eta = (SHORT if marching else STEADY) * random.uniform(0.5, 1.5, space)
    rates = []
    for k, c in enumerate(pde.coordinates):
        if c.role == "space":
            b = scaled[:, k] / lengths[k]
            a = 1j * (eta[k] - scaled @ eta * scaled[:, k]) / lengths[k] if space > 1 else np.zeros(len(b))
        else:
            b = np.zeros(len(scaled))
            a = b + (FAST * np.exp(0.3j) / lengths[k] if c.role == "time" else 0)
        rates.append((a, b))
    found = roots_of(*determinant(terms, values, size, rates))
    constant = bool(np.all(values == values[:, :1]))
    free = space == 1 and not marching  # an initial value problem in x as well
    sure, loose, most, order = (np.zeros((2 * draws, n), int) for _ in range(4))
    for row, roots in enumerate(found):
        at = divmod(row, n)
        if roots is None:
            most[at], order[at] = 99, 99
            continue
        near = np.abs(np.real(roots)) <= NEUTRAL * np.abs(roots)
        decaying = (np.real(roots) > 0) & ~near
        order[at] = len(roots)
        sure[at] = 0 if free else decaying.sum()
        most[at] = len(roots) if free else (decaying | near).sum()
        loose[at] = len(roots) if free else near.sum() if constant or space == 1 else 0
    return Need(sure.min(axis=0), loose.min(axis=0), most.max(axis=0), np.where(order.max(0) == 99, 0, order.max(0)))


def grows_without_bound(pde: PDE, terms: list[Term], size: int, x: np.ndarray, lengths: np.ndarray) -> bool:
    """Whether waves exp(i k x + s t) have Re s that rises with k at all points `x`, whatever the fields are: an initial value
    then determines nothing (Hadamard), as for u.t + u.xx = 0."""
    if pde.time is None or not pde.space:
        return False
    t = pde.coordinates.index(pde.time)
    draws = DRAWS if depends_on_fields(terms) else 1
    places = np.tile(x, (draws, 1))
    values = coefficients(terms, pde, places)
    space = len(pde.space)
    for direction in np.eye(space):
        rises = []
        for k in (1e4, 1e6):
            rates = [
                (1j * k * direction[i] / lengths[i] if i < space else 0.0, 1 / lengths[i] if i == t else 0.0)
                for i in range(len(pde.coordinates))
            ]
            ones = np.ones(len(places))
            found = roots_of(*determinant(terms, values, size, [(a * ones, b * ones) for a, b in rates]))
            if any(roots is None or not len(roots) for roots in found):
                break
            fastest = np.array([roots[np.argmax(np.real(roots))] for roots in found])  # type: ignore[index]
            rises.append((np.real(fastest), np.real(fastest) > 0.05 * np.abs(fastest)))
        if len(rises) == 2 and np.all(rises[1][1]) and np.all(rises[1][0] > 10 * np.maximum(rises[0][0], 1.0)):
            return True
    return False

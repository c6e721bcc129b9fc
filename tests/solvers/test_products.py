"""N as derivatives of products: the same expression, and fewer transforms."""

import pytest
import sympy as sp

from sciml import PDE, Periodic, catalogue, coordinates, field, fields, laplacian, parameter
from sciml.solvers._products import products
from sciml.solvers._system import first_order

x, y, t = coordinates("x y t")
u, v, w = fields("u v w", x, y, t)


def rebuilt(system):
    """N of each state from the products, derivatives carried out."""
    found, space = products(system), system.pde.space
    return [
        sp.Add(*(s * sp.Derivative(found.expressions[k], *zip(space, i, strict=True)).doit() for k, i, s in row))
        for row in found.rows
    ]


@pytest.mark.parametrize(
    ("pde", "transforms"),
    [
        (PDE(u.t + u * u.x - u.xx), 2),
        (PDE(u.t + u**2 * u.x + u * u.y - laplacian(u)), 3),  # u, and one for each direction
        (PDE(u.t + u * u.x - u.xx + u**3), 3),
        (PDE(u.t - u * u.xx), 3),  # no derivative of a product
        (PDE(u.t + v * u.x, v.t + u * v.x), 6),
        (PDE(u.t + sp.sin(x) * u.x), 2),
    ],
)
def test_sums_of_products(pde, transforms):
    system = first_order(pde)
    for mine, wanted in zip(rebuilt(system), system.nonlinear, strict=True):
        if not wanted.has(sp.sin):
            assert sp.expand(mine - wanted) == 0
    assert products(system).transforms == transforms


def test_flows_need_fewer_transforms():
    flow = first_order(catalogue.navier_stokes(nu=0.1).with_conditions(Periodic()))
    a, b, _ = flow.pde.fields
    s, r, _ = flow.pde.coordinates
    divergence = a.diff(s) + b.diff(r)
    for carried, mine, wanted in zip((a, b), rebuilt(flow), flow.nonlinear, strict=True):
        assert sp.expand(mine - wanted + carried * divergence) == 0
    assert products(flow).transforms == 5


def test_terms_that_differ_by_a_parameter_are_added():
    k = parameter("k", initial=0.5)
    p = field("p", x, y, t)
    pde = PDE(
        u.t + (1 + k) * (u * u.x + v * u.y) + p.x - laplacian(u), v.t + (1 + k) * (u * v.x + v * v.y) + p.y - laplacian(v),
        u.x + v.y, Periodic(),
    )  # fmt: skip
    system = first_order(pde)
    for carried, mine, wanted in zip((u, v), rebuilt(system), system.nonlinear, strict=True):
        assert sp.expand(mine - wanted + (1 + k) * carried * (u.x + v.y)) == 0


def test_the_vorticity_needs_fewer_transforms():
    system = first_order(catalogue.vorticity_streamfunction(nu=0.1).with_conditions(Periodic()))
    omega, psi = system.pde.fields
    s, r, _ = system.pde.coordinates
    follows = {omega: -psi.diff(s, 2) - psi.diff(r, 2)}
    ((mine,), (wanted,)) = rebuilt(system), system.nonlinear
    wanted = wanted.subs(omega, follows[omega]).doit()
    assert sp.expand(mine - wanted) == 0
    assert products(system).transforms == 4

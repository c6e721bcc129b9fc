"""Pictures show the right numbers on the right axes. The solutions are formulas: nothing is trained."""

import matplotlib

matplotlib.use("Agg")

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
import sympy as sp
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from PIL import Image

from sciml import PDE, Annulus, Box, Disk, Solution, Time, coordinates, field, fields
from sciml.plotting._style import CYCLIC, DIVERGING, SEQUENTIAL
from sciml.solution import AbstractFinal


def along(f, axis):
    return lambda x: jax.jacfwd(f)(x)[:, axis]


class Formula(AbstractFinal):
    """A solution that is known: x (d,) -> real fields (m,)."""

    kind = "formula"

    def __init__(self, formula):
        self.formula = formula

    def derivatives(self, index, x):
        one = lambda x: jnp.stack(self.formula(*x))  # noqa: E731
        for axis, order in enumerate(index):
            for _ in range(order):
                one = along(one, axis)
        return jax.vmap(one)(jnp.asarray(x))

    def to_saved(self):
        return {}, {}

    @classmethod
    def from_saved(cls, pde, domain, header, arrays, **given):
        raise NotImplementedError("a formula is not read back")


def made(pde, domain, formula, **more):
    roles = {c.name: c.role for c in pde.coordinates}
    return Solution(pde, domain.resolve(roles), Formula(formula), **more)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def meshes(figure):
    return [m for ax in figure.axes for m in ax.collections if isinstance(m, QuadMesh) and ax.get_xlabel()]


def panels(figure):
    """The axes that are no colour bars."""
    return [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]


def line_in_time():
    x, t = coordinates("x t")
    u = field("u", x, t)
    return made(PDE(u.t - u.xx), Box(x=(-1, 1), t=(0, 2)), lambda x, t: [jnp.sin(jnp.pi * x) * jnp.exp(-t)])


def plane_in_time():
    x, y, t = coordinates("x y t")
    u = field("u", x, y, t)
    return made(PDE(u.t - u.xx - u.yy), Disk((0, 0), 1) * Time(0, 1), lambda x, y, t: [x**2 + y**2 + t])


def test_a_curve_over_one_coordinate():
    x = coordinates("x")
    u = field("u", x)
    solution = made(PDE(u.xx), Box(x=(0, 2)), lambda x: [x**2])
    (ax,) = panels(solution.plot(n=11))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x$", "$u$")
    where, values = ax.lines[0].get_data()
    assert np.allclose(where, np.linspace(0, 2, 11)) and np.allclose(values, where**2)


def test_curves_over_time_for_a_system_one_panel_each():
    t = coordinates("t")
    a, b = fields("a b", t)
    solution = made(PDE(a.t - b, b.t + a), Box(t=(0, 3)), lambda t: [jnp.sin(t), jnp.cos(t)])
    first, second = panels(solution.plot())
    assert [ax.get_ylabel() for ax in (first, second)] == ["$a$", "$b$"] and first.get_xlabel() == "$t$"


def test_space_and_time_gives_a_heat_map_and_slices():
    figure = line_in_time().plot(n=20)
    heat, slices = panels(figure)
    assert (heat.get_xlabel(), heat.get_ylabel(), heat.get_title()) == ("$t$", "$x$", "$u$")
    assert (slices.get_xlabel(), slices.get_ylabel()) == ("$x$", "$u$")
    assert [text.get_text() for text in slices.get_legend().get_texts()][-1] == "$t$ = 2"
    mesh = heat.collections[0]
    x, t = np.linspace(-1, 1, 20), np.linspace(0, 2, 20)
    assert np.allclose(mesh.get_array().reshape(20, 20), np.sin(np.pi * x)[:, None] * np.exp(-t))
    assert mesh.get_cmap().name == DIVERGING and mesh.norm.vmin == -mesh.norm.vmax
    assert len(heat.child_axes) == 1 and not slices.child_axes  # the colour bar


def test_chosen_times_give_curves_only():
    (ax,) = panels(line_in_time().plot(t=[0, 0.5], n=30))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["$t$ = 0", "$t$ = 0.5"]
    (ax,) = panels(line_in_time().plot(t=0.5, n=30))
    assert ax.get_title() == "$t$ = 0.5" and ax.get_legend() is None
    assert np.allclose(ax.lines[0].get_ydata(), np.exp(-0.5) * np.sin(np.pi * np.linspace(-1, 1, 30)))


@pytest.mark.parametrize("by", ["name", "language", "solution", "expression"])
def test_derivatives_and_expressions(by):
    solution = line_in_time()
    (u,) = solution.pde.fields
    asked = {"name": "u.xx", "language": u.xx, "solution": solution.u.xx, "expression": u.xx + 0 * u.t + u - u}[by]
    (ax,) = panels(solution.plot(asked, t=0.0, n=9))
    assert ax.get_ylabel() == "$u_{x x}$"
    assert np.allclose(ax.lines[0].get_ydata(), -(np.pi**2) * np.sin(np.pi * np.linspace(-1, 1, 9)))


def test_an_expression_of_two_fields():
    x, y = coordinates("x y")
    u, v = fields("u v", x, y)
    solution = made(PDE(u.x + v.y, u.y), Box(x=(0, 1), y=(0, 1)), lambda x, y: [-y, x * y])
    figure = solution.plot(v.x - u.y, n=8)
    (ax,) = panels(figure)
    assert ax.get_title() == "$-u_{y} + v_{x}$"
    expected = np.broadcast_to(np.linspace(0, 1, 8)[:, None] + 1, (8, 8))
    assert np.allclose(ax.collections[0].get_array().reshape(8, 8), expected)


def test_outside_a_curved_region_is_blank():
    x, y = coordinates("x y")
    u = field("u", x, y)
    solution = made(PDE(u.xx + u.yy), Annulus((0, 0), 0.5, 1), lambda x, y: [x**2 + y**2])
    (ax,) = panels(solution.plot(n=41))
    shown = ax.collections[0].get_array()
    axis = np.linspace(-1, 1, 41)
    r2 = axis[:, None] ** 2 + axis**2
    outside = (r2 > 1 + 1e-6) | (r2 < 0.25 - 1e-6)
    assert (np.ma.getmaskarray(shown).reshape(41, 41) == outside).all()
    assert np.allclose(shown.reshape(41, 41)[~outside], r2[~outside])
    assert ax.get_aspect() == 1 and ax.collections[0].get_cmap().name == SEQUENTIAL


def test_plane_and_time_gives_panels_that_share_colours():
    figure = plane_in_time().plot(n=12)
    titles = [ax.get_title() for ax in panels(figure)]
    assert titles == [f"$u$ at $t$ = {t}" for t in ("0", "0.333", "0.667", "1")]
    assert len({(m.norm.vmin, m.norm.vmax) for m in meshes(figure)}) == 1
    assert len(figure.axes) == 5
    assert len(panels(plane_in_time().plot(t=[0.1, 0.2], n=12))) == 2


def test_three_dimensions_give_planes_through_the_middle():
    x, y, z = coordinates("x y z")
    u = field("u", x, y, z)
    solution = made(PDE(u.xx), Box(x=(0, 1), y=(0, 2), z=(0, 4)), lambda x, y, z: [x + 10 * y + 100 * z])
    first, second, third = panels(solution.plot(n=5))
    assert [ax.get_title() for ax in (first, second, third)] == [
        "$u$ at $z$ = 2", "$u$ at $y$ = 1", "$u$ at $x$ = 0.5",
    ]  # fmt: skip
    assert (second.get_xlabel(), second.get_ylabel()) == ("$x$", "$z$")
    grid = np.linspace(0, 1, 5)[None, :] + 10 + 100 * np.linspace(0, 4, 5)[:, None]
    assert np.allclose(second.collections[0].get_array().reshape(5, 5), grid)
    assert len(panels(solution.plot(z=1.0, n=5))) == 1


def test_many_dimensions_and_families_are_held_in_the_middle():
    axes = coordinates("a1 a2 a3 a4 a5")
    u = field("u", *axes)
    box = Box({f"a{i}": (0, 1) for i in range(1, 6)})
    solution = made(PDE(sum(u.diff(a, 2) for a in axes)), box, lambda *a: [sum(a)])
    (ax,) = panels(solution.plot(n=4))
    assert ax.get_title() == "$u$ at $a_{3}$ = 0.5, $a_{4}$ = 0.5, $a_{5}$ = 0.5"
    assert np.isclose(ax.collections[0].get_array().max(), 3.5)

    x, t = coordinates("x t")
    nu = coordinates("nu", role="parameter")
    u = field("u", x, t, nu)
    family = made(PDE(u.t - nu * u.xx), Box(x=(0, 1), t=(0, 1), nu=(1, 3)), lambda x, t, nu: [x * nu + t])
    assert panels(family.plot(n=6))[0].get_title() == r"$u$ at $\nu$ = 2"
    (ax,) = panels(family.plot(t=0, nu=3, n=6))
    assert np.isclose(ax.lines[0].get_ydata().max(), 3) and ax.get_title() == r"$\nu$ = 3, $t$ = 0"


def test_complex_fields_are_drawn_by_absolute_value_and_phase():
    x, t = coordinates("x t")
    psi = field("psi", x, t, complex=True)
    pde = PDE(1j * psi.t + psi.xx)
    solution = made(pde, Box(x=(0, 1), t=(0, 1)), lambda x, t: [3 * jnp.cos(x), 3 * jnp.sin(x)])
    size, phase = panels(solution.plot(t=0, n=7))
    assert size.get_ylabel() == r"$|\psi|$" and np.allclose(size.lines[0].get_ydata(), 3)
    assert np.allclose(phase.lines[0].get_ydata(), np.linspace(0, 1, 7))
    figure = solution.plot(sp.arg(psi), n=7)
    assert meshes(figure)[0].get_cmap().name == CYCLIC and meshes(figure)[0].get_clim() == (-np.pi, np.pi)
    assert np.isclose(solution.integrate("psi", t=0.5), 3 * (np.sin(1) + 1j * (1 - np.cos(1))))


@pytest.mark.parametrize("size", [(1.0, 1.0), (2.0, 0.6)])
def test_titles_lie_inside_the_picture_as_it_is_saved(size, tmp_path):
    x, y, z, t = coordinates("x y z t")
    u, w = field("u", x, y, t), field("w", x, y, z)
    plane = made(PDE(u.t - u.xx), Box(x=(0, size[0]), y=(0, size[1]), t=(0, 1)), lambda x, y, t: [x + y + t])
    solid = made(PDE(w.xx), Box(x=(0, size[0]), y=(0, size[1]), z=(0, 1)), lambda x, y, z: [x + y + z])
    for solution in (plane, solid):
        figure = solution.plot(n=5)
        figure.savefig(tmp_path / "picture.png")
        titles = [ax.title for ax in panels(figure) if ax.get_title()]
        assert len(titles) >= 3
        for title in titles:
            box, page = title.get_window_extent(), figure.bbox
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 - 1


def test_planes_are_laid_where_the_field_does_not_vanish():
    x, y, z = coordinates("x y z")
    u = field("u", x, y, z)
    odd = lambda x, y, z: [jnp.sin(2 * jnp.pi * x) * jnp.sin(2 * jnp.pi * y) * jnp.sin(2 * jnp.pi * z)]  # noqa: E731
    figure = made(PDE(u.xx), Box(x=(0, 1), y=(0, 1), z=(0, 1)), odd).plot(n=21)
    assert max(np.abs(mesh.get_array()).max() for mesh in meshes(figure)) > 0.8
    assert not any("0.5" in ax.get_title() for ax in panels(figure))


def test_into_given_axes():
    _, (left, right) = plt.subplots(1, 2)
    solution = line_in_time()
    figure = solution.plot(ax=left, n=10)
    solution.plot(t=1, ax=right, n=10)
    assert figure is left.figure and len(left.collections) == 1 and len(right.lines) == 1
    with pytest.raises(ValueError, match="4 panels.*t="):
        plane_in_time().plot(ax=left, n=5)


def test_mistakes():
    solution = line_in_time()
    with pytest.raises(ValueError, match="'nu' is no coordinate.*x, t"):
        solution.plot(nu=1)
    with pytest.raises(ValueError, match="t=3 is outside.*from 0 to 2"):
        solution.plot(t=3)
    with pytest.raises(AttributeError, match="no field"):
        solution.plot("v")
    with pytest.raises(TypeError, match="a name such as"):
        solution.plot(3)
    with pytest.raises(ValueError, match="no history"):
        solution.plot_history()
    x = coordinates("x")
    u = field("u", x)
    steady = made(PDE(u.xx), Box(x=(0, 2)), lambda x: [x**2])
    with pytest.raises(ValueError, match="no time"):
        steady.plot(t=1)
    with pytest.raises(ValueError, match="needs time"):
        steady.animate("never.gif")
    with pytest.raises(ValueError, match=r"between=\(0, 9\); expected two increasing times"):
        line_in_time().animate("never.gif", between=(0, 9))


def test_history():
    x = coordinates("x")
    u = field("u", x)
    rows: list = [{"step": i, "seconds": 0.1 * i, "loss": 1 / i**2, "residual": 1 / i} for i in range(1, 60)]
    rows[30]["fresh"] = 0.5
    solution = made(PDE(u.xx), Box(x=(0, 2)), lambda x: [x], history=rows)
    figure = solution.plot_history()
    (ax,) = figure.axes
    assert ax.get_xscale() == ax.get_yscale() == "log" and ax.get_xlabel() == "seconds"
    assert np.allclose(ax.lines[0].get_ydata(), 1 / np.arange(1, 60)) and len(ax.lines[1].get_xdata()) == 1
    assert len(ax.get_legend().get_texts()) == 2


@pytest.mark.parametrize("make", [line_in_time, plane_in_time])
def test_animation(make, tmp_path):
    before = plt.get_fignums()
    path = make().animate(tmp_path / "new" / "run.gif", frames=5, n=12)
    with Image.open(path) as image:
        assert image.n_frames == 5  # pyright: ignore
    assert plt.get_fignums() == before


def test_a_figure_is_shown_once_in_a_notebook(monkeypatch):
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    figure = line_in_time().plot(t=0, n=5)
    assert isinstance(figure, Figure) and plt.fignum_exists(figure.number)  # pyright: ignore
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()  # pyright: ignore
    assert not plt.fignum_exists(figure.number)  # pyright: ignore

"""Every equation of the catalogue is satisfied by an exact solution from the literature."""

import itertools

import pytest
import sympy as sp

from sciml.pde import PDE, Dirichlet, FluxDerivative, catalogue, coordinates, field, parameter

x, y, z, t = coordinates("x y z t")
R = sp.Rational


def largest_residual(pde, **exact):
    """The largest residual over a few points, in 40 digits: rounding is 1e-38, a wrong sign is of order 1."""
    residuals = pde.substitute(exact)
    points = itertools.product((R(3, 10), R(-7, 10)), (R(2, 5),), (R(1, 7),), (R(1, 3), R(4, 5)))
    worst = sp.S.Zero
    for point in points:
        here = dict(zip((x, y, z, t), point, strict=True))
        worst = max([worst, *(sp.Abs(sp.sympify(r).subs(here).evalf(40)) for r in residuals)])
    return worst


def assert_solved(pde, **exact):
    assert largest_residual(pde, **exact) < 1e-30
    # The test can fail: another function is no solution.
    wrong = {name: value + x * y / 10 + sp.sin(x + t) / 5 + x**5 for name, value in exact.items()}
    assert largest_residual(pde, **wrong) > 1e-6


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_heat(dimension):
    alpha = R(1, 3)
    mode = sp.prod([sp.sin((i + 1) * c) for i, c in enumerate((x, y, z)[:dimension])])
    rate = alpha * sum((i + 1) ** 2 for i in range(dimension))
    assert_solved(catalogue.heat(alpha=alpha, dimension=dimension), u=mode * sp.exp(-rate * t))


def test_heat_with_variable_diffusivity_and_source():
    pde = catalogue.heat(alpha=1 + x**2, source=-sp.exp(-t) * (x + 2 * x))
    assert pde.equations[0].expression.has(FluxDerivative)
    assert_solved(pde, u=x * sp.exp(-t))


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_wave(dimension):
    c = R(3, 2)
    along = sum((x, 2 * y, 2 * z)[:dimension])
    speed = c * sp.sqrt([1, 5, 9][dimension - 1])
    assert_solved(catalogue.wave(c=c, dimension=dimension), u=sp.exp(-((along - speed * t) ** 2)))


def test_wave_with_variable_speed():
    assert_solved(
        catalogue.wave(c=x), u=sp.sqrt(x**2) ** R(-1, 2) * sp.cos(sp.log(sp.sqrt(x**2)) - t * sp.sqrt(5) / 2)
    )


def test_advection():
    profile = sp.exp(-((x - 2 * t) ** 2))
    assert_solved(catalogue.advection(velocity=2), u=profile)
    assert_solved(
        catalogue.advection(velocity=(1, -3, 2), dimension=3), u=sp.sin(x + y + z) + sp.cos(3 * x + y)
    )
    spread = 1 + 4 * t / 5
    moved = sp.exp(-((x - t) ** 2) / spread) / sp.sqrt(spread)
    assert_solved(catalogue.advection(velocity=1, diffusivity=R(1, 5)), u=moved)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_euler(dimension):
    """A density wave carried along at constant velocity and pressure."""
    speeds = (1, R(-1, 2), R(1, 3))[:dimension]
    rho = 1 + sp.sin(sum((x, y, z)[:dimension]) - sum(speeds) * t) / 5
    momenta = {f"m{axis}": speed * rho for axis, speed in zip("xyz", speeds, strict=False)}
    energy = 1 / R(2, 5) + rho * sum(speed**2 for speed in speeds) / 2
    assert_solved(catalogue.euler(gamma=R(7, 5), dimension=dimension), rho=rho, **momenta, energy=energy)
    with pytest.raises(ValueError, match="above 1"):
        catalogue.euler(gamma=1)


def test_poisson():
    exact = sp.sin(2 * sp.pi * x) * sp.sin(3 * sp.pi * y)
    assert_solved(catalogue.poisson(source=13 * sp.pi**2 * exact), u=exact)
    assert_solved(catalogue.poisson(k=1 + x**2, source=-2 * (1 + 3 * x**2), dimension=1), u=x**2)
    ten = catalogue.poisson(source=1, dimension=10)
    assert len(ten.space) == 10 and ten.order("u", "x10") == 2


def test_helmholtz():
    exact = sp.sin(sp.pi * x) * sp.sin(4 * sp.pi * y)
    assert_solved(catalogue.helmholtz(k=1, source=(1 - 17 * sp.pi**2) * exact), u=exact)
    radiating = catalogue.helmholtz(k=3, dimension=1, complex=True)
    assert radiating.is_complex
    assert largest_residual(radiating, u=sp.exp(3 * sp.I * x)) < 1e-30


@pytest.mark.parametrize("conservative", [False, True])
def test_burgers(conservative):
    nu, a = R(1, 10), R(3, 5)
    front = a - a * sp.tanh(a * (x - a * t) / (2 * nu))
    assert_solved(catalogue.burgers(nu=nu, conservative=conservative), u=front)


@pytest.mark.parametrize("dimension", [2, 3])
def test_burgers_system(dimension):
    # Cole-Hopf: velocity = -2 nu grad(log(phi)), phi a solution of the heat equation.
    nu = R(1, 5)
    coords = (x, y, z)[:dimension]
    phi = 2 + sp.exp(-dimension * nu * t) * sp.prod([sp.cos(c) for c in coords])
    velocity = [-2 * nu * sp.diff(sp.log(phi), c) for c in coords]
    pde = catalogue.burgers(nu=nu, dimension=dimension)
    assert [e.name for e in pde.equations] == [f"momentum_{c}" for c in "xyz"[:dimension]]
    assert_solved(pde, **dict(zip("uvw", velocity, strict=False)))


def test_allen_cahn():
    diffusivity, rate = R(1, 50), R(5)
    width, speed = sp.sqrt(8 * diffusivity / rate), 3 * sp.sqrt(diffusivity * rate / 2)
    front = (1 - sp.tanh((x - speed * t) / width)) / 2
    # The front between the unstable state 0 and the stable state 1 moves at 3 sqrt(D rate / 2).
    assert_solved(catalogue.allen_cahn(diffusivity=diffusivity, rate=rate), u=front)
    standing = sp.tanh((x + 2 * y) / sp.sqrt(5) / sp.sqrt(2 * diffusivity / rate))
    assert_solved(catalogue.allen_cahn(diffusivity=diffusivity, rate=rate, dimension=2), u=standing)


def test_fisher_kpp():
    diffusivity, rate = R(1, 10), R(3)
    wave = (1 + sp.exp(sp.sqrt(rate / (6 * diffusivity)) * x - 5 * rate * t / 6)) ** -2
    assert_solved(catalogue.fisher_kpp(diffusivity=diffusivity, rate=rate), u=wave)


@pytest.mark.parametrize("conservative", [False, True])
def test_kdv(conservative):
    c = R(4, 3)
    soliton = c / 2 * sp.sech(sp.sqrt(c) / 2 * (x - c * t)) ** 2
    assert_solved(catalogue.kdv(conservative=conservative), u=soliton)
    general = c / 2 * (6 / R(2)) * sp.sech(sp.sqrt(c / R(1, 4)) / 2 * (x - c * t)) ** 2
    assert_solved(catalogue.kdv(nonlinearity=2, dispersion=R(1, 4)), u=general)


def test_kuramoto_sivashinsky():
    # Kuramoto and Tsuzuki's shock, Prog. Theor. Phys. 55 (1976) 356.
    c, k = R(1, 2), sp.sqrt(R(11, 19)) / 2
    shape = sp.tanh(k * (x - c * t))
    shock = c + R(15, 19) * sp.sqrt(R(11, 19)) * (11 * shape**3 - 9 * shape)
    assert_solved(catalogue.kuramoto_sivashinsky(), u=shock)


def test_kuramoto_sivashinsky_in_2d_is_the_integral_form():
    c, k = R(1, 2), sp.sqrt(R(11, 19)) / 2
    shape = sp.tanh(k * x)
    slope = R(15, 19) * sp.sqrt(R(11, 19)) * (11 * shape**3 - 9 * shape)
    height = sp.integrate(R(15, 19) * sp.sqrt(R(11, 19)) * (11 * z**3 - 9 * z) / (k * (1 - z**2)), z).subs(
        z, shape
    )
    assert sp.simplify(height.diff(x) - slope).subs(x, c).evalf(30) == pytest.approx(0, abs=1e-25)
    pde = catalogue.kuramoto_sivashinsky(dimension=2)
    still = pde.substitute({"u": height})[0]
    rate = still.subs({x: R(1, 3), y: 0, t: 0}).evalf(30)
    # u = height(x) - rate t with a constant rate
    assert largest_residual(pde, u=height - rate * t) < 1e-25


def test_schroedinger():
    a, v = R(3, 2), R(2, 3)
    soliton = a * sp.sech(a * (x - v * t)) * sp.exp(sp.I * (v * x + (a**2 - v**2) * t / 2))
    assert largest_residual(catalogue.schroedinger(), psi=soliton) < 1e-30
    ground = sp.exp(-(x**2 + y**2) / 2 - sp.I * t)
    oscillator = catalogue.schroedinger(
        dispersion=R(1, 2), coupling=0, potential=(x**2 + y**2) / 2, dimension=2
    )
    assert largest_residual(oscillator, psi=ground) < 1e-30
    assert largest_residual(catalogue.schroedinger(coupling=2), psi=soliton) > 1e-3


def test_klein_gordon():
    c, mass = R(2), R(3)
    wave = sp.cos(x + 2 * y - sp.sqrt(5 * c**2 + mass) * t)
    assert_solved(catalogue.klein_gordon(c=c, mass_squared=mass, dimension=2), u=wave)
    v = R(1, 3)
    kink = sp.tanh((x - v * t) / sp.sqrt(2 * (1 - v**2)))
    assert_solved(catalogue.klein_gordon(mass_squared=-1, cubic=1), u=kink)


def test_gray_scott():
    pde = catalogue.gray_scott(feed=R(4, 100), kill=R(6, 100), diffusivity_u=R(2), diffusivity_v=R(1))
    assert pde.substitute({"u": 1, "v": 0}) == (0, 0)
    # Without v, u relaxes to 1 by diffusion and feeding.
    decay = sp.exp(-(2 + R(4, 100)) * t) * sp.cos(x)
    assert largest_residual(pde, u=1 + decay, v=sp.S.Zero) < 1e-30
    # The uniform steady state: feed (1 - u) = (feed + kill) v and u v = feed + kill.
    rich = catalogue.gray_scott(feed=R(1, 25), kill=R(1, 20))
    v = (1 + sp.sqrt(1 - 4 * R(9, 100) ** 2 / R(1, 25))) * R(1, 25) / (2 * R(9, 100))
    assert largest_residual(rich, u=R(9, 100) / v, v=v) < 1e-30
    assert [e.name for e in pde.equations] == ["u", "v"]


def test_reaction_diffusion():
    pde = catalogue.reaction_diffusion(
        "a b", diffusivities=(1, R(1, 2)), reaction=lambda a, b: (-a * 2, 2 * a), dimension=1
    )
    a = sp.exp(-3 * t) * sp.sin(x)
    b = -R(4, 5) * sp.exp(-3 * t) * sp.sin(x)
    assert_solved(pde, a=a, b=b)
    with pytest.raises(ValueError, match="2 species"):
        catalogue.reaction_diffusion("a b", diffusivities=(1,), reaction=lambda a, b: (a, b))


def test_navier_stokes_taylor_green():
    nu, rho = R(1, 10), R(2)
    decay = sp.exp(-2 * nu * t)
    u, v = sp.cos(x) * sp.sin(y) * decay, -sp.sin(x) * sp.cos(y) * decay
    p = -rho * (sp.cos(2 * x) + sp.cos(2 * y)) / 4 * decay**2
    pde = catalogue.navier_stokes(nu=nu, rho=rho)
    assert [f.field_name for f in pde.fields] == ["u", "v", "p"]
    assert_solved(pde, u=u, v=v, p=p)


def test_navier_stokes_kovasznay():
    re = R(40)
    slope = re / 2 - sp.sqrt(re**2 / 4 + 4 * sp.pi**2)
    u = 1 - sp.exp(slope * x) * sp.cos(2 * sp.pi * y)
    v = slope / (2 * sp.pi) * sp.exp(slope * x) * sp.sin(2 * sp.pi * y)
    p = (1 - sp.exp(2 * slope * x)) / 2
    assert_solved(catalogue.navier_stokes(nu=1 / re, steady=True), u=u, v=v, p=p)


def test_navier_stokes_ethier_steinman():
    # C. R. Ethier, D. A. Steinman, Int. J. Numer. Methods Fluids 19 (1994) 369, equations (5)-(6), viscosity
    # 1.
    a, d = R(1), R(1, 2)
    decay = sp.exp(-(d**2) * t)

    def component(p, q, r):
        return -a * (sp.exp(a * p) * sp.sin(a * q + d * r) + sp.exp(a * r) * sp.cos(a * p + d * q)) * decay

    def cross(p, q, r):
        return 2 * sp.sin(a * p + d * q) * sp.cos(a * r + d * p) * sp.exp(a * (q + r))

    squares = sp.exp(2 * a * x) + sp.exp(2 * a * y) + sp.exp(2 * a * z)
    p = -(a**2) / 2 * (squares + cross(x, y, z) + cross(y, z, x) + cross(z, x, y)) * decay**2
    velocity = {"u": component(x, y, z), "v": component(y, z, x), "w": component(z, x, y)}
    assert_solved(catalogue.navier_stokes(nu=1, dimension=3), **velocity, p=p)


def test_vorticity_streamfunction():
    nu = R(1, 10)
    psi = sp.sin(x) * sp.sin(2 * y) * sp.exp(-5 * nu * t)
    assert_solved(catalogue.vorticity_streamfunction(nu=nu), omega=5 * psi, psi=psi)
    steady = catalogue.vorticity_streamfunction(nu=nu, steady=True)
    assert steady.time is None and largest_residual(steady, omega=sp.Integer(-2), psi=y**2) == 0


def test_coefficients_may_be_parameters_and_are_checked():
    nu = parameter("nu", initial=0.1, positive=True)
    assert catalogue.burgers(nu=nu).parameters == (nu,)
    for call, message in [
        (lambda: catalogue.heat(alpha=-1), "positive"),
        (lambda: catalogue.heat(alpha=0), "positive"),
        (lambda: catalogue.burgers(nu=-0.1), "nonnegative"),
        (lambda: catalogue.heat(dimension=4), "dimension"),
        (lambda: catalogue.navier_stokes(dimension=1), "2 or 3"),
        (lambda: catalogue.advection(velocity=(1, 2)), "component"),
        (lambda: catalogue.wave(c=float("nan")), "finite"),
        (lambda: catalogue.burgers(dimension=2, conservative=True), "conservation"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="alpha"):
        catalogue.heat(alpha=True)


def test_fields_of_the_catalogue_are_those_a_user_makes():
    u = field("u", x, t)
    pde = catalogue.heat()
    assert pde.fields == (u,) and pde["u"] == u
    assert isinstance(pde.with_conditions(Dirichlet(u, 0)), PDE)

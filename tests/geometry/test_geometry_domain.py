"""Space x time x parameters, samplers, keys."""

import json
import math
import warnings

import jax
import numpy as np
import pytest

from sciml.geometry import (
    Box,
    Disk,
    Domain,
    Grid,
    Halton,
    Interval,
    Polygon,
    Product,
    Rectangle,
    Sobol,
    Time,
    Uniform,
    from_json,
)

SAMPLERS = [Uniform(), Sobol(), Halton(), Grid()]


def test_box_resolves_into_space_time_parameters():
    box = Box(nu=(0.001, 0.1), x=(-1, 1), t=(0, 2))
    assert box.names == ("nu", "x", "t") and box.dim == 3 and "t_min" not in box.boundary
    domain = box.resolve({"x": "space", "t": "time", "nu": "parameter"})
    assert domain == Domain(Box(x=(-1, 1)), Time(0, 2), {"nu": (0.001, 0.1)})
    assert domain.names == ("x", "t", "nu") and domain.dim == 3
    assert list(domain.lower) == [-1, 0, 0.001] and list(domain.upper) == [1, 2, 0.1]
    assert domain.measure == pytest.approx(2 * 2 * 0.099)
    assert list(domain.boundary) == ["x_min", "x_max"] and hash(domain) == hash(box.resolve({"nu": "parameter"}))
    assert box.resolve().space == Box(nu=(0.001, 0.1), x=(-1, 1)) and box.resolve().time == Time(0, 2)
    assert domain.resolve({"x": "space", "nu": "parameter"}) == domain
    renamed = Box(x=(0, 1), tau=(0, 3)).resolve({"tau": "time"})
    assert renamed.time == Time(0, 3, name="tau") and renamed.names == ("x", "tau")
    assert Box(t=(0, 1)).resolve().space is None


def test_products():
    domain = Disk((0, 0), 1) * Box(z=(0, 2), nu=(1, 2)) * Time(0, 3)
    assert domain.resolve({"nu": "parameter"}) == Domain(Disk((0, 0), 1) * Box(z=(0, 2)), Time(0, 3), {"nu": (1, 2)})
    assert domain.resolve({"nu": "parameter"}).boundary["circle"].measure == pytest.approx(4 * math.pi)
    assert Interval(0, 1) * Interval(0, 2, names="y") == Box(x=(0, 1), y=(0, 2))
    assert Time(0, 1) * Interval(0, 1) == Interval(0, 1) * Time(0, 1)
    assert Domain(None, Time(0, 1)) * Interval(0, 1) == Interval(0, 1) * Time(0, 1)
    assert Disk((0, 0), 1) * Domain(None, Time(0, 1)) == Disk((0, 0), 1) * Time(0, 1)
    two = Disk((0, 0), 1) * Disk((0, 0), 1, names=("a", "b"))
    assert list(two.boundary) == ["circle", "circle_2"] and two.measure == pytest.approx(math.pi**2)
    family = (Rectangle((0, 0), (2, 1)) - Disk((1, 0.5), 0.2)) * Box(nu=(0, 1))
    assert family.resolve({"nu": "parameter"}).space == family.first
    with pytest.raises(ValueError, match=r"both have x.*use \|"):
        Interval(0, 1) * Interval(0, 1)
    with pytest.raises(ValueError, match="already has a time"):
        Interval(0, 1) * Time(0, 1) * Time(0, 1)
    with pytest.raises(TypeError):
        Disk((0, 0), 1) * 3
    with pytest.raises(TypeError):
        Interval(0, 1) * Time(0, 1) * 3  # pyright: ignore[reportOperatorIssue]


def test_resolve_says_what_is_wrong():
    box = Box(x=(0, 1), t=(0, 1))
    with pytest.raises(ValueError, match=r"'y' is not in the domain, which has x, t\. Add it.*Box\(y=\(0, 1\)\)"):
        box.resolve({"y": "space"})
    with pytest.raises(ValueError, match="must be one of space, time, parameter"):
        box.resolve({"x": "place"})
    with pytest.raises(ValueError, match="'t' is time"):
        box.resolve({"t": "space"})
    with pytest.raises(ValueError, match="has one time"):
        box.resolve({"x": "time"})
    with pytest.raises(ValueError, match="cannot be separated"):
        Disk((0, 0), 1).resolve({"y": "parameter"})
    with pytest.raises(ValueError, match="cannot be separated"):
        Polygon([(0, 0), (1, 0), (0, 1)], names=("x", "t")).resolve()
    with pytest.raises(ValueError, match="is time in the domain"):
        (Disk((0, 0), 1) * Time(0, 1)).resolve({"t": "parameter"})
    with pytest.raises(ValueError, match="is a parameter of the domain"):
        Domain(Interval(0, 1), None, {"nu": (0, 1)}).resolve({"nu": "space"})


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("space", [Interval(-1, 2), Disk((0, 0), 1), Rectangle((0, 0), (2, 1)) - Disk((1, 0.5), 0.3)])
def test_domain_samples(space, sampler):
    domain = Domain(space, Time(1, 3), {"nu": (-2, -1)})
    for n in (0, 1, 50, 333):
        points = domain.sample(n, sampler=sampler, key=1)
        assert points.shape == (n, domain.dim) and domain.contains(points).all()
        initial = domain.sample_initial(n, sampler=sampler, key=1)
        assert initial.shape == (n, domain.dim) and (initial[:, -2] == 1).all()
        assert domain.contains(initial).all()
        where, normals = domain.sample_boundary(None, n, sampler=sampler, key=1)
        assert where.shape == (n, domain.dim) and normals.shape == (n, space.dim)
        assert domain.contains(where, 1e-12).all()
    for column in range(domain.dim - 2, domain.dim):
        for array in (points, where):
            middle = (domain.lower[column] + domain.upper[column]) / 2
            assert abs((array[:, column] < middle).mean() - 0.5) < 0.12
    assert not domain.contains(points + np.array([0.0] * space.dim + [5, 0])).any()


def test_one_sequence_over_all_coordinates_of_a_box():
    """2^8 Sobol points of the square put exactly one point into each of 16 x 16 cells of space x time."""
    domain = Box(x=(-1, 1), t=(0, 4)).resolve()
    points = domain.sample(256, key=4)
    cells = np.floor((points - domain.lower) / (domain.upper - domain.lower) * 16).astype(int)
    assert len({tuple(c) for c in cells}) == 256
    # On an edge of a square, too: position x time.
    where, _ = (Rectangle((0, 0), (1, 1)) * Time(0, 1)).sample_boundary("y_min", 256)
    assert len({tuple(c) for c in np.floor(where[:, [0, 2]] * 16).astype(int)}) == 256


def test_ends_of_an_interval_alternate_and_both_see_all_times():
    domain = Box(x=(0, 1), t=(0, 1)).resolve()
    assert domain.boundary["x_min"].measure == domain.boundary["x_max"].measure == 1
    where, normals = domain.sample_boundary(None, 64)
    assert (where[::2, 0] == 0).all() and (where[1::2, 0] == 1).all()
    assert (normals[:, 0] == 2 * where[:, 0] - 1).all()
    for end in (where[::2], where[1::2]):
        assert len(set(np.floor(end[:, 1] * 32))) == 32


def test_boundary_parts_are_found_again():
    box = Box(x=(0, 1), y=(0, 2), t=(0, 1), nu=(0, 1))
    domain = box.resolve({"nu": "parameter"})
    part = box.boundary["x_min"] | box.boundary["y_max"]
    assert domain.boundary.select(part).labels == ("x_min", "y_max")
    assert domain.boundary.select(part).measure == 3
    where, normals = domain.sample_boundary(part, 10)
    assert where.shape == (10, 4) and normals.shape == (10, 2)
    face = domain.boundary["y_max"]
    assert (face.axis, face.side, face.value) == (1, 1, 2.0)
    with pytest.raises(KeyError, match="no part 'z_min'; its parts are 'x_min'"):
        domain.sample_boundary("z_min", 3)
    with pytest.raises(ValueError, match="no boundary here"):
        Domain(None, Time(0, 1)).sample_boundary(None, 3)


def test_time_alone():
    domain = Domain(None, Time(1, 2))
    assert domain.measure == 1 and list(domain.boundary) == [] and domain.names == ("t",)
    assert domain.contains(domain.sample(9)).all() and domain.sample_initial(2).tolist() == [[1.0], [1.0]]
    with pytest.raises(ValueError, match="no space"):
        domain.plot()
    with pytest.raises(ValueError, match="no time"):
        Domain(Interval(0, 1)).sample_initial(3)


def test_grid_includes_the_ends():
    domain = Box(x=(-1, 1), t=(0, 2)).resolve()
    grid = domain.grid({"x": 5, "t": 3})
    assert list(grid) == ["x", "t"] and grid["x"].tolist() == [-1, -0.5, 0, 0.5, 1] and grid["t"].tolist() == [0, 1, 2]
    assert {k: len(v) for k, v in domain.grid(4).items()} == {"x": 4, "t": 4}
    with pytest.raises(ValueError, match="count for each of x, t"):
        domain.grid({"x": 3})


def test_texts_and_json():
    domain = Domain(Rectangle((0, 0), (2, 1)) - Disk((1, 0.5), 0.2, name="hole"), Time(0, 1), {"nu": (0.1, 1)})
    assert repr(domain) == (
        "Domain(Box(x=(0, 2), y=(0, 1)) - Disk((1, 0.5), 0.2, name='hole') x Time(0, 1) x {nu: (0.1, 1)})"
    )
    text = domain.describe()
    for word in ("coordinates x, y", "hole: measure 1.25664", "t from 0 to 1", "nu from 0.1 to 1"):
        assert word in text
    again = from_json(json.loads(json.dumps(domain.to_json(), sort_keys=True)))
    assert again == domain and hash(again) == hash(domain)
    timeless = Domain(Interval(0, 1))
    assert from_json(timeless.to_json()) == timeless and from_json(Domain(None, Time(0, 1)).to_json()) == Domain(
        None, Time(0, 1)
    )
    assert repr(Box({f"x{i}": (0, 1) for i in range(20)})).count("x") < 8
    assert repr(domain.boundary) == "Boundary(x_min: 1, x_max: 1, y_min: 2, y_max: 2, hole: 1.25664)"
    assert "pieces" not in repr(domain.boundary["hole"])
    for bad in ({"type": "os.system"}, {}, 3, None):
        with pytest.raises(ValueError, match="one of the types Annulus, Ball"):
            from_json(bad)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="where a geometry belongs"):
        from_json({"type": "Product", "first": domain.to_json(), "second": domain.to_json()})
    assert isinstance(from_json((Disk((0, 0), 1) * Box(z=(0, 1))).to_json()), Product)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_samplers(sampler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (0, 1, 2, 3, 100, 129):
            for dim in (1, 2, 7):
                u = sampler.unit(n, dim, key=0)
                assert u.shape == (n, dim) and (u >= 0).all() and (u < 1).all()
    np.testing.assert_array_equal(sampler.unit(50, 3, key=7), sampler.unit(50, 3, key=7))
    assert sampler == type(sampler)() and hash(sampler) == hash(type(sampler)())
    u = sampler.unit(1024, 2, key=1)
    np.testing.assert_allclose(u.mean(axis=0), 0.5, atol=0.05)
    if not isinstance(sampler, Grid):
        assert not np.array_equal(sampler.unit(50, 3, key=7), sampler.unit(50, 3, key=8))
        np.testing.assert_array_equal(sampler.unit(200, 3, key=7)[:50], sampler.unit(50, 3, key=7))


def test_keys():
    shape = Disk((0, 0), 1)
    typed, raw = shape.sample(9, key=jax.random.key(5)), shape.sample(9, key=jax.random.PRNGKey(5))
    np.testing.assert_array_equal(typed, raw)
    assert not np.array_equal(typed, shape.sample(9, key=jax.random.key(6)))
    assert not np.array_equal(shape.sample(9, key=1), shape.sample(9, key=-1))
    for bad in (1.5, "a", True, jax.random.split(jax.random.key(0), 2)):
        with pytest.raises(TypeError, match="integer or one JAX key"):
            shape.sample(3, key=bad)
    with pytest.raises(TypeError, match="concrete, not a traced value"):
        jax.jit(lambda key: shape.sample(3, key=key))(jax.random.key(0))
    with pytest.raises(TypeError, match="sampler object"):
        shape.sample(3, sampler="sobol")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="integer"):
        shape.sample(3.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="negative"):
        shape.boundary.all.sample(-1)


def test_nothing_of_jax_is_changed():
    assert Box(x=(0, 1)).sample(3).dtype == np.float64 and jax.numpy.ones(1).dtype == np.float32

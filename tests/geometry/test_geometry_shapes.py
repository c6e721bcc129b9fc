"""What must hold for every shape and every combination of shapes."""

import itertools
import json
import math
import warnings

import numpy as np
import pytest

from sciml.geometry import (
    Annulus,
    Ball,
    Box,
    Disk,
    Grid,
    Halton,
    Interval,
    Mesh,
    PointCloud,
    Polygon,
    Rectangle,
    Sobol,
    Surface,
    Uniform,
    from_json,
)

SAMPLERS = [Uniform(), Sobol(), Halton(), Grid()]
TETRAHEDRON = ([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
L_SHAPE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
SQUARE_MESH = ([(0, 0), (1, 0), (1, 1), (0, 1), (0.4, 0.6)], [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)])
LENS = 2 * math.acos(0.5) - 0.5 * math.sqrt(3)
BALL_LENS = 5 * math.pi / 12

# shape, measure, measure of its boundary, relative accuracy of those two
EXACT = 1e-13
CASES = {
    "interval": (Interval(-1, 3), 4.0, 2.0, EXACT),
    "rectangle": (Rectangle((0, 0), (2, 1)), 2.0, 6.0, EXACT),
    "box": (Box(x=(0, 1), y=(0, 2), z=(0, 3)), 6.0, 22.0, EXACT),
    "box_5d": (Box({f"x{i}": (0, 2) for i in range(5)}), 32.0, 160.0, EXACT),
    "disk": (Disk((1, -2), 0.5), math.pi / 4, math.pi, EXACT),
    "annulus": (Annulus((0, 1), 0.5, 1), 0.75 * math.pi, 3 * math.pi, EXACT),
    "thin_annulus": (Annulus((0, 0), 1, 1.001), math.pi * 0.002001, 4.002 * math.pi, 1e-11),
    "ball": (Ball((0, 0, 1), 2), 32 / 3 * math.pi, 16 * math.pi, EXACT),
    "ball_4d": (Ball((0, 0, 0, 0), 1, names="a b c d"), math.pi**2 / 2, 2 * math.pi**2, EXACT),
    "ball_8d": (Ball((0,) * 8, 1, names=tuple("abcdefgh")), math.pi**4 / 24, math.pi**4 / 3, EXACT),
    "polygon": (Polygon(L_SHAPE), 3.0, 8.0, EXACT),
    "clockwise": (Polygon(L_SHAPE[::-1]), 3.0, 8.0, EXACT),
    "polygon_with_hole": (
        Polygon([(0, 0), (3, 0), (3, 3), (0, 3)], holes=[[(1, 1), (2, 1), (1, 2)]]),
        8.5,
        14 + math.sqrt(2),
        EXACT,
    ),
    "mesh": (Mesh(*SQUARE_MESH), 1.0, 4.0, EXACT),
    "surface": (Surface(*TETRAHEDRON), 1 / 6, 1.5 + math.sqrt(3) / 2, EXACT),
    "cylinder": (Disk((0, 0), 1) * Box(z=(0, 2)), 2 * math.pi, 6 * math.pi, EXACT),
    "cylinder_from_z": (Box(z=(0, 2)) * Disk((0, 0), 1), 2 * math.pi, 6 * math.pi, EXACT),
    "prism": (Polygon(L_SHAPE) * Interval(0, 2, names="z"), 6.0, 22.0, EXACT),
    "two_intervals": (Interval(0, 1) | Interval(2, 4), 3.0, 4.0, EXACT),
    "joined_intervals": (Interval(0, 1) | Interval(1, 3), 3.0, 2.0, EXACT),
    "gap": (Interval(0, 3) - Interval(1, 2), 2.0, 4.0, EXACT),
    "channel": (
        Rectangle((0, 0), (2.2, 0.41)) - Disk((0.2, 0.2), 0.05),
        2.2 * 0.41 - 0.0025 * math.pi,
        5.22 + 0.1 * math.pi,
        EXACT,
    ),
    "lens": (Disk((0, 0), 1) & Disk((1, 0), 1), LENS, 4 * math.pi / 3, EXACT),
    "two_disks": (Disk((0, 0), 1) | Disk((1, 0), 1), 2 * math.pi - LENS, 8 * math.pi / 3, EXACT),
    "moon": (Disk((0, 0), 1) - Disk((1, 0), 1), math.pi - LENS, 2 * math.pi, EXACT),
    "half_disk": (Disk((0, 0), 1) & Rectangle((-2, 0), (2, 2)), math.pi / 2, math.pi + 2, EXACT),
    "joined_rectangles": (Rectangle((0, 0), (1, 1)) | Rectangle((1, 0), (3, 1)), 3.0, 8.0, EXACT),
    "cut_mesh": (Mesh(*SQUARE_MESH) - Disk((1, 1), 0.5), 1 - math.pi / 16, 3 + math.pi / 4, EXACT),
    "nested": (
        (Polygon([(0, 0), (4, 0), (4, 4), (0, 4)]) - Annulus((2, 2), 0.5, 1)) - Rectangle((3, 3), (5, 5)),
        15 - 0.75 * math.pi,
        16 + 3 * math.pi,
        EXACT,
    ),
    "bored_box": (
        Box(x=(0, 1), y=(0, 1), z=(0, 1)) - Disk((0.5, 0.5), 0.25) * Box(z=(0, 1)),
        1 - math.pi / 16,
        6 - math.pi / 8 + math.pi / 2,
        1e-3,
    ),
    "cavity": (
        Box(x=(-1, 1), y=(-1, 1), z=(-1, 1)) - Ball((0, 0, 0), 0.5),
        8 - math.pi / 6,
        24 + math.pi,
        EXACT,
    ),
    "two_boxes": (
        Box(x=(0, 1), y=(0, 1), z=(0, 1)) | Box(x=(1, 2), y=(0, 1), z=(0, 1)),
        2.0,
        10.0,
        EXACT,
    ),
    "corner": (
        Box(x=(0, 1), y=(0, 1), z=(0, 1)) - Ball((0, 0, 0), 0.5),
        1 - math.pi / 48,
        6 - 3 * math.pi / 16 + math.pi / 8,
        1e-3,
    ),
    "ball_lens": (Ball((0, 0, 0), 1) & Ball((1, 0, 0), 1), BALL_LENS, 2 * math.pi, 1e-3),
    "cut_tetrahedron": (
        Surface(*TETRAHEDRON) & Box(x=(0, 1), y=(0, 1), z=(0, 0.5)),
        7 / 48,
        1 / 8 + 1 / 2 + 3 / 4 + 3 * math.sqrt(3) / 8,
        1e-3,
    ),
    "cylinder_less_ball": (
        Disk((0, 0), 1) * Box(z=(-1, 1)) - Ball((0, 0, 0), 0.5),
        2 * math.pi - math.pi / 6,
        7 * math.pi,
        1e-3,
    ),
}
SHAPES = pytest.mark.parametrize("name", CASES)
BASIC = {"cylinder", "cylinder_from_z", "prism"}


@SHAPES
def test_measures_agree_with_closed_forms(name):
    shape, measure, boundary, accuracy = CASES[name]
    assert shape.measure == pytest.approx(measure, rel=accuracy)
    assert shape.boundary.measure == pytest.approx(boundary, rel=accuracy)
    assert shape.boundary.all.measure == pytest.approx(boundary, rel=accuracy)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@SHAPES
def test_no_sampled_point_is_outside(name, sampler):
    shape = CASES[name][0]
    for n in (0, 1, 7, 300):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            points = shape.sample(n, sampler=sampler, key=3)
        assert points.shape == (n, shape.dim) and points.dtype == float
        assert shape.contains(points).all()
        assert (points >= shape.lower).all() and (points <= shape.upper).all()
        assert (shape.signed_distance(points) <= 1e-13 * shape.size).all()


@SHAPES
def test_samples_are_uniform(name):
    """The share of the bounding box and the mean of the points agree with an independent count."""
    shape, measure, *_ = CASES[name]
    points = shape.sample(4096, key=1)
    everywhere = np.random.default_rng(0).uniform(shape.lower, shape.upper, (100_000, shape.dim))
    inside = everywhere[shape.contains(everywhere)]
    share = len(inside) / len(everywhere)
    volume = np.prod(shape.upper - shape.lower)
    error = math.sqrt(share * (1 - share) / len(everywhere))
    assert abs(measure / volume - share) <= 5 * error + 1e-12
    if len(inside) > 1000:
        spread = inside.std(axis=0) * math.sqrt(1 / len(inside) + 1 / len(points))
        assert (np.abs(points.mean(axis=0) - inside.mean(axis=0)) <= 5 * spread).all()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@SHAPES
def test_boundary_points_and_normals(name, sampler):
    shape = CASES[name][0]
    step = 1e-6 * shape.size
    for part in [*shape.boundary.values(), shape.boundary.all]:
        for n in (0, 1, 200):
            points, normals = part.sample(n, sampler=sampler, key=5)
            assert points.shape == normals.shape == (n, shape.dim)
        assert (np.abs(shape.signed_distance(points)) <= 1e-12 * shape.size).all()
        assert part.contains(points).all() and part.contains(points, 1e-12 * shape.size).all()
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-13)
        outside = ~shape.contains(points + step * normals)
        inside = shape.contains(points - step * normals)
        assert outside.mean() >= 0.995 and inside.mean() >= 0.995


@SHAPES
def test_divergence_theorem(name):
    """The integral of p . n over the boundary is dim times the volume: normals and measures together."""
    shape, measure, boundary, _ = CASES[name]
    middle = (shape.lower + shape.upper) / 2
    total = 0.0
    for part in shape.boundary.values():
        points, normals = part.sample(4096 if shape.dim > 1 else len(part.pieces), key=2)
        total += part.measure * ((points - middle) * normals).sum(axis=1).mean()
    assert total == pytest.approx(shape.dim * measure, abs=5e-3 * boundary * shape.size)


@SHAPES
def test_bounding_box_and_contains(name):
    shape = CASES[name][0]
    assert (shape.lower < shape.upper).all()
    far = shape.upper + shape.size
    assert not shape.contains(far[None])[0] and shape.contains(far[None], 10 * shape.size)[0]
    assert not shape.contains(np.full((1, shape.dim), np.nan))[0]
    with pytest.raises(ValueError, match="shape"):
        shape.contains(np.zeros((3, shape.dim + 1)))


@SHAPES
def test_signed_distance_never_exceeds_the_distance(name):
    shape = CASES[name][0]
    if shape.dim > 3:
        pytest.skip("the nearest of 2000 boundary points is far away in many dimensions")
    points = np.random.default_rng(1).uniform(shape.lower - 0.2, shape.upper + 0.2, (200, shape.dim))
    on_boundary, _ = shape.boundary.all.sample(2000)
    nearest = np.linalg.norm(points[:, None] - on_boundary, axis=2).min(axis=1)
    assert (np.abs(shape.signed_distance(points)) <= nearest + 1e-12).all()


@SHAPES
def test_json_equality_and_hash(name):
    shape = CASES[name][0]
    again = from_json(json.loads(json.dumps(shape.to_json(), sort_keys=True)))
    assert again == shape and hash(again) == hash(shape) and repr(again) == repr(shape)
    assert list(again.boundary) == list(shape.boundary)
    np.testing.assert_array_equal(again.sample(20, key=9), shape.sample(20, key=9))


def test_different_shapes_are_different():
    shapes = [shape for shape, *_ in CASES.values()]
    for first, second in itertools.combinations(shapes, 2):
        assert first != second


@SHAPES
def test_immutable(name):
    with pytest.raises((AttributeError, TypeError)):
        CASES[name][0].names = ("a",)


@pytest.mark.parametrize("name", ["ball_lens", "corner", "cut_tetrahedron"])
def test_documented_error_of_volume_estimates(name):
    shape, measure, *_ = CASES[name]
    shared = measure if shape.operation == "intersection" else shape.first.measure - measure
    estimate = shape.measure if shape.operation == "intersection" else shape.first.measure - shape.measure
    assert estimate == pytest.approx(shared, rel=3e-4)


def test_many_dimensions_stay_cheap():
    box = Box({f"x{i}": (-1, 1) for i in range(100)})
    assert box.sample(1000).shape == (1000, 100) and box.boundary.all.sample(1000)[0].shape == (1000, 100)
    ten = Box({f"x{i}": (-1, 1 + i) for i in range(10)})
    points, normals = ten.boundary.all.sample(20_000)
    for part in ten.boundary.values():
        here = normals[:, part.axis] == part.side
        assert here.mean() == pytest.approx(part.measure / ten.boundary.measure, abs=1e-3)
        assert (points[here, part.axis] == part.value).all()
    ball = Ball((0,) * 10, 0.9, names=ten.names)
    hollow = ten - ball
    assert hollow.measure == ten.measure - ball.measure
    assert hollow.boundary["sphere"].measure == pytest.approx(ball.boundary.measure, rel=1e-14)


def test_a_cut_too_small_for_the_estimate_is_still_respected():
    shape = Box(x=(0, 1), y=(0, 1), z=(0, 1)) - Ball((0.5, 0.5, 1), 1e-3)
    top = shape.boundary["z_max"]
    points, _ = top.sample(20_000)
    assert (np.hypot(points[:, 0] - 0.5, points[:, 1] - 0.5) >= 1e-3).all()
    assert top.contains([[0.5, 0.5, 1], [0.5, 0.6, 1]]).tolist() == [False, True]


def test_signed_distance_of_basic_shapes_is_the_distance():
    box = Box(x=(0, 2), y=(0, 4))
    np.testing.assert_allclose(box.signed_distance([[1, 1], [1, 0], [5, 8], [-1, 2]]), [-1, 0, 5, 1])
    surface = Surface(*TETRAHEDRON)
    np.testing.assert_allclose(
        surface.signed_distance([[0.1, 0.2, 0.2], [-1, 0, 0], [1, 1, 1], [2, 0, 0]]),
        [-0.1, 1, 2 / math.sqrt(3), 1],
    )
    hole = CASES["polygon_with_hole"][0]
    np.testing.assert_allclose(hole.signed_distance([[1.1, 1.1], [0.5, 0.5], [4, 1]]), [0.1, -0.5, 1])


def test_point_cloud():
    rng = np.random.default_rng(0)
    where = rng.uniform(-1, 1, (500, 2))
    angle = np.linspace(0, 6, 40)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    cloud = PointCloud(where, boundary={"wall": (circle, 3 * circle)}, measure=4.0)
    assert cloud.measure == 4.0 and list(cloud.boundary) == ["wall"] and cloud.boundary["wall"].measure == 40
    points = cloud.sample(64, key=1)
    assert cloud.contains(points).all() and len(np.unique(points, axis=0)) > 55
    np.testing.assert_array_equal(np.unique(cloud.sample(500, sampler=Grid()), axis=0), np.unique(where, axis=0))
    on, normals = cloud.boundary["wall"].sample(30)
    np.testing.assert_allclose(on, normals, atol=1e-15)
    inner = cloud & Disk((0, 0), 0.5)
    kept = np.hypot(*where.T) <= 0.5
    assert isinstance(inner, PointCloud) and len(inner.points) == kept.sum()
    assert inner.measure == pytest.approx(4 * kept.mean())
    outer = cloud - Disk((0, 0), 0.5)
    assert isinstance(outer, PointCloud) and len(inner.joined(outer).points) == 500
    assert (inner | outer).measure == pytest.approx(4)
    again = from_json(json.loads(json.dumps(cloud.to_json())))
    assert again == cloud and hash(again) == hash(cloud) and repr(cloud) == "PointCloud(500 points in x, y)"
    with pytest.raises(TypeError, match="no interior"):
        Disk((0, 0), 1) - cloud
    with pytest.raises(TypeError, match="another PointCloud"):
        Disk((0, 0), 1) | cloud
    with pytest.raises(ValueError, match="nothing is left"):
        cloud & Disk((9, 9), 1)
    with pytest.raises(ValueError, match="measure="):
        PointCloud([[0, 1], [0, 2]])
    with pytest.raises(ValueError, match="one normal"):
        PointCloud(where, boundary={"wall": (circle, 0 * circle)})

"""Boolean operations: names that survive, coinciding boundaries, independent routes to the same numbers."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sciml.geometry import Annulus, Ball, Box, Disk, Grid, Interval, Polygon, Rectangle, from_json

number = st.floats(-1, 1).map(lambda v: round(v, 3))
width = st.floats(0.1, 1.5).map(lambda v: round(v, 3))
rectangles = st.builds(lambda x, y, w, h: Rectangle((x, y), (x + w, y + h)), number, number, width, width)
disks = st.builds(lambda x, y, r: Disk((x, y), r), number, number, width)
annuli = st.builds(lambda x, y, r, w: Annulus((x, y), r, r + w), number, number, width, width)


def _triangle(a, b, c, d, e, f):
    corners = [(a, b), (c, d), (e, f)]
    assume(abs((c - a) * (f - b) - (d - b) * (e - a)) > 0.05)
    return Polygon(corners)


triangles = st.builds(_triangle, *[number] * 6)
straight = rectangles | triangles
anything = rectangles | triangles | disks | annuli


def combined(operation, a, b):
    """The result of the operation, or None where nothing is left."""
    try:
        return {"|": a.__or__, "&": a.__and__, "-": a.__sub__}[operation](b)
    except ValueError as error:
        assert "empty" in str(error)
        return None


def measure(shape):
    return 0.0 if shape is None else shape.measure


def as_shapely(shape):
    return shape.to_shapely() if isinstance(shape, Polygon) else shapely.box(*shape.lower, *shape.upper)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(straight, straight, st.sampled_from("|&-"))
def test_straight_shapes_agree_with_shapely(a, b, operation):
    ours = combined(operation, a, b)
    theirs = getattr(as_shapely(a), {"|": "union", "&": "intersection", "-": "difference"}[operation])(as_shapely(b))
    assert measure(ours) == pytest.approx(theirs.area, abs=1e-10)
    if ours is not None:
        regular = theirs.buffer(0)
        assert ours.boundary.measure == pytest.approx(regular.length, abs=1e-7)
        np.testing.assert_allclose([*ours.lower, *ours.upper], regular.bounds, atol=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(anything, anything)
def test_inclusion_and_exclusion(a, b):
    whole, shared = measure(combined("|", a, b)), measure(combined("&", a, b))
    assert whole + shared == pytest.approx(a.measure + b.measure, rel=1e-10)
    assert measure(combined("-", a, b)) == pytest.approx(a.measure - shared, abs=1e-10)
    assert measure(combined("-", b, a)) == pytest.approx(b.measure - shared, abs=1e-10)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(anything, anything, anything, st.sampled_from("|&-"), st.sampled_from("|&-"))
def test_nested_combinations(a, b, c, first, second):
    inner = combined(first, a, b)
    shape = None if inner is None else combined(second, inner, c)
    assume(shape is not None and shape.measure > 0.01)
    rng = np.random.default_rng(0)
    points = rng.uniform(shape.lower, shape.upper, (20_000, 2))
    rule = {"|": np.logical_or, "&": np.logical_and, "-": lambda p, q: p & ~q}
    truth = rule[second](rule[first](a.contains(points), b.contains(points)), c.contains(points))
    np.testing.assert_array_equal(shape.contains(points), truth)
    box = np.prod(shape.upper - shape.lower)
    error = math.sqrt(truth.mean() * (1 - truth.mean()) / len(points))
    assert abs(shape.measure / box - truth.mean()) <= 5 * error + 5 / len(points)
    where, normals = shape.boundary.all.sample(200)
    # In the tip of a cusp (two boundaries that touch) the distance is known to 1e-6 only.
    distance = np.abs(shape.signed_distance(where))
    assert (distance <= 1e-10).mean() >= 0.99 and distance.max() <= 1e-5
    assert shape.contains(where - 1e-6 * normals).mean() >= 0.98
    assert shape.contains(where + 1e-6 * normals).mean() <= 0.02


boxes = st.builds(lambda x, y, z, w: Box(x=(x, x + w), y=(y, y + w), z=(z, z + 0.5)), number, number, number, width)
balls = st.builds(lambda x, y, z, r: Ball((x, y, z), r), number, number, number, width)
cylinders = st.builds(lambda d, z, h: d * Interval(z, z + h, names="z"), disks, number, width)
solids = boxes | balls | cylinders


@settings(max_examples=12, deadline=None, derandomize=True)
@given(solids, solids, st.sampled_from("|&-"))
def test_solids(a, b, operation):
    shape = combined(operation, a, b)
    assume(measure(shape) > 0.02)
    assert shape is not None
    points = np.random.default_rng(0).uniform(shape.lower, shape.upper, (20_000, 3))
    rule = {"|": np.logical_or, "&": np.logical_and, "-": lambda p, q: p & ~q}[operation]
    truth = rule(a.contains(points), b.contains(points))
    np.testing.assert_array_equal(shape.contains(points), truth)
    box = np.prod(shape.upper - shape.lower)
    error = math.sqrt(truth.mean() * (1 - truth.mean()) / len(points))
    assert abs(shape.measure / box - truth.mean()) <= 5 * error + 1e-3
    for part in shape.boundary.values():
        if part.measure < 0.02:
            continue
        where, normals = part.sample(100)
        assert (np.abs(shape.signed_distance(where)) <= 1e-10).all()
        assert shape.contains(where - 1e-6 * normals).mean() >= 0.98
        assert shape.contains(where + 1e-6 * normals).mean() <= 0.02


def test_names_survive_and_prefix():
    plate = Rectangle((0, 0), (4, 2))
    holed = plate - Disk((1, 1), 0.5, name="hole") - Rectangle((2, 0.5), (3, 1.5), name="slot")
    assert list(holed.boundary) == [
        *("x_min", "x_max", "y_min", "y_max", "hole"),
        *("slot_x_min", "slot_x_max", "slot_y_min", "slot_y_max"),
    ]
    assert holed.boundary["hole"].measure == pytest.approx(math.pi, rel=1e-14)
    points, normals = holed.boundary["hole"].sample(50)
    np.testing.assert_allclose(normals, (1 - points) / 0.5 * [1, 1], atol=1e-13)
    assert list(Annulus((0, 0), 1, 2, name="ring").boundary) == ["ring_inner", "ring_outer"]
    assert list(Interval(0, 1, name="rod").boundary) == ["rod_x_min", "rod_x_max"]


def test_equal_names_get_a_suffix_and_lost_parts_are_gone():
    both = Disk((0, 0), 1) | Disk((3, 0), 1) | Disk((6, 0), 1)
    assert list(both.boundary) == ["circle", "circle_2", "circle_3"]
    notch = Rectangle((0, 0), (2, 2)) - Rectangle((1, 1), (3, 3))
    assert list(notch.boundary) == ["x_min", "x_max", "y_min", "y_max", "x_min_2", "y_min_2"]
    lengths = {name: part.measure for name, part in notch.boundary.items()}
    assert lengths == {"x_min": 2, "x_max": 1, "y_min": 2, "y_max": 1, "x_min_2": 1, "y_min_2": 1}
    swallowed = Rectangle((0, 0), (4, 4)) | Disk((2, 2), 1)
    assert "circle" not in swallowed.boundary and swallowed.boundary["x_min"].axis is None
    with pytest.raises(KeyError, match="no part 'circle'; its parts are 'x_min', 'x_max', 'y_min', 'y_max'"):
        swallowed.boundary["circle"]
    with pytest.raises(ValueError, match="no part"):
        swallowed.boundary["circle"]


def test_coinciding_boundaries():
    a, b = Rectangle((0, 0), (1, 1)), Rectangle((1, 0), (2, 1))
    joined = a | b
    seam = np.array([[1.0, 0.5], [1.0, 0.0], [1.0, 1.0 + 1e-9]])
    assert list(joined.contains(seam)) == [True, True, False]
    assert joined.signed_distance(seam)[0] < 0
    around = Rectangle((-1, -1), (3, 2)) - joined
    assert not around.contains(seam[:1])[0] and around.measure == pytest.approx(10, rel=1e-14)
    assert around.contains(around.sample(900, sampler=Grid())).all()
    assert not joined.boundary.all.contains(seam[:1])[0]

    stacked = Rectangle((0, 0), (2, 1)) | Rectangle((1, 0), (3, 1))
    assert stacked.measure == 3 and stacked.boundary.measure == 8
    assert stacked.boundary["y_min"].measure == 2 and stacked.boundary["y_min_2"].measure == 1

    flush = Rectangle((0, 0), (2, 2)) - Rectangle((0, 0), (1, 2))
    assert flush.measure == 2 and flush.boundary.measure == 6 and "x_min" not in flush.boundary
    assert not flush.contains([[0.0, 1.0], [0.5, 0.0]]).any() and flush.contains([[1.0, 1.0]])[0]

    half = Disk((0, 0), 1) & Rectangle((0, -1), (1, 1))
    whole = half | (Disk((0, 0), 1) & Rectangle((-1, -1), (0, 1)))
    assert whole.measure == pytest.approx(math.pi, rel=1e-14)
    assert whole.boundary.measure == pytest.approx(2 * math.pi, rel=1e-9)
    same = Disk((0, 0), 1) | Disk((0, 0), 1, name="again")
    assert list(same.boundary) == ["circle"] and same.measure == pytest.approx(math.pi, rel=1e-14)
    plug = (Rectangle((-2, -2), (2, 2)) - Disk((0, 0), 1)) | Disk((0, 0), 1)
    assert plug.measure == pytest.approx(16) and plug.boundary.measure == pytest.approx(16)
    assert plug.contains(Disk((0, 0), 1).boundary.all.sample(100)[0], 1e-12).all()


def test_tangent_shapes():
    inside = Disk((0, 0), 1) - Disk((0.5, 0), 0.5)
    assert inside.measure == pytest.approx(0.75 * math.pi, rel=1e-9)
    assert inside.boundary.measure == pytest.approx(3 * math.pi, rel=1e-7)
    beside = Disk((0, 0), 1) | Disk((2, 0), 1)
    assert beside.measure == pytest.approx(2 * math.pi, rel=1e-9)
    on_line = Rectangle((-2, -1), (2, 2)) - Disk((0, 0), 1)
    assert on_line.measure == pytest.approx(12 - math.pi, rel=1e-9)


def test_far_from_the_origin():
    shift = 1e6
    moon = Disk((shift, shift), 1) - Disk((shift + 1, shift), 1)
    lens = 2 * math.acos(0.5) - 0.5 * math.sqrt(3)
    assert moon.measure == pytest.approx(math.pi - lens, rel=1e-8)


def test_empty_results_are_refused():
    for make in (
        lambda: Disk((0, 0), 1) & Disk((5, 0), 1),
        lambda: Disk((0, 0), 1) & Disk((1.9, 1.9), 1),
        lambda: Disk((0, 0), 1) - Rectangle((-2, -2), (2, 2)),
        lambda: Interval(0, 1) & Interval(2, 3),
        lambda: Interval(0, 1) - Interval(0, 1),
        lambda: Rectangle((0, 0), (1, 1)) & Rectangle((1, 0), (2, 1)),
        lambda: Ball((0, 0, 0), 1) & Ball((9, 0, 0), 1),
    ):
        with pytest.raises(ValueError, match="empty"):
            make()


def test_operands_must_match():
    with pytest.raises(ValueError, match=r"same coordinates.*Apply the operation in space first"):
        Box(x=(0, 1), y=(0, 1), t=(0, 1)) - Disk((0, 0), 1)
    with pytest.raises(ValueError, match="same order with names="):
        Disk((0, 0), 1) | Disk((0, 0), 1, names=("y", "x"))
    with pytest.raises(ValueError, match=r"\(a - b\) \* Time\(0, 1\)"):
        Box(x=(0, 1), t=(0, 1)) - Box(x=(0, 0.5), t=(0, 1))
    with pytest.raises(TypeError):
        Disk((0, 0), 1) | 3  # pyright: ignore[reportOperatorIssue]


def test_parts_combine():
    channel = Rectangle((0, 0), (3, 1)) - Disk((1, 0.5), 0.2, name="hole")
    walls = channel.boundary["y_min"] | channel.boundary["y_max"]
    assert walls.measure == 6 and walls.name == "y_min|y_max" and walls.labels == ("y_min", "y_max")
    assert walls | walls == walls and walls | channel.boundary["y_min"] == walls
    points, normals = walls.sample(100)
    assert set(points[:, 1]) == {0.0, 1.0} and (normals[:, 1] == 2 * points[:, 1] - 1).all()
    assert walls.contains([[1, 0], [0, 0.5]]).tolist() == [True, False]
    with pytest.raises(ValueError, match="one geometry"):
        walls | Box(x=(0, 1)).boundary["x_min"]
    picked = channel.boundary.select(("x_min", channel.boundary["hole"]))
    assert picked.labels == ("x_min", "hole") and channel.boundary.select(None).labels == tuple(channel.boundary)
    with pytest.raises(TypeError, match="by its name"):
        channel.boundary.select(3)


def test_part_under_a_condition():
    circle = Disk((0, 0), 1).boundary["circle"]
    upper = circle.where(lambda p: p[:, 1] > 0, name="upper")
    assert upper.measure == pytest.approx(math.pi, rel=1e-3) and upper.name == "upper"
    points, _ = upper.sample(100)
    assert (points[:, 1] > 0).all() and upper.contains([[0, 1], [0, -1]]).tolist() == [True, False]
    with pytest.raises(ValueError, match="nowhere"):
        circle.where(lambda p: p[:, 1] > 2)
    with pytest.raises(ValueError, match="one bool per point"):
        circle.where(lambda p: p)


def test_a_name_that_is_given_twice_is_one_part():
    plate = Rectangle((0, 0), (9, 9))
    two = plate - Disk((2, 2), 1, name="hole") - Disk((6, 6), 0.5, name="hole")
    assert list(two.boundary) == ["x_min", "x_max", "y_min", "y_max", "hole"]
    assert two.boundary["hole"].measure == pytest.approx(2 * np.pi * 1.5)
    assert from_json(two.to_json()).boundary["hole"].measure == two.boundary["hole"].measure
    unnamed = plate - Disk((2, 2), 1) - Disk((6, 6), 0.5)
    assert list(unnamed.boundary)[4:] == ["circle", "circle_2"]


def test_a_shape_stands_for_its_parts():
    discs = [Disk((k, 1), 0.2, name=f"disc{k}") for k in range(1, 4)]
    assert (discs[0] | discs[1]).own_parts("on") == ("disc1", "disc2")
    slot = Rectangle((0, 0), (1, 1), name="slot")
    assert slot.own_parts("on") == ("slot_x_min", "slot_x_max", "slot_y_min", "slot_y_max")
    with pytest.raises(ValueError, match=r"circle is given to every such shape.*Disk\(..., name='hole'\)"):
        (discs[0] | Disk((7, 7), 1)).own_parts("on")


def test_many_holes_are_not_all_shown():
    plate = Rectangle((0, 0), (20, 2))
    for k in range(17):
        plate = plate - Disk((k + 1, 1), 0.2)
    assert repr(plate) == "Box(x=(0, 20), y=(0, 2)) - Disk((1, 1), 0.2) - ... - Disk((17, 1), 0.2) (17 of them)"
    assert repr(Disk((0, 0), 1) - Disk((0, 0), 0.5) - Disk((0, 0.6), 0.2)).count("(") == 6

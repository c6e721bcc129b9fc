"""Wrong constructor arguments are refused, and the message says what was expected and what came."""

import numpy as np
import pytest

from sciml.geometry import (
    Annulus,
    Ball,
    Boolean,
    Box,
    Disk,
    Domain,
    Interval,
    Mesh,
    PointCloud,
    Polygon,
    Rectangle,
    Surface,
    Time,
)

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
TETRAHEDRON = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
FACES = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
inf, nan = float("inf"), float("nan")

WRONG = [
    (lambda: Box(), "at least one coordinate"),
    (lambda: Box(x=(1, 1)), r"lower < upper, got \(1.0, 1.0\)"),
    (lambda: Box(x=(2, 1)), "x of Box must have lower < upper"),
    (lambda: Box(x=(0, inf)), "upper end of x of Box must be finite"),
    (lambda: Box(x=(nan, 1)), "lower end of x of Box must be finite"),
    (lambda: Box(x=3), "must be a pair"),
    (lambda: Box(x=(1, 2, 3)), "must be a pair"),
    (lambda: Box(x="01"), "must be a pair"),
    (lambda: Box(x=(0, "a")), "must be a real number, got 'a'"),
    (lambda: Box(x=(0, True)), "must be a real number, got True"),
    (lambda: Box({"a b": (0, 1)}), "valid Python identifier"),
    (lambda: Box({"lambda": (0, 1)}), "valid Python identifier"),
    (lambda: Box({3: (0, 1)}), "must be a string"),  # pyright: ignore[reportArgumentType]
    (lambda: Box({"x": (0, 1)}, x=(0, 1)), "x twice"),
    (lambda: Box((0, 1)), "by name"),  # pyright: ignore[reportArgumentType]
    (lambda: Box(x=(0, 1), name="1a"), "name= of Box"),
    (lambda: Interval(1, 0), "lower < upper"),
    (lambda: Interval(0, 1, names=("x", "y")), "1 coordinates"),
    (lambda: Rectangle((0, 0), (1, 0)), "y of Box must have lower < upper"),
    (lambda: Rectangle((0, 0, 0), (1, 1)), "must have 2 coordinates, got 3"),
    (lambda: Rectangle((0, 0), (1, 1), names=("x", "x")), "every name may stand once"),
    (lambda: Disk((0, 0), 0), "radius of Disk must be positive"),
    (lambda: Disk((0, 0), -1), "radius of Disk must be positive"),
    (lambda: Disk((0, nan), 1), "coordinate 1 of the center of Disk must be finite"),
    (lambda: Disk(0, 1), "must have 2 coordinates, got 1"),
    (lambda: Annulus((0, 0), 2, 1), "inner < outer"),
    (lambda: Annulus((0, 0), 0, 1), "inner radius of Annulus must be positive"),
    (lambda: Ball((0, 0), 1), "in two dimensions use Disk"),
    (lambda: Ball((0, 0, 0, 0), 1), "needs names="),
    (lambda: Ball((0, 0, 0), 1, names=("x", "y")), "3 coordinates"),
    (lambda: Polygon([(0, 0), (1, 1)]), "three or more"),
    (lambda: Polygon([(0, 0), (1, 0), (1, 0), (0, 1)]), "vertices 1 and 2 of Polygon are the same"),
    (lambda: Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "must not cross.*Self-intersection"),
    (lambda: Polygon(SQUARE, holes=[[(2, 2), (3, 2), (3, 3)]]), "holes must lie inside"),
    (lambda: Polygon([(0, 0), (1, 0), (inf, 1)]), "coordinate 0 of vertex 2 of Polygon must be finite"),
    (lambda: Polygon.from_shapely("POLYGON"), "expected one shapely Polygon"),  # pyright: ignore[reportArgumentType]
    (lambda: Time(1, 0), "Time must have lower < upper"),
    (lambda: Time(0, 1, name="a-b"), "name of Time"),
    (lambda: Domain(), "space, a time or parameters"),
    (lambda: Domain("box"), "must be a geometry"),  # pyright: ignore[reportArgumentType]
    (lambda: Domain(Disk((0, 0), 1), (0, 1)), "must be a Time"),  # pyright: ignore[reportArgumentType]
    (lambda: Domain(Disk((0, 0), 1), None, {"x": (0, 1)}), "every name may stand once"),
    (lambda: Domain(Disk((0, 0), 1), None, {"nu": (1, 0)}), "parameter nu must have lower < upper"),
    (lambda: Disk((0, 0), 1) * Time(0, 1, name="x"), "every name may stand once"),
    (lambda: Boolean("xor", Disk((0, 0), 1), Disk((0, 0), 1)), "one of union, intersection, difference"),
    (lambda: Mesh(SQUARE, [(0, 1)]), r"triangles of Mesh must have the shape \(n, 3\)"),
    (lambda: Mesh(SQUARE, [(0, 1, 7)]), "index the 4 vertices"),
    (lambda: Mesh(SQUARE, [(0, 1, 2.5)]), "must hold integers"),
    (lambda: Mesh(SQUARE, [(0, 1, 1)]), "has no area"),
    (lambda: Mesh(SQUARE, [(0, 1, 2), (0, 1, 3)]), "overlap at the edge"),
    (lambda: Mesh(SQUARE, [(0, 1, 2), (0, 2, 3)], parts={"a": [(0, 2)]}), "not on the outline"),
    (lambda: Mesh(SQUARE, [(0, 1, 2), (0, 2, 3)], parts={"a": [(0, 1)], "b": [(1, 0)]}), "stands twice"),
    (lambda: Mesh(SQUARE, [(0, 1, 2), (0, 2, 3)], parts={"a b": [(0, 1)]}), "valid Python identifier"),
    (lambda: Surface(TETRAHEDRON, FACES[:3]), "not closed"),
    (lambda: Surface(TETRAHEDRON, [*FACES[:3], (1, 3, 2)]), "opposite senses"),
    (lambda: Surface(TETRAHEDRON, FACES, parts={"a": [0, 9]}), "does not exist"),
    (lambda: Surface(TETRAHEDRON, [(0, 1, 2), (0, 2, 1)]), "no volume"),
    (lambda: PointCloud(np.zeros((0, 2))), "n > 0"),
    (lambda: PointCloud([[0.0, nan], [1.0, 1.0]]), "row 0 is not"),
    (lambda: PointCloud(np.eye(4)), "needs names="),
    (lambda: PointCloud([[0, 0], [1, 1]], measure=-1), "must be positive"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[f"{i}" for i in range(len(WRONG))])
def test_wrong_arguments(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_accepted_forms():
    assert Box({"x": (0, 1)}, y=(0, 2)) == Box(x=(0, 1), y=(0, 2))
    assert Interval(np.float32(0), np.int64(2)) == Interval(0, 2)  # pyright: ignore[reportArgumentType]
    assert Disk(np.zeros(2), 1) == Disk((0, 0), 1.0)
    assert Polygon([*SQUARE, SQUARE[0]]) == Polygon(np.array(SQUARE))
    assert Disk((0, 0), 1, names=("r", "s")).names == ("r", "s")

"""Meshes: files, inside tests against closed forms, named parts, plots."""

import math

import numpy as np
import pytest

from sciml.geometry import (
    Annulus,
    Ball,
    Box,
    Disk,
    Interval,
    Mesh,
    PointCloud,
    Polygon,
    Rectangle,
    Surface,
    Time,
)


def cube(cells, size=1.0):
    """The surface of a cube, each side `cells` x `cells` squares of two triangles."""
    index, vertices, faces = {}, [], []

    def vertex(p):
        return index.setdefault(tuple(p), len(index)) if tuple(p) in index else _new(p)

    def _new(p):
        index[tuple(p)] = len(vertices)
        vertices.append(p)
        return index[tuple(p)]

    for axis in range(3):
        for side in (0, cells):
            for i in range(cells):
                for j in range(cells):
                    corners = []
                    for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                        p = [0, 0, 0]
                        p[axis], p[(axis + 1) % 3], p[(axis + 2) % 3] = side, i + a, j + b
                        corners.append(vertex(p))
                    a, b, c, d = corners if side else corners[::-1]
                    faces += [(a, b, c), (a, c, d)]
    return Surface(np.array(vertices) * size / cells, faces)


def sphere(n=24):
    """A triangulated unit sphere from latitudes and longitudes."""
    rings = [
        [(math.sin(a) * math.cos(b), math.sin(a) * math.sin(b), math.cos(a)) for b in np.arange(n) * 2 * math.pi / n]
        for a in np.arange(1, n) * math.pi / n
    ]
    vertices = [(0, 0, 1), *[p for ring in rings for p in ring], (0, 0, -1)]
    at = lambda i, j: 1 + i * n + j % n  # noqa: E731
    faces = [(0, at(0, j), at(0, j + 1)) for j in range(n)]
    for i in range(n - 2):
        for j in range(n):
            faces += [(at(i, j), at(i + 1, j), at(i + 1, j + 1)), (at(i, j), at(i + 1, j + 1), at(i, j + 1))]
    faces += [(len(vertices) - 1, at(n - 2, j + 1), at(n - 2, j)) for j in range(n)]
    return Surface(vertices, faces)


def test_cube_surface_is_a_box():
    surface, box = cube(5), Box(x=(0, 1), y=(0, 1), z=(0, 1))
    assert surface.measure == pytest.approx(1, rel=1e-14)
    assert surface.boundary["surface"].measure == pytest.approx(6, rel=1e-14)
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 1.5, (5000, 3))
    np.testing.assert_array_equal(surface.contains(points), box.contains(points))
    np.testing.assert_allclose(surface.signed_distance(points), box.signed_distance(points), atol=1e-14)


def test_rays_through_edges_and_vertices_are_counted_once():
    """Points straight below the vertices, edges and diagonals of the triangulation."""
    surface = cube(4)
    line = np.linspace(-0.5, 1.5, 17)
    x, y, z = (a.ravel() for a in np.meshgrid(line, line, [-0.3, 0.3, 0.9, 1.2], indexing="ij"))
    points = np.stack([x, y, z], axis=1)
    on_wall = np.isin(x, (0, 1)) | np.isin(y, (0, 1))
    expected = np.all((points > 0) & (points < 1), axis=1)
    np.testing.assert_array_equal(surface.contains(points)[~on_wall], expected[~on_wall])


def test_inward_faces_are_turned():
    outward = sphere(8)
    inward = Surface(outward.vertices, outward.faces[:, ::-1])
    assert inward.measure == outward.measure > 0


def test_sphere_surface():
    surface, ball = sphere(12), Ball((0, 0, 0), 1)
    assert surface.measure == pytest.approx(ball.measure, rel=0.08) and surface.measure < ball.measure
    points = surface.sample(2000)
    assert surface.contains(points).all() and ball.contains(points).all()
    where, normals = surface.boundary.all.sample(2000)
    assert np.einsum("ij,ij->i", where, normals).min() > 0.9
    assert (np.abs(surface.signed_distance(where)) < 1e-13).all()
    half = surface - Box(x=(-2, 0), y=(-2, 2), z=(-2, 2))
    assert half.measure == pytest.approx(surface.measure / 2, rel=1e-3)
    assert list(half.boundary) == ["surface", "x_max"]
    assert half.boundary["x_max"].measure == pytest.approx(math.pi, rel=0.08)


def test_named_faces():
    surface = Surface(
        [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
        [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)],
        parts={"floor": [0], "slope": [3]},
        name="tent",
    )
    assert list(surface.boundary) == ["tent_floor", "tent_slope", "tent_surface"]
    _, normals = surface.boundary["tent_slope"].sample(5)
    np.testing.assert_allclose(normals, 1 / math.sqrt(3))


def test_surface_files(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    path = tmp_path / "sphere.stl"
    mesh = trimesh.creation.icosphere(2)
    mesh.export(path)
    surface = Surface.load(path, name="ball")
    assert len(surface.faces) == len(mesh.faces) and list(surface.boundary) == ["ball"]
    assert surface.measure == pytest.approx(mesh.volume, rel=1e-5)
    assert surface.boundary.measure == pytest.approx(mesh.area, rel=1e-5)
    with pytest.raises(FileNotFoundError, match="no mesh file"):
        Surface.load(tmp_path / "none.stl")


def test_plane_mesh_files(tmp_path):
    meshio = pytest.importorskip("meshio")
    points = np.array([(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0), (1, 1, 0), (2, 1, 0)], float)
    cells = [("triangle", [(0, 1, 4), (0, 4, 3)]), ("quad", [(1, 2, 5, 4)]), ("line", [(3, 0), (2, 5)])]
    tags = [np.array([3, 3]), np.array([3]), np.array([1, 2])]
    mesh = meshio.Mesh(
        points,
        cells,
        cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
        field_data={"inlet": np.array([1, 1]), "out-let": np.array([2, 1]), "fluid": np.array([3, 2])},
    )
    path = tmp_path / "channel.msh"
    meshio.write(path, mesh, file_format="gmsh22", binary=False)
    shape = Mesh.load(path)
    assert shape.measure == 2 and len(shape.triangles) == 4
    assert {n: p.measure for n, p in shape.boundary.items()} == {"inlet": 1, "out_let": 1, "boundary": 4}
    where, normals = shape.boundary["inlet"].sample(4)
    assert (where[:, 0] == 0).all() and (normals == [-1, 0]).all()
    bent = meshio.Mesh(points + [[0, 0, i] for i in range(6)], [cells[0]])
    meshio.write(tmp_path / "bent.vtk", bent)
    with pytest.raises(ValueError, match="not plane"):
        Mesh.load(tmp_path / "bent.vtk")
    meshio.write(tmp_path / "line.vtk", meshio.Mesh(points, [cells[2]]))
    with pytest.raises(ValueError, match=r"no triangles.*line"):
        Mesh.load(tmp_path / "line.vtk")


def test_missing_package_is_named(tmp_path, monkeypatch):
    import importlib

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    (tmp_path / "a.stl").write_text("")
    with pytest.raises(ImportError, match=r'trimesh; install it with: python -m pip install "sciml\[mesh\]"'):
        Surface.load(tmp_path / "a.stl")


def test_shapely_round_trip():
    import shapely

    shape = shapely.Point(0, 0).buffer(1).difference(shapely.Point(0, 0).buffer(0.5))
    assert isinstance(shape, shapely.Polygon)
    polygon = Polygon.from_shapely(shape)
    assert polygon.measure == pytest.approx(shape.area, rel=1e-13) and polygon.to_shapely().equals(shape)
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    np.testing.assert_array_equal(polygon.contains(points), shapely.contains_xy(shape, points))
    assert "64 vertices, 1 hole" in repr(polygon)


PLOTS = [
    Interval(0, 3) - Interval(1, 2),
    Rectangle((0, 0), (2, 1)) - Disk((1, 0.5), 0.2, name="hole"),
    Annulus((0, 0), 1, 2) | Polygon([(0, 0), (3, 0), (0, 3)]),
    Box(x=(0, 1), t=(0, 1)),
    Ball((0, 0, 0), 1) - Box(x=(0, 2), y=(0, 2), z=(0, 2)),
    PointCloud(np.random.default_rng(0).uniform(0, 1, (50, 2))),
    PointCloud(np.random.default_rng(0).uniform(0, 1, (50, 3))),
    Disk((0, 0), 1) * Time(0, 1),
]


@pytest.mark.parametrize("shape", PLOTS, ids=range(len(PLOTS)))
def test_plots(shape):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    axes = shape.plot(normals=True)
    labels = axes.get_legend_handles_labels()[1]
    assert labels == list(shape.boundary) and axes.get_xlabel() == "x"
    axes.figure.canvas.draw()
    plt.close(axes.figure)


def test_plot_refuses_many_dimensions():
    with pytest.raises(ValueError, match="only 1, 2 or 3"):
        Box({f"x{i}": (0, 1) for i in range(4)}).plot()

"""Where a problem is posed: shapes, their boolean operations, time, boundaries with names, and sampling."""

from . import _plot as _plot
from ._base import AbstractGeometry
from ._boolean import Boolean, shape_name
from ._boundary import Boundary, BoundaryPart
from ._box import Box, Interval, Rectangle
from ._cloud import PointCloud
from ._domain import Domain, Time
from ._json import from_json
from ._mesh import Mesh, Surface
from ._polygon import Polygon
from ._product import Product
from ._round import Annulus, Ball, Disk
from ._samplers import AbstractSampler, Grid, Halton, Sobol, Uniform

__all__ = [
    "AbstractGeometry",
    "AbstractSampler",
    "Annulus",
    "Ball",
    "Boolean",
    "shape_name",
    "Boundary",
    "BoundaryPart",
    "Box",
    "Disk",
    "Domain",
    "Grid",
    "Halton",
    "Interval",
    "Mesh",
    "PointCloud",
    "Polygon",
    "Product",
    "Rectangle",
    "Sobol",
    "Surface",
    "Time",
    "Uniform",
    "from_json",
]

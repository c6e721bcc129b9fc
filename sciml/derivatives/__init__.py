"""From the derivatives an equation asks for to the cheapest way to evaluate them."""

from ._check import check as check
from ._nested import reference as reference
from ._plan import Auto as Auto
from ._plan import NestedForward as NestedForward
from ._plan import Plan as Plan
from ._plan import Reference as Reference
from ._plan import Taylor as Taylor
from ._plan import plan as plan
from ._requests import Combination as Combination
from ._requests import Laplacian as Laplacian
from ._requests import MultiIndex as MultiIndex
from ._requests import Request as Request
from ._requests import terms_of as terms_of

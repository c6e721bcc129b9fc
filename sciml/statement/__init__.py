"""Is a problem well stated, and what does it say? Read by `pinn` and by `solvers` alike, before anything is compiled.

- What is given: conditions in whatever words (`_walls`, `_outlets`, `_places`), a flow (`_flow`).
- What is wrong, missing or too much: places and values (`_validate`), numbers of conditions (`_counting`, by `_symbol`), what
  is not finite (`_finite`), too large (`_sizes`), or jumps (`_jumps`, `_interfaces`).
- What it leaves open: `_balance`, `_floating`, `_undetermined`.
"""

from ._counting import check_counts as check_counts
from ._finite import check_expressions as check_expressions
from ._floating import Floating as Floating
from ._floating import Pin as Pin
from ._floating import floating as floating
from ._flow import Flow as Flow
from ._flow import read_flow as read_flow
from ._interfaces import doubtful_interfaces as doubtful_interfaces
from ._interfaces import refuse_interfaces as refuse_interfaces
from ._jumps import breaks_along as breaks_along
from ._jumps import find_jump as find_jump
from ._jumps import flux_jumps as flux_jumps
from ._jumps import source_jumps as source_jumps
from ._jumps import undifferentiated as undifferentiated
from ._outlets import as_neumann as as_neumann
from ._outlets import with_outlets as with_outlets
from ._places import covered as covered
from ._places import part_of as part_of
from ._sizes import check_size as check_size
from ._sizes import check_sizes as check_sizes
from ._undetermined import check_unknowns as check_unknowns
from ._undetermined import is_homogeneous as is_homogeneous
from ._undetermined import said_before as said_before
from ._validate import at_start as at_start
from ._validate import check_places as check_places
from ._validate import placed as placed
from ._validate import resolve_domain as resolve_domain
from ._validate import validate as validate
from ._walls import FREE as FREE
from ._walls import Wall as Wall
from ._walls import at_face as at_face
from ._walls import facing as facing
from ._walls import read_wall as read_wall
from ._walls import with_values as with_values

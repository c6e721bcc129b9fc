"""DeePMD-kit's model zbl: a Deep Potential and a table of pairs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ...._precision import float64
from ...atoms._potential import kinds_of
from ...potentials._tabulated import Tabulated
from .._descriptor import warn_of_leaps
from ._kinds import model_type
from ._load import finish_model, in_file, read_bias, read_model, refuse_exclusions
from ._node import Node
from ._save import file_tree, standard_tree, unbiased

if TYPE_CHECKING:
    from .._joined import JoinedPotential
    from .._potential import DeepPotential

SPACING = 1e-3  # of the table that is written [angstrom]


def load_joined(kind: type[JoinedPotential], far: type[DeepPotential], path: Any) -> JoinedPotential:
    """As `JoinedPotential.load`."""
    found = in_file(path, partial(_read, kind, far))
    warn_of_leaps(found.far.descriptor, str(path), 4)
    return found


def _read(kind: type[JoinedPotential], deep: type[DeepPotential], model: Node, nearest: float | None) -> JoinedPotential:
    if model_type(model) == "standard":
        raise NotImplementedError(
            f"{model.file}: the model type is 'standard', without a pair potential: md.DeepPotential.load reads it."
        )
    names, parts = model.names("type_map"), model.all_nodes("models")
    if [part.word("type") for part in parts] != ["standard", "pairtab"]:
        raise model.wrong("models", "a model of the type 'standard' and one of the type 'pairtab'")
    for part in parts:
        if part.names("type_map") != names:
            raise part.wrong("type_map", f"that of the model, {list(names)}")
    refuse_exclusions(model)
    # DeePMD-kit leaves out_bias of the parts alone.
    far, (near, reach, sel) = read_model(deep, parts[0], nearest, biased=False), _read_table(parts[1], names)
    start, end, width = (model.number(key) for key in ("sw_rmin", "sw_rmax", "smin_alpha"))
    if not 0 <= start < end:
        raise model.wrong("sw_rmin", f"a distance from 0 to below sw_rmax, {end:g} angstrom")
    if width <= 0:
        raise model.wrong("smin_alpha", "a positive width")
    found = kind(  # pyright: ignore[reportCallIssue]
        far=far, near=near, bias=read_bias(model, len(names)), start=start, end=end, width=width,
        # DeePMD-kit counts the neighbours in the list that has more places.
        reach=reach if sel >= places(far) else None,
    )  # fmt: skip
    model.idle("weights")
    finish_model(model)
    return found


def _read_table(part: Node, names: tuple[str, ...]) -> tuple[Tabulated, float, int]:
    """The table, the cutoff of its list of neighbours, and how many places that has."""
    refuse_exclusions(part)
    reach, sel, table, types = part.number("rcut"), sum(part.whole_numbers("sel")), part.node("tab"), len(names)
    variables = table.node("@variables")
    low, h, count = (float(x) for x in variables.array("tab_info", (4,))[:3])
    c = np.asarray(variables.array("tab_data", (types**2 * int(count) * 4,), flat=True), float).reshape(types, types, -1, 4)
    variables.finish("vdata")
    table.finish("rmin", "rmax", "hh", "nspline", "rcut", version=1)
    finish_model(part)
    r = low + h * np.arange(int(count) + 1)
    last = c[:, :, -1:]
    energy = np.concatenate([c[..., 3], last.sum(axis=-1)], axis=-1)
    slopes = np.concatenate([c[..., 2], last @ np.array([3.0, 2.0, 1.0, 0.0])], axis=-1) / h
    kept = r <= reach + 1e-9
    if np.sum(kept) < 2:
        raise part.wrong("rcut", f"a distance that the table reaches, which begins at {low:g} angstrom")
    if not np.all(kept) and abs(r[kept][-1] - reach) > 1e-9 and np.any(energy[..., np.sum(kept) - 1 :]):
        raise NotImplementedError(f"{part.file}: the table is cut off at {reach} angstrom, between its points.")
    try:
        return Tabulated(r[kept], energy[..., kept], slopes=slopes[..., kept], names=names), reach, sel
    except ValueError as error:
        raise ValueError(f"{part.file}: {table.where}: {error}") from None


def joined_tree(model: JoinedPotential) -> dict[str, Any]:
    """The tree of a `.dp` file."""
    names = list(model.names)
    own = unbiased(names)
    own["@variables"]["out_bias"] = np.asarray(model.bias, float).reshape(1, len(names), 1)
    reach = float(model.cutoff if model.reach is None else model.reach)
    if reach < model.near.cutoff or not model.far.descriptor.mixed:
        raise NotImplementedError(
            "DeePMD-kit joins a pair potential to a descriptor that is one for all types, such as md.SeAtten, and counts "
            f"neighbours as far as the pair potential reaches; this is {model!r}."
        )
    low, h, pieces = _pieces(model)
    points, types = pieces.shape[2], len(names)
    high = low + h * points
    values = np.concatenate([pieces[..., 3], pieces[:, :, -1:].sum(axis=-1)], axis=-1)
    columns = [low + h * np.arange(points + 1), *(values[a, b] for a in range(types) for b in range(a, types))]
    table = {
        "@class": "PairTab", "@version": 1, "rmin": low, "rmax": high, "hh": h, "ntypes": types, "rcut": reach,
        "nspline": points,
        "@variables": {
            "vdata": np.stack(columns, axis=1), "tab_info": np.array([low, h, points, types]), "tab_data": pieces.ravel(),
        },
    }  # fmt: skip
    pair = {"@class": "Model", "type": "pairtab", "@version": 2, "tab": table, "rcut": reach, "sel": places(model.far),
            **unbiased(names)}  # fmt: skip
    return file_tree({
        "@class": "Model", "type": "zbl", "@version": 2, "models": [standard_tree(model.far), pair], "weights": "mean",
        "sw_rmin": model.start, "sw_rmax": model.end, "smin_alpha": model.width, **own,
    }, model.far.nearest)  # fmt: skip


def places(far: DeepPotential) -> int:
    """Of DeePMD-kit's list of neighbours for a model that is one for all types."""
    return max(sum(limit.places for limit in d.limits) for d in getattr(far.descriptor, "descriptors", [far.descriptor]))


def _pieces(model: JoinedPotential) -> tuple[float, float, np.ndarray]:
    """The first distance, the spacing, and coefficients `(types, types, pieces, 4)` of powers of the share of the spacing."""
    near, kinds = model.near, kinds_of(model.near, model.names)
    if isinstance(near, Tabulated) and near.even and np.shape(near.pieces)[-1] == 4:
        h = (near.cutoff - near.closest) / (len(near.knots) - 1)
        c = np.asarray(near.pieces) * h ** np.arange(3.0, -1.0, -1.0)
        return near.closest, h, c[np.ix_(kinds, kinds)] if c.ndim == 4 else np.broadcast_to(c, (len(kinds),) * 2 + c.shape)
    count = round(near.cutoff / SPACING) - 1
    h = near.cutoff / (count + 1)
    with float64():
        r = jnp.asarray(h * np.arange(1, count + 2))
        a, b = (jnp.asarray(k)[..., None] for k in np.meshgrid(kinds, kinds, indexing="ij"))
        E, slope = jax.jvp(lambda r: jnp.broadcast_to(near.pair_energies(r**2, a, b), (*a.shape[:2], len(r))), (r,),
                           (jnp.ones_like(r),))  # fmt: skip
        E, slope = np.asarray(E), np.asarray(slope) * h
    rise, left, right = np.diff(E), slope[..., :-1], slope[..., 1:]
    return h, h, np.stack([left + right - 2 * rise, 3 * rise - 2 * left - right, left, E[..., :-1]], axis=-1)

"""A trained network as the final of a `Solution`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from .._precision import float64, to_numpy
from ..derivatives import plan
from ..nn import restore
from ..pde import PDE
from ..solution import AbstractFinal, Index, Solution
from ._constants import settled
from ._problem import Problem

# The reason that `_exact.decide` gives for every condition when told exact=False.
NOT_ASKED = "exact=False was asked for"


class NetworkFinal(AbstractFinal):
    """`problem.trial` with trained parameters, kept as NumPy float64: nothing of it depends on JAX's settings."""

    kind = "network"

    def __init__(self, problem: Problem, params: Any):
        self.problem, self.params = problem, to_numpy(params)

    def derivatives(self, index: Index, x: Any) -> Any:
        x = jnp.asarray(x)
        cast = lambda a: jnp.asarray(a, x.dtype)  # noqa: E731
        params = jax.tree.map(cast, self.params["network"])
        trial = self.problem.trial
        # NumPy float64 constants would lift a float32 argument.
        trial = replace(trial, lower=cast(trial.lower), upper=cast(trial.upper), scales=cast(trial.scales))
        fields = lambda x: trial(params, x).astype(x.dtype)  # noqa: E731
        if not any(index):
            return jax.vmap(fields)(x)
        one = plan([index], x.shape[1])
        return jax.vmap(lambda x: one(fields, x)[index])(x)

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        adapted = self.problem.network
        with float64():
            arrays = adapted.to_arrays(self.params["network"])
        unknowns = {f"unknowns/{k}": np.asarray(v) for k, v in self.params["unknowns"].items()}
        header = {
            "network": adapted.to_json(),
            "weights": self.problem.weights,
            "exact": NOT_ASKED not in self.problem.exactness.penalised.values(),
            "angles": self.problem.trial.angles,
            "scales": self.problem.trial.scales.tolist(),
        }
        return header, {**arrays, **unknowns}

    @classmethod
    def from_saved(
        cls, pde: PDE, domain: Any, header: dict[str, Any], arrays: dict[str, np.ndarray], *, network: Any = None, **given: Any
    ) -> NetworkFinal:
        from ._problem import compile

        with float64():
            adapted = restore(
                header["network"],
                {k: v for k, v in arrays.items() if not k.startswith("unknowns/")},
                network=network,
            )
            with warnings.catch_warnings(action="ignore"):  # said when it was solved, and kept in its notes
                problem = compile(pde, domain, exact=header["exact"])
            trial = replace(problem.trial, network=adapted, angles=header["angles"], scales=np.array(header["scales"]))
            problem = replace(problem, trial=trial, weights=header["weights"])
            unknowns = {k.split("/", 1)[1]: v for k, v in arrays.items() if k.startswith("unknowns/")}
            params = {"network": adapted.params, "unknowns": unknowns}
            return cls(settled(problem, params)[0], params)


class AbstractComposite(AbstractFinal):
    """Put together from whole solutions, which are saved with their own equations: a window has its own initial value."""

    def __init__(self, parts: Sequence[Solution]):
        self._parts = tuple(parts)

    @property
    def parts(self) -> tuple[Solution, ...]:
        return self._parts

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        headers, arrays = [], {}
        for i, part in enumerate(self.parts):
            header, own = part.to_saved()
            headers.append(header)
            arrays |= {f"{i}/{name}": array for name, array in own.items()}
        return {"parts": headers}, arrays

    @classmethod
    def from_saved(
        cls, pde: PDE, domain: Any, header: dict[str, Any], arrays: dict[str, np.ndarray], **given: Any
    ) -> Self:
        parts = []
        for i, saved in enumerate(header["parts"]):
            own = {k.split("/", 1)[1]: v for k, v in arrays.items() if k.startswith(f"{i}/")}
            parts.append(Solution.from_saved(saved, own, **given))
        return cls(parts)

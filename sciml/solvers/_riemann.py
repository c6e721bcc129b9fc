"""Fluxes between two states, and the reconstruction of these from cell averages.

    weno5    Jiang & Shu 1996 with the weights of Borges et al. 2008 (WENO-Z)
    Rusanov  any system of conservation laws; the speed is the spectral radius of its Jacobian
    HLLC     the Euler equations of an ideal gas (Toro, Spruce & Speares 1994; wave speeds by Einfeldt 1988)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

Flux = Callable[[Any], Any]  # (m, ...) -> (m, ...), along one axis


def weno5(p: Any) -> tuple[Any, Any]:
    """The states left and right of the faces between the cells `p` `(..., n + 6)`, three ghosts at each end: `(..., n + 1)`."""
    n = p.shape[-1] - 5
    part = lambda k: p[..., k : k + n]  # noqa: E731
    return _upwind(*(part(k) for k in range(5))), _upwind(*(part(k) for k in range(5, 0, -1)))


def _upwind(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The value at the face between c and d, from the side of c."""
    candidates = (2 * a - 7 * b + 11 * c) / 6, (-b + 5 * c + 2 * d) / 6, (2 * c + 5 * d - e) / 6
    smooth = (
        13 / 12 * (a - 2 * b + c) ** 2 + (a - 4 * b + 3 * c) ** 2 / 4,
        13 / 12 * (b - 2 * c + d) ** 2 + (b - d) ** 2 / 4,
        13 / 12 * (c - 2 * d + e) ** 2 + (3 * c - 4 * d + e) ** 2 / 4,
    )
    # Relative to the data, so that units do not matter.
    tiny = 1e-12 * (a**2 + b**2 + c**2 + d**2 + e**2) + 1e-300
    apart = jnp.abs(smooth[0] - smooth[2])
    raw = [w * (1 + (apart / (s + tiny)) ** 2) for w, s in zip((0.1, 0.6, 0.3), smooth, strict=True)]
    return sum(r * q for r, q in zip(raw, candidates, strict=True)) / sum(raw)


def spectral_radius(flux: Flux, U: Any) -> Any:
    """The largest |eigenvalue| of the Jacobian at states `(m, ...)`; for systems a bound at most m^(1/16) too large."""
    m = U.shape[0]
    A = jnp.stack([jax.jvp(flux, (U,), (jnp.zeros_like(U).at[i].set(1.0),))[1] for i in range(m)], axis=1)
    if m == 1:
        return jnp.abs(A[0, 0])
    A = jnp.moveaxis(A, (0, 1), (-2, -1))
    # |A^16|^(1/16) by repeated squaring, scaled so that nothing overflows.
    log = jnp.zeros(A.shape[:-2])
    for k in range(5):
        size = jnp.sqrt(jnp.sum(A**2, axis=(-2, -1))) + 1e-300
        log = log + jnp.log(size) / 2**k
        A = A / size[..., None, None]
        A = A @ A
    return jnp.exp(log)


class Rusanov(eqx.Module):
    """(f(L) + f(R)) / 2 - s (R - L) / 2, s the larger of the fastest signals on both sides. States are reconstructed as they
    are."""

    def states(self, p: Any) -> tuple[Any, Any]:
        return weno5(p)

    def speed(self, flux: Flux, U: Any) -> Any:
        return spectral_radius(flux, U)

    def __call__(self, flux: Flux, left: Any, right: Any) -> Any:
        s = jnp.maximum(self.speed(flux, left), self.speed(flux, right))
        return (flux(left) + flux(right)) / 2 - s * (right - left) / 2


class HLLC(eqx.Module):
    """For (rho, momenta, E) of an ideal gas; `normal`: which momentum lies along the axis. The waves of the equations
    linearised at each face are reconstructed: fields one by one ring behind slow shocks."""

    gamma: Any
    normal: int = eqx.field(static=True)

    def primitive(self, U: Any) -> Any:
        rho, E = U[0], U[-1]
        velocity = U[1:-1] / rho
        p = (self.gamma - 1) * (E - rho * jnp.sum(velocity**2, axis=0) / 2)
        return jnp.concatenate([rho[None], velocity, p[None]])

    def conserved(self, W: Any) -> Any:
        rho, velocity, p = W[0], W[1:-1], W[-1]
        E = p / (self.gamma - 1) + rho * jnp.sum(velocity**2, axis=0) / 2
        return jnp.concatenate([rho[None], rho * velocity, E[None]])

    def states(self, p: Any) -> tuple[Any, Any]:
        """Where the reconstruction has no pressure or density, the cell's own state stands in."""
        W = self.primitive(p)
        n = p.shape[-1] - 5
        cells = [W[..., k : k + n] for k in range(6)]
        rho, pressure = ((cells[2][i] + cells[3][i]) / 2 for i in (0, -1))
        c = jnp.sqrt(self.gamma * pressure / rho)
        waves = [self._to_waves(w, rho, c) for w in cells]
        found = []
        for side, own in ((_upwind(*waves[:5]), cells[2]), (_upwind(*waves[:0:-1]), cells[3])):
            state = self._from_waves(side, rho, c)
            good = (state[0] > 0) & (state[-1] > 0)
            found.append(self.conserved(jnp.where(good, state, own)))
        return found[0], found[1]

    def _to_waves(self, W: Any, rho: Any, c: Any) -> Any:
        """Amplitudes of the two sound waves (in place of density and pressure), of the entropy wave (in place of the normal
        velocity) and of shear, of the equations linearised at (rho, c)."""
        k = 1 + self.normal
        half, sound = W[-1] / (2 * c**2), rho * W[k] / (2 * c)
        return W.at[0].set(half - sound).at[k].set(W[0] - W[-1] / c**2).at[-1].set(half + sound)

    def _from_waves(self, w: Any, rho: Any, c: Any) -> Any:
        k = 1 + self.normal
        density = w[0] + w[k] + w[-1]
        return w.at[0].set(density).at[k].set((w[-1] - w[0]) * c / rho).at[-1].set(c**2 * (w[0] + w[-1]))

    def speed(self, flux: Flux, U: Any) -> Any:
        W = self.primitive(U)
        return jnp.abs(W[1 + self.normal]) + jnp.sqrt(self.gamma * jnp.maximum(W[-1], 0) / W[0])

    def __call__(self, flux: Flux, left: Any, right: Any) -> Any:
        L, R = self.primitive(left), self.primitive(right)
        k = 1 + self.normal
        cL, cR = (jnp.sqrt(self.gamma * W[-1] / W[0]) for W in (L, R))
        a, b = jnp.sqrt(L[0]), jnp.sqrt(R[0])
        # Roe's mean velocity and speed of sound.
        mean = lambda x, y: (a * x + b * y) / (a + b)  # noqa: E731
        HL, HR = ((U[-1] + W[-1]) / W[0] for U, W in ((left, L), (right, R)))
        velocity = mean(L[1:-1], R[1:-1])
        c = jnp.sqrt((self.gamma - 1) * (mean(HL, HR) - jnp.sum(velocity**2, axis=0) / 2))
        u = velocity[self.normal]
        sL, sR = jnp.minimum(L[k] - cL, u - c), jnp.maximum(R[k] + cR, u + c)
        mL, mR = L[0] * (sL - L[k]), R[0] * (sR - R[k])
        star = (R[-1] - L[-1] + mL * L[k] - mR * R[k]) / (mL - mR)

        def between(U: Any, W: Any, s: Any) -> Any:
            factor = W[0] * (s - W[k]) / (s - star)
            inside = U.at[0].set(W[0]).at[k].set(W[0] * star)
            inside = inside.at[-1].set(U[-1] + (star - W[k]) * (W[0] * star + W[-1] / (s - W[k])))
            return flux(U) + s * (inside * factor / W[0] - U)

        out = jnp.where(star >= 0, between(left, L, sL), between(right, R, sR))
        out = jnp.where(sL >= 0, flux(left), out)
        return jnp.where(sR <= 0, flux(right), out)


def ideal_gas(fluxes: list[Flux], m: int, tolerance: float = 1e-9) -> float | None:
    """gamma, where the fluxes along all axes are those of the Euler equations for states (rho, momenta, E); else None."""
    d = len(fluxes)
    if m != d + 2:
        return None
    random = np.random.default_rng(0)
    rho, velocity, e = random.uniform(1, 2, 5), random.normal(size=(d, 5)), random.uniform(1, 2, 5)
    U = jnp.asarray(np.concatenate([rho[None], rho * velocity, (e + rho * np.sum(velocity**2, 0) / 2)[None]]))
    gamma = None
    for a, flux in enumerate(fluxes):
        f = np.asarray(flux(U))
        p = f[1 + a] - rho * velocity[a] ** 2
        if gamma is None:
            gamma = 1 + float(p[0] / e[0])
        wanted = np.concatenate([U[1 + a][None], U[1:-1] * velocity[a], ((U[-1] + p) * velocity[a])[None]])
        wanted[1 + a] += p
        if not (np.allclose(f, wanted, rtol=tolerance) and np.allclose(p, (gamma - 1) * e, rtol=tolerance)):
            return None
    return gamma

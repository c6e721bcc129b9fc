"""Exponential time differencing for du/dt = L u + N(u, t), L linear and diagonal (or small blocks) in a spectral basis.

    ETDRK4   Cox & Matthews 2002, with the phi functions as means over contours (Kassam & Trefethen 2005)
    ETDRK2   the same in second order

The error estimate costs nothing: the last stage is compared with the rate at the new state, which the next step needs anyway.
It is blind to a part of N that depends on the time alone.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ._base import AbstractStepper, Rate
from ._linear import Linear


class ETDRK4(AbstractStepper):
    """Fourth order, error estimate of order three. Cox & Matthews, J. Comput. Phys. 176 (2002) 430; Kassam & Trefethen,
    SIAM J. Sci. Comput. 26 (2005) 1214."""

    order: ClassVar[int] = 4

    def prepare(self, linear: Linear, h: Any) -> Any:
        half, first, _, _ = linear.phi(h / 2)
        whole, one, two, three = linear.phi(h)
        return half, h / 2 * first, whole, h * (one - 3 * two + 4 * three), h * (two - 2 * three), h * (4 * three - two)

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        half, q, whole, f1, f2, f3 = factors
        times = linear.multiply
        moved = times(half, u)
        a = moved + times(q, n)
        na = rate(a, t + h / 2)
        b = moved + times(q, na)
        nb = rate(b, t + h / 2)
        c = times(half, a) + times(q, 2 * nb - n)
        nc = rate(c, t + h)
        new = times(whole, u) + times(f1, n) + 2 * times(f2, na + nb) + times(f3, nc)
        after = rate(new, t + h)
        return new, after, times(f3, nc - after)

    def missed(self, linear: Linear, factors: Any, source: Any, t: Any, h: Any) -> Any:
        """The error of the step in a source s(t) of N, which its estimate does not see: in the limit of small h L that of
        Simpson's rule, h^5 / 2880 times the fourth derivative of s."""
        s = [source(t + k * h / 4) for k in range(5)]
        return linear.multiply(factors[5], 8 / 15 * (s[0] - 4 * s[1] + 6 * s[2] - 4 * s[3] + s[4]))


class ETDRK2(AbstractStepper):
    """Second order, error estimate of order one. Cox & Matthews, J. Comput. Phys. 176 (2002) 430."""

    order: ClassVar[int] = 2

    def prepare(self, linear: Linear, h: Any) -> Any:
        whole, one, two, _ = linear.phi(h)
        return whole, h * one, h * two

    def step(self, linear: Linear, factors: Any, rate: Rate, u: Any, t: Any, h: Any, n: Any) -> tuple[Any, Any, Any]:
        whole, q1, q2 = factors
        times = linear.multiply
        a = times(whole, u) + times(q1, n)
        na = rate(a, t + h)
        correction = times(q2, na - n)
        new = a + correction
        return new, rate(new, t + h), correction

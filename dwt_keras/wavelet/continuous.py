"""Names, frequency responses and filters of the continuous wavelets of PyWavelets.

A continuous wavelet psi(t) has no filter bank; what `dwt_keras.wavelet.frame` needs of it is its
Fourier transform. For all seven families that is a closed formula, with f in cycles per sample
of the unscaled wavelet and constant factors left out:

    gausN        (i f)^N exp(-(pi f)^2), the N-th derivative of a Gaussian
    mexh         f^2 exp(-2 pi^2 f^2)
    morl         exp(-(2 pi f - 5)^2 / 2) + exp(-(2 pi f + 5)^2 / 2)
    cgauN        (-f)^N exp(-(pi f + 1/2)^2), the N-th derivative of exp(-i t) exp(-t^2)
    shanB-C      a box of width B around C
    fbspM-B-C    M boxes of width B / M convolved with each other, around C
    cmorB-C      exp(-pi^2 B (f - C)^2)

The formulas in t are those of https://pywavelets.readthedocs.io/en/latest/ref/cwt.html.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks

Array = npt.NDArray[Any]

# In PyWavelets' order.
FAMILIES = ("gaus", "mexh", "morl", "cgau", "shan", "fbsp", "cmor")

_COMPLEX = ("cgau", "shan", "fbsp", "cmor")
_ORDERS = range(1, 9)

# Where a family that carries parameters is given alone.
_DEFAULTS = {"shan": "shan1.5-1.0", "fbsp": "fbsp2-1.0-1.5", "cmor": "cmor1.5-1.0"}
_NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)"

# Scales follow the peak, so that only the shape around it matters: this is room enough.
_LEAST, _LARGEST = 0.001, 1000

# A spline of order 100 is almost a Gaussian, and computing it takes time as M^2.
_LARGEST_SPLINE = 100

# The peak of the finest scale, in cycles per sample: the middle of the top octave [1/4, 1/2].
_FINEST_PEAK = 3 / 8

# Relative to the peak: a response below this counts as none when the scales are added up.
_VANISHED = 1e-16

# Relative to the peak: a frequency at which no level exceeds this is left to the low-pass.
_UNREACHED = 1e-12


def names() -> list[str]:
    """The continuous names that need no parameters, and the parametric ones' defaults."""
    orders = [f"{family}{order}" for family in ("gaus", "cgau") for order in _ORDERS]
    return ["mexh", "morl", *orders, *_DEFAULTS.values()]


def canonical(name: str) -> tuple[str, str] | None:
    """The canonical form of a continuous wavelet's name.

    Args:
        name: A name in PyWavelets' notation, in any letter case, or a family: gaus and cgau
            mean their lowest order, shan, fbsp and cmor mean shan1.5-1.0, fbsp2-1.0-1.5 and
            cmor1.5-1.0.

    Returns:
        The name in lower case with its parameters as in cmor1.5-1.0 and fbsp2-1.0-1.5, and one
        line to show the user where a family was given, else ""; None if no continuous wavelet
        has that name.

    Raises:
        ArgumentError: If the name begins with shan, fbsp or cmor and its parameters are not
            numbers as that family wants them: B and C from 0.001 to 1000, M a whole number
            from 1 to 100.
    """
    wanted = name.strip().lower()
    if wanted in ("gaus", "cgau"):
        return f"{wanted}1", f"wavelet {wanted!r} is a family: its lowest order, {wanted}1"
    if wanted in _DEFAULTS:
        meant = _DEFAULTS[wanted]
        return meant, f"wavelet {wanted!r} is a family: with its usual parameters, {meant}"
    if wanted in names():
        return wanted, ""
    family = wanted[:4]
    if family not in _DEFAULTS:
        return None
    count = _DEFAULTS[family].count("-") + 1
    match = re.fullmatch("-".join([_NUMBER] * count), wanted[4:])
    values = [float(text) for text in match.groups()] if match else []
    if not values or not all(_LEAST <= value <= _LARGEST for value in values):
        raise _malformed(family, name)
    if family != "fbsp":
        return family + "-".join(_written(value) for value in values), ""
    order, *others = values
    if not order.is_integer() or order > _LARGEST_SPLINE:
        raise _malformed(family, name)
    return "-".join([f"fbsp{int(order)}", *(_written(value) for value in others)]), ""


def is_complex(name: str) -> bool:
    """Whether the wavelet of a canonical name takes complex values."""
    return name.startswith(_COMPLEX)


def peak_frequency(name: str) -> float:
    """Where the magnitude of the response is largest, in cycles per sample of psi(t).

    Args:
        name: Canonical name.

    Returns:
        Absolute value of the frequency (the peak of cgauN lies at a negative one); the centre
        where the response is a box.
    """
    family, values = _parts(name)
    if family == "mexh":
        return math.sqrt(0.5) / math.pi
    if family == "morl":
        return 5 / (2 * math.pi)
    if family == "gaus":
        return math.sqrt(values[0] / 2) / math.pi
    if family == "cgau":
        return (1 + math.sqrt(1 + 8 * values[0])) / (4 * math.pi)
    return values[-1]


@functools.cache
def reach(name: str) -> float:
    """A frequency beyond which the response has vanished, on both sides of zero.

    Beyond its peak no response rises again, so it is enough to look at its two ends.

    Args:
        name: Canonical name.

    Returns:
        Frequency in cycles per sample of psi(t).
    """
    edge = peak_frequency(name)
    while np.abs(response(name, np.array([-edge, edge]))).max() > _VANISHED:
        edge *= 2
    return edge


def scale(name: str, level: int) -> float:
    """The dyadic scale a of a level; the response of that level is response(a f).

    Args:
        name: Canonical name.
        level: 1 is the finest, with its peak at 3/8 cycles per sample, the middle of the top
            octave. Each further level doubles the scale.

    Returns:
        The scale.
    """
    return math.ldexp(peak_frequency(name) / _FINEST_PEAK, level - 1)


def response(name: str, frequencies: Array) -> Array:
    """Fourier transform of a wavelet, scaled to the magnitude 1 at its peak.

    Its phase is such that it is positive at the peak; gaus of odd order, the only ones that
    are not real, are positive imaginary at the positive peak.

    Args:
        name: Canonical name.
        frequencies: Array of any shape, in cycles per sample of psi(t).

    Returns:
        New array of that shape: complex128 for gaus of odd order, else float64.
    """
    f = np.asarray(frequencies, dtype=np.float64)
    family, values = _parts(name)
    if family == "mexh":
        square = 2 * (math.pi * f) ** 2
        return np.asarray(square * np.exp(1 - square))
    if family == "morl":
        omega = 2 * math.pi * f
        return np.asarray(np.exp(-((omega - 5) ** 2) / 2) + np.exp(-((omega + 5) ** 2) / 2))
    if family == "gaus":
        order = int(values[0])
        peak = peak_frequency(name)
        shape = (f / peak) ** order * np.exp((math.pi * peak) ** 2 - (math.pi * f) ** 2)
        return np.asarray(1j * shape if order % 2 else shape)
    if family == "cgau":
        peak = peak_frequency(name)
        exponent = (0.5 - math.pi * peak) ** 2 - (math.pi * f + 0.5) ** 2
        return np.asarray((-f / peak) ** int(values[0]) * np.exp(exponent))
    width, centre = values[-2:]
    distance = np.abs(f - centre)
    if family == "cmor":
        return np.asarray(np.exp(-width * (math.pi * distance) ** 2))
    found = np.zeros_like(f)
    inside = distance <= width / 2
    order = int(values[0]) if family == "fbsp" else 1
    found[inside] = _spline(order, distance[inside] / width)
    return found


@functools.lru_cache(maxsize=256)
def filters(name: str, levels: int, length: int) -> dict[str, Array]:
    """The tight filters along one axis of a periodic array, at the frequencies of `fftfreq`.

    With g_j the response of level j and S the sum of |g_j|^2 over all levels, however coarse,

        psi_j = g_j / sqrt(S)                          is the filter of the details,
        phi_j = sqrt(sum over i > j of |g_i|^2 / S)    the low-pass that remains.

    A complex wavelet counts twice, as g and as its mirror, g(-f) conjugated. Frequencies that
    no level reaches, zero among them, belong to the low-pass.

    Args:
        name: Canonical name.
        levels: Number of levels.
        length: Number of samples.

    Returns:
        Arrays of shape (levels, frequencies), the finest level first: "a" for phi, "+" for
        psi (psi+ for a complex wavelet), and for a complex wavelet "-" for psi-. Shared
        between callers, so read-only.
    """
    finest = scale(name, 1)
    # From this scale on no non-zero frequency is reached.
    beyond = max(math.ceil(math.log2(reach(name) * length / finest)), 0) + 1
    scaled = np.ldexp(finest, np.arange(max(levels + 1, beyond)))[:, None] * np.fft.fftfreq(length)
    plus = response(name, scaled)
    twofold = is_complex(name)
    minus = response(name, -scaled).conj() if twofold else np.zeros_like(plus)
    if length % 2 == 0:
        # 1/2 and -1/2 are one frequency there: a real filter must be real, and a complex one
        # the conjugate of its mirror. What factor all levels share does not matter.
        half = length // 2
        plus[:, half] = np.hypot(np.abs(plus[:, half]), np.abs(minus[:, half]))
        minus[:, half] = plus[:, half] if twofold else 0.0
    power = np.abs(plus) ** 2 + np.abs(minus) ** 2
    # The same at f and -f to the last bit, so that both or neither is reached.
    power = (power + power[:, -np.arange(length) % length]) / 2
    reached = power.max(axis=0) >= _UNREACHED**2
    reached[0] = False
    # Added up from the coarsest scale, so that the smallest terms come first.
    tails = np.cumsum(power[::-1], axis=0)[::-1]
    total = np.where(reached, tails[0], 1.0)
    found = {"a": np.where(reached, np.sqrt(tails[1 : levels + 1] / total), 1.0)}
    for letter, psi in (("+", plus), ("-", minus)) if twofold else (("+", plus),):
        found[letter] = np.where(reached, psi[:levels] / np.sqrt(total), 0.0)
    for line in found.values():
        line.flags.writeable = False
    return found


def _spline(order: int, distance: Array) -> Array:
    """The cardinal B-spline stretched to width 1, at these distances (<= 1/2) from its middle.

    The recursion of Cox and de Boor adds positive numbers only, so no order loses digits (de
    Boor 1972, doi:10.1016/0021-9045(72)90080-9).

    Args:
        order: Number of boxes convolved.
        distance: Array of shape (points,).

    Returns:
        Array of shape (points,), 1 where the distance is 0.
    """
    # The middle comes last, for the value there. The right end belongs to the last box.
    x = order * (0.5 + np.append(distance, 0.0))
    x = np.minimum(x, np.nextafter(order, 0))
    shifted = x - np.arange(order)[:, None]
    values = ((shifted >= 0) & (shifted < 1)).astype(np.float64)
    for m in range(2, order + 1):
        y = shifted[: order - m + 1]
        values = (y * values[:-1] + (m - y) * values[1:]) / (m - 1)
    return np.asarray(values[0, :-1] / values[0, -1])


@functools.cache
def _parts(name: str) -> tuple[str, tuple[float, ...]]:
    """Family and parameters (or the order) of a canonical name."""
    return name[:4], tuple(float(text) for text in name[4:].split("-") if text)


def _written(value: float) -> str:
    """A number as in "1.5" and "1.0", never with an exponent."""
    return np.format_float_positional(value, trim="0")


def _malformed(family: str, given: str) -> checks.ArgumentError:
    order = f"M a whole number from 1 to {_LARGEST_SPLINE} and " if family == "fbsp" else ""
    pattern = f"{family}M-B-C" if family == "fbsp" else f"{family}B-C"
    return checks.ArgumentError(
        "wavelet",
        f"must be {pattern} with {order}B and C from {_LEAST} to {_LARGEST}, such as "
        f"{_DEFAULTS[family]}; given {given!r}",
    )

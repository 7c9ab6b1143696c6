"""Wavelet names, and the filter banks behind them.

The names and filters are those of PyWavelets. What is added: a family alone stands for its
lowest order, letter case does not matter, and every bank comes with a synthesis side that
inverts its analysis side exactly, also where PyWavelets' own does not. Continuous wavelets have
names here, but no filter bank: `dwt_keras.wavelet.frame` transforms with them.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pywt

from dwt_keras import checks
from dwt_keras.wavelet import continuous

Taps = npt.NDArray[np.float64]

IDENTITY = "none"
_IDENTITY_ALIASES = ("none", "identity")
_MISSPELLINGS = {"harr": "haar"}

# Largest deviation from the identity that the banks with an exact inverse show (sym20: 1.4e-11,
# the rounding of its printed coefficients). dmey, a truncated Meyer filter, shows 2.7e-3.
_EXACT = 1e-10


@dataclass(frozen=True)
class Resolved:
    """What a wavelet's name was taken to mean.

    Attributes:
        name: The canonical name, as PyWavelets spells it, or "none".
        note: One line to show the user where the name was not taken literally, else "".
    """

    name: str
    note: str


@dataclass(frozen=True, eq=False)
class FilterBank:
    """The two-channel filter bank of a discrete wavelet.

    With x periodic, analysis computes, for every k,

        approximation[k] = sum_i analysis_low[i]  * x[2 k + analysis_start + i]
        detail[k]        = sum_i analysis_high[i] * x[2 k + analysis_start + i]

    and synthesis adds approximation[k] * synthesis_low[i] + detail[k] * synthesis_high[i] to
    x[2 k + synthesis_start + i]. This is PyWavelets' `periodization` mode, sample for sample.

    Attributes:
        name: PyWavelets' name.
        analysis_low: Taps of the low-pass, in the order of x.
        analysis_high: Taps of the high-pass, likewise.
        synthesis_low: Taps that spread an approximation sample.
        synthesis_high: Taps that spread a detail sample.
        analysis_start: Offset of the first analysis tap.
        synthesis_start: Offset of the first synthesis tap.
        orthogonal: Whether the transform is orthonormal (to rounding), so that synthesis is
            the transpose of analysis. Not for dmey, which PyWavelets calls orthogonal, but for
            bior1.1, which is haar.
    """

    name: str
    analysis_low: Taps
    analysis_high: Taps
    synthesis_low: Taps
    synthesis_high: Taps
    analysis_start: int
    synthesis_start: int
    orthogonal: bool


def discrete_names() -> list[str]:
    """All names that have a filter bank, as PyWavelets lists them."""
    names: list[str] = pywt.wavelist(kind="discrete")
    return names


def discrete_families() -> list[str]:
    """The families of `discrete_names`: haar, db, sym, coif, bior, rbio, dmey."""
    return [family for family in pywt.families() if family not in continuous.FAMILIES]


def resolve(name: str) -> Resolved:
    """Finds the wavelet that a name means, in any letter case.

    Args:
        name: A name of PyWavelets; a family (db, sym, coif, bior, rbio, gaus, cgau), which means
            its lowest order; shan, fbsp or cmor, with parameters as in cmor1.5-1.0 or with
            the usual ones where it has none; "none" or "identity" for no transform; or "harr",
            which older documents write for haar.

    Returns:
        The canonical name, with a note where the name was not taken literally.

    Raises:
        ArgumentError: If no wavelet has that name; the message gives the closest ones and the
            families. For a continuous family with wrong parameters it gives the pattern.
    """
    wanted = name.strip().lower() if isinstance(name, str) else ""
    if wanted in _IDENTITY_ALIASES:
        return Resolved(IDENTITY, "")
    if wanted in _MISSPELLINGS:
        meant = _MISSPELLINGS[wanted]
        return Resolved(meant, f"wavelet {wanted!r} is taken as {meant}")
    names = discrete_names()
    if wanted in names:
        return Resolved(wanted, "")
    if wanted in discrete_families():
        lowest = min(pywt.wavelist(wanted), key=_order)
        return Resolved(lowest, f"wavelet {wanted!r} is a family: its lowest order, {lowest}")
    found = continuous.canonical(name) if isinstance(name, str) else None
    if found is not None:
        return Resolved(*found)
    known = dict.fromkeys([*names, *continuous.names(), *pywt.families(), IDENTITY])
    close = difflib.get_close_matches(wanted, list(known), n=3)
    nearest = f"closest: {', '.join(close)}; " if close else ""
    raise checks.ArgumentError(
        "wavelet",
        f"must be a wavelet of PyWavelets, auto or none; given {name!r} "
        f"({nearest}families: {', '.join(pywt.families())})",
    )


def is_continuous(name: str) -> bool:
    """Whether a canonical name is that of a continuous wavelet."""
    return name.startswith(continuous.FAMILIES)


@functools.cache
def filter_bank(name: str) -> FilterBank:
    """The filter bank of a canonical discrete name, with an exact synthesis side.

    Args:
        name: As `resolve` returns it, "none" excepted.

    Returns:
        The bank; the same object for the same name.
    """
    wavelet = pywt.Wavelet(name)
    length = wavelet.dec_len
    # PyWavelets convolves, so its taps run against x; here they run with it.
    low = np.array(wavelet.dec_lo[::-1])
    high = np.array(wavelet.dec_hi[::-1])
    start = 1 - length // 2
    synthesis = (np.array(wavelet.rec_lo), np.array(wavelet.rec_hi), start)
    error = _reconstruction_error(low, high, start, synthesis)
    exact = error < _EXACT
    if not exact:
        synthesis = _invert(low, high, start)
    return FilterBank(
        name=name,
        analysis_low=low,
        analysis_high=high,
        synthesis_low=synthesis[0],
        synthesis_high=synthesis[1],
        analysis_start=start,
        synthesis_start=synthesis[2],
        orthogonal=exact and np.allclose([low, high], synthesis[:2], rtol=0.0, atol=_EXACT),
    )


def analysis_matrix(bank: FilterBank, length: int) -> Taps:
    """One level of the periodic transform as a matrix.

    Args:
        bank: The filters.
        length: Number of samples, even.

    Returns:
        Array of shape (coefficients, samples) = (length, length): approximation rows first,
        then details.
    """
    return _periodic(bank.analysis_low, bank.analysis_high, bank.analysis_start, length)


def synthesis_matrix(bank: FilterBank, length: int) -> Taps:
    """The inverse of `analysis_matrix`, of shape (samples, coefficients)."""
    return _periodic(bank.synthesis_low, bank.synthesis_high, bank.synthesis_start, length).T


def _periodic(low: Taps, high: Taps, start: int, length: int) -> Taps:
    half = length // 2
    matrix = np.zeros((length, length))
    columns = (2 * np.arange(half)[:, None] + start + np.arange(len(low))) % length
    rows = np.broadcast_to(np.arange(half)[:, None], columns.shape)
    # A filter longer than the axis wraps around it: its taps add up.
    np.add.at(matrix, (rows, columns), np.broadcast_to(low, columns.shape))
    np.add.at(matrix, (rows + half, columns), np.broadcast_to(high, columns.shape))
    return matrix


def _reconstruction_error(
    low: Taps, high: Taps, start: int, synthesis: tuple[Taps, Taps, int]
) -> float:
    length = 2 * len(low)
    analysis = _periodic(low, high, start, length)
    inverse = _periodic(*synthesis, length).T
    return float(np.abs(inverse @ analysis - np.eye(length)).max())


def _invert(low: Taps, high: Taps, start: int) -> tuple[Taps, Taps, int]:
    """Synthesis filters that invert a nearly orthogonal analysis bank to double precision.

    The inverse of the bank on a long circle, where its response has died out half way around,
    is the inverse on the line, and so (its taps added up) on every circle of even length.
    """
    length = 32 * len(low)
    inverse = np.linalg.inv(_periodic(low, high, start, length))
    half = length // 2
    middle = half // 2
    columns = np.stack([inverse[:, middle], inverse[:, half + middle]])
    significant = np.flatnonzero(np.abs(columns).max(axis=0) > 1e-18)
    first, last = int(significant[0]), int(significant[-1])
    taps = columns[:, first : last + 1]
    return taps[0], taps[1], first - 2 * middle


def _order(name: str) -> tuple[float, ...]:
    digits = "".join(c if c.isdigit() or c == "." else " " for c in name).split()
    return tuple(float(part) for part in digits)

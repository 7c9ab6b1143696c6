"""Continuous wavelets as a tight frame: a transform that keeps energy, but not the number.

The transform is periodic and multiplies the discrete Fourier transform of the kernel by
responses. `continuous.filters` has those along one axis: psi_j for the details of level j and
phi_j for the low-pass that remains after it, with phi_0 = 1 and phi_{j-1}^2 = phi_j^2 +
|psi_j|^2. For a complex wavelet psi_j splits into psi_j+ and its mirror psi_j-.

Over several axes each level splits what the low-pass of the level before has left: a band of
level j has phi_j or psi_j along every axis, at least one psi, and one more band has phi_J along
all. The squares of all responses add up to one, so synthesis is the adjoint of analysis: a
Parseval frame (the extension principle of Daubechies, Han, Ron and Shen 2003,
doi:10.1016/S1063-5203(02)00511-0). Nothing is decimated: every band has as many coefficients as
the array has samples.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from dwt_keras import checks, compiled
from dwt_keras.wavelet import blocks, continuous, transform

Array = npt.NDArray[Any]

# A component whose response is nowhere larger than this is not stored.
_NOTHING = 1e-12


@dataclass(frozen=True)
class _Component:
    """One filter of the frame.

    Attributes:
        band: Name of the subband it belongs to.
        level: 1 is the finest.
        letters: For each axis of the transform "a", "+" or "-", as in `continuous.filters`.
        factor: What the response is multiplied by.
    """

    band: str
    level: int
    letters: tuple[str, ...]
    factor: float


@dataclass(frozen=True)
class Frame:
    """A redundant transform of one kernel by a continuous wavelet, with an exact inverse.

    Attributes:
        wavelet: Canonical name of a continuous wavelet.
        level: Number of levels, 1 or more.
        axes: The transformed axes of `shape`, at least one.
        shape: The kernel unflattened, as for `basis.Basis`.
    """

    wavelet: str
    level: int
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def is_identity(self) -> bool:
        """Whether coefficients are the weights themselves: never."""
        return False

    @property
    def is_frame(self) -> bool:
        """Whether there are more coefficients than weights."""
        return True

    def decompose(self, kernel: Array) -> Array:
        """Coefficients of a kernel; the sum of |c|^2 is that of the squared weights.

        A complex wavelet has a coefficient for each combination of psi+ and psi-. Those with
        all signs turned are the conjugates, so of every two one is stored, times sqrt(2).

        Args:
            kernel: Array with as many values as `shape`, in C order; floating.

        Returns:
            New array of shape (components, *shape): float32 (complex64 for a complex wavelet)
            for float32 and half-precision kernels, else float64 (complex128). The
            approximation is real in both cases.

        Raises:
            ArgumentError: If the kernel has another dtype than these.
        """
        dtype = transform.working_dtype(kernel.dtype)
        if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise checks.ArgumentError(
                "array", f"must be float16, bfloat16, float32 or float64; given {kernel.dtype}"
            )
        values = kernel.astype(dtype, copy=False).reshape(self.shape)
        spectrum = self._forward(values)
        kind = spectrum.dtype if self._is_complex else dtype
        coefficients = np.empty((len(self._components), *self.shape), kind)
        for place, component in zip(coefficients, self._components, strict=True):
            place[...] = self._backward(spectrum * self._response(component, spectrum))
        if self._is_complex:
            coefficients[0].imag = 0  # Of the approximation: nothing but rounding.
        return coefficients

    def reconstruct(
        self, coefficients: Array, shape: Sequence[int], dtype: Any, *, overwrite: bool = False
    ) -> Array:
        """The kernel with these coefficients: the adjoint, and the inverse, of `decompose`.

        Coefficients that no kernel has give the kernel whose coefficients are closest to them.

        Args:
            coefficients: Array of shape (components, *shape of this frame).
            shape: Shape of the kernel.
            dtype: The kernel's dtype.
            overwrite: Whether the coefficients may be used as working memory.

        Returns:
            New array of that shape and dtype.

        Raises:
            ArgumentError: If the coefficients have another shape.
        """
        expected = (len(self._components), *self.shape)
        if coefficients.shape != expected:
            raise checks.ArgumentError(
                "coefficients", f"must have shape {expected}; given {coefficients.shape}"
            )
        total: Any = 0
        for values, component in zip(coefficients, self._components, strict=True):
            spectrum = self._forward(values, overwrite)
            spectrum *= self._response(component, spectrum).conj()
            total = np.add(total, spectrum, out=spectrum)
        return self._backward(total).real.reshape(tuple(shape)).astype(dtype)

    @functools.cached_property
    def subbands(self) -> list[blocks.Subband]:
        """The bands, the approximation first, then from the coarsest to the finest.

        A subband's slices cut out its components: one for a real wavelet, 2^(k-1) for a complex
        one and k axes with details. Bands without a response on this grid are left out.
        """
        whole = tuple(slice(0, size) for size in self.shape)
        found: list[blocks.Subband] = []
        start = 0
        for (name, level), group in itertools.groupby(
            self._components, lambda component: (component.band, component.level)
        ):
            stop = start + len(list(group))
            found.append(blocks.Subband(name, level, (slice(start, stop), *whole), start == 0))
            start = stop
        return found

    @property
    def approximation(self) -> blocks.Slices:
        """Where the approximation lies."""
        return self.subbands[0].slices

    @property
    def finest_details(self) -> blocks.Slices:
        """The coefficients taken as noise: of the finest level, details along most axes.

        Where a narrow wavelet has no details on a few samples: the approximation.
        """
        details = [band for band in self.subbands if not band.is_approximation]
        if not details:
            return self.approximation
        return max(details, key=lambda band: (-band.level, band.name.count("d"))).slices

    @property
    def redundancy(self) -> float:
        """Real numbers stored for each weight; a complex coefficient counts as two."""
        return float(len(self._components) * (2 if self._is_complex else 1))

    def gain(self, subband: blocks.Subband) -> float:
        """Standard deviation of a band's coefficients for white noise of variance 1.

        Args:
            subband: One of `subbands`.

        Returns:
            Root of the mean over the band's components of E|c|^2.
        """
        squares = [
            component.factor**2
            * math.prod(float(np.mean(np.abs(line) ** 2)) for line in self._lines(component))
            for component in self._components[subband.slices[0]]
        ]
        return math.sqrt(sum(squares) / len(squares))

    def __str__(self) -> str:
        lengths = "x".join(str(self.shape[axis]) for axis in self.axes)
        return f"{self.wavelet} frame {self.level} over {lengths}"

    @property
    def _is_complex(self) -> bool:
        return continuous.is_complex(self.wavelet)

    @functools.cached_property
    def _components(self) -> list[_Component]:
        """One filter for each entry of the coefficient array, in its order."""
        low = ("a",) * len(self.axes)
        factor = math.sqrt(2) if self._is_complex else 1.0
        found = [_Component("a" * len(self.axes) + str(self.level), self.level, low, 1.0)]
        for level in range(self.level, 0, -1):
            for letters in map("".join, itertools.product("da", repeat=len(self.axes))):
                for signs in _signs(letters, self._is_complex):
                    found.append(_Component(f"{letters}{level}", level, signs, factor))
        return [
            component
            for component in found
            if math.prod(np.abs(line).max() for line in self._lines(component)) > _NOTHING
        ]

    def _lines(self, component: _Component) -> list[Array]:
        """The response along each axis, each of shape (frequencies,)."""
        found = []
        for axis, letter in zip(self.axes, component.letters, strict=True):
            filters = continuous.filters(self.wavelet, self.level, self.shape[axis])
            found.append(filters[letter][component.level - 1])
        return found

    def _response(self, component: _Component, spectrum: Array) -> Array:
        """A component's response, to be multiplied with `spectrum`.

        Returns:
            Array of the spectrum's precision and number of axes, 1 along the batch axes.
        """
        product = np.full((1,) * spectrum.ndim, component.factor, spectrum.real.dtype)
        for axis, line in zip(self.axes, self._lines(component), strict=True):
            kind = spectrum.dtype if np.iscomplexobj(line) else spectrum.real.dtype
            extent = [1] * spectrum.ndim
            extent[axis] = -1
            # Half of the frequencies suffice along the last axis of a real transform.
            product = product * line[: spectrum.shape[axis]].astype(kind).reshape(extent)
        return product

    def _forward(self, values: Array, overwrite: bool = False) -> Array:
        """Spectrum of one array of shape `shape`."""
        analyse: Any = scipy.fft.fftn if self._is_complex else scipy.fft.rfftn
        spectrum: Array = analyse(
            values, axes=self.axes, overwrite_x=overwrite, workers=compiled.threads()
        )
        return spectrum

    def _backward(self, spectrum: Array) -> Array:
        """The array with this spectrum, which may be overwritten."""
        values: Array
        if self._is_complex:
            values = scipy.fft.ifftn(
                spectrum, axes=self.axes, overwrite_x=True, workers=compiled.threads()
            )
        else:
            lengths = [self.shape[axis] for axis in self.axes]
            values = scipy.fft.irfftn(
                spectrum, lengths, axes=self.axes, overwrite_x=True, workers=compiled.threads()
            )
        return values


def build(
    wavelet: str, level: int | str, axes: Sequence[int], shape: Sequence[int]
) -> tuple[Frame | None, str]:
    """A frame for one kernel, its level capped as `basis.build` does.

    Args:
        wavelet: Canonical name of a continuous wavelet.
        level: Wanted levels, or "max" for as many as a basis would have.
        axes: Axes with geometry. Those with one sample have nothing to transform.
        shape: Unflattened shape of the kernel.

    Returns:
        The frame (None where no axis is left), and a note on the axes on which the wanted
        level was capped, or "".
    """
    axes = tuple(axis for axis in axes if shape[axis] > 1)
    if not axes or math.prod(shape) == 0:
        return None, ""
    found, note = blocks.cap(level, axes, shape)
    return Frame(wavelet, found, axes, tuple(shape)), note


def _signs(letters: str, is_complex: bool) -> list[tuple[str, ...]]:
    """The filters behind a band's letters: one for each combination of signs that is stored."""
    if "d" not in letters:
        return []
    choices = letters.replace("d", "+", 1).replace("d", "±" if is_complex else "+")
    return list(itertools.product(*("+-" if choice == "±" else choice for choice in choices)))

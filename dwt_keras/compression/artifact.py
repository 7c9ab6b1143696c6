"""The compact file of a network: its weights as quantised coefficients, and its architecture."""

from __future__ import annotations

import concurrent.futures
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras import checks, files
from dwt_keras.coding import container, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture, layout, packing, sections, steps
from dwt_keras.compression.targets import Target, find
from dwt_keras.settings import CompressionSettings
from dwt_keras.settings.coding import DEFAULT_DISTORTION
from dwt_keras.wavelet import families

_SPARE = 1 << 16


def save_compressed(
    model: Any,
    path: str | os.PathLike[str],
    *,
    kernels: Sequence[Target] | None = None,
    step: float | None = None,
    distortion: float | None = None,
    max_bytes: int | None = None,
    wavelet: str = families.IDENTITY,
    level: int | str | None = None,
    axes: str = "auto",
    with_architecture: bool = True,
    limits: container.Limits = container.LIMITS,
) -> int:
    """Writes a compact file of a model. The model itself keeps its weights.

    How small follows from one of `step`, `distortion` and `max_bytes`; without them from the steps
    that `kernels` have been trained to, or else from the default `distortion`.

    Args:
        model: A built Keras model.
        path: Where the file goes; one that is there is replaced once the new one is whole.
        kernels: The kernels to store as coefficients, each with its basis: `targets` of a
            `DWTCompression` that trained the model. None for all kernels, with `wavelet`, `level`
            and `axes`.
        step: Quantisation step of the coefficients, above 0.
        distortion: How far the kernels may move, as the sum of squared differences over the sum
            of squares, above 0 and below 1: the coarsest step within that is taken. Raising it
            makes the file smaller; 0.001 by default.
        max_bytes: Size of the whole file: the finest step within that is taken.
        wavelet: A discrete wavelet, "auto" for each kernel's cheapest, or "none".
        level: Its levels, "max" or "auto"; 1 by default.
        axes: "auto" for the axes that have geometry, "matrix" for kernels as matrices.
        with_architecture: Whether `load_compressed` shall be able to make the model anew; else
            the file is for a model that its reader has.
        limits: What the readers of the file will allow.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: On arguments outside these, if a variable is NaN or infinite, if the
            architecture cannot be stored, or if readers would refuse the file; nothing is written
            then.
    """
    has_goal = _has_goal(step=step, distortion=distortion, max_bytes=max_bytes)
    if not has_goal and (kernels is None or not all(target.step for target in kernels)):
        distortion = DEFAULT_DISTORTION
    if not model.built:
        raise checks.UserError(
            f"model {model.name!r} is not built: it has no weights yet; call it on data first"
        )
    if kernels is None:
        kernels = find_kernels(model, wavelet, level, axes, distortion or DEFAULT_DISTORTION)
    elif (wavelet, level, axes) != (families.IDENTITY, None, "auto"):
        raise checks.ArgumentError(
            "wavelet",
            "(or level, or axes) must not be given beside kernels, which have their bases; given "
            f"{wavelet!r}, {level!r}, {axes!r}",
        )

    def encoded(step: float | None) -> bytes:
        return encode(model, kernels, step, with_architecture=with_architecture, limits=limits)

    if distortion is not None:
        step = steps.within_distortion(kernels, distortion)
    elif max_bytes is not None:
        step = steps.within_bytes(kernels, max_bytes, lambda step: len(encoded(step)))
    data = encoded(None if step is None else checks.real("step", step, above=0.0))
    return _write(data, path, limits)


def save_tensors(
    model: Any,
    path: str | os.PathLike[str],
    found: Sequence[tensors.Tensor],
    limits: container.Limits = container.LIMITS,
) -> int:
    """Writes a compact file of a model whose weights are those of tensors, not quantised again.

    Args:
        model: A built Keras model.
        path: As for `save_compressed`.
        found: A tensor for each of its weights, in their order.
        limits: As for `save_compressed`.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: If the architecture cannot be stored, or if readers would refuse the file.
    """
    return _write(
        wrapping(model, limits=limits)(tensors.encode(found, layout.grid_of)), path, limits
    )


def find_kernels(
    model: Any,
    wavelet: str,
    level: int | str | None,
    axes: str,
    distortion: float = DEFAULT_DISTORTION,
) -> tuple[Target, ...]:
    """All kernels of a model, frozen ones too, each with its basis; see `save_compressed`.

    Args:
        model: A built Keras model.
        wavelet: A discrete wavelet, "auto" or "none".
        level: Its levels, "max" or "auto".
        axes: "auto" or "matrix".
        distortion: At about which "auto" looks for the cheapest bases.

    Raises:
        UserError: On arguments outside these, or if a layer is quantised.
    """
    settings = CompressionSettings(wavelet=wavelet, level=level, axes=axes)
    if settings.is_frame:
        raise checks.ArgumentError(
            "wavelet", f"must be a discrete wavelet, auto or none; given {wavelet!r}"
        )
    found = find(model, settings, frozen=True).items
    return steps.choose_bases(found, settings, distortion) if settings.is_automatic else found


def load_compressed(
    path: str | os.PathLike[str], limits: container.Limits = container.LIMITS
) -> Any:
    """The model of a compact file, with its weights.

    Nothing that the file names is imported or run: layers are those of Keras, and custom ones that
    this process has registered itself.

    Args:
        path: The file.
        limits: How much it may make the reader do.

    Raises:
        CodecError: If it is no compact file, is damaged, exceeds the limits or has no architecture.
        OSError: If it cannot be read.
    """
    file = sections.read(Path(path), limits)
    if sections.ARCHITECTURE not in file.parts:
        raise file.refusal(
            "holds weights alone; load them into their model with load_compressed_weights"
        )
    # A model has these parameters, and the states of random layers, which are not in a file.
    most = sum(math.prod(record.shape) for record in file.records) + _SPARE
    most_calls = limits.calls_of(file.file_bytes)
    # Decoding is compiled code that lets others run: Keras builds the model in the meantime.
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        weights = other.submit(layout.weights, file)
        try:
            model = architecture.decode(
                file.parts[sections.ARCHITECTURE], most, len(file.records), most_calls
            )
        except CodecError as error:
            raise file.refusal(error) from None
        _check_fit(model, file)
        packing.set_all(model, weights.result())
    return model


def load_compressed_weights(
    path: str | os.PathLike[str], model: Any, limits: container.Limits = container.LIMITS
) -> None:
    """Sets the weights of a model to those of a compact file, all or none.

    Args:
        path: The file.
        model: A built model of the same architecture.
        limits: How much the file may make the reader do.

    Raises:
        CodecError: As `load_compressed`, or if the file belongs to another architecture.
        OSError: If it cannot be read.
    """
    file = sections.read(Path(path), limits)
    _check_fit(model, file)
    packing.set_all(model, layout.weights(file))


def encode(
    model: Any,
    kernels: Sequence[Target],
    step: float | None = None,
    *,
    with_architecture: bool = True,
    limits: container.Limits = container.LIMITS,
) -> bytes:
    """The bytes that `save_compressed` writes; without a step with that of each kernel."""
    weights = tensors.encode(packing.pack(model, kernels, step), layout.grid_of)
    return wrapping(model, with_architecture=with_architecture, limits=limits)(weights)


def wrapping(
    model: Any, *, with_architecture: bool = True, limits: container.Limits = container.LIMITS
) -> Callable[[bytes], bytes]:
    """From a payload of tensors to the whole file, for a model whose weights may change."""
    fingerprint = container.Section(sections.FINGERPRINT, architecture.fingerprint(model))
    behind = []
    if with_architecture:
        encoded = architecture.encode(model, limits)
        behind.append(container.Section(sections.ARCHITECTURE, encoded, optional=True))

    def wrapped(weights: bytes) -> bytes:
        parts = [fingerprint, container.Section(sections.WEIGHTS, weights), *behind]
        return container.pack(parts, limits)

    return wrapped


def _has_goal(**goals: Any) -> bool:
    """Whether one of the arguments that say how small is given; refuses several."""
    given = [name for name, value in goals.items() if value is not None]
    if len(given) > 1:
        raise checks.ArgumentError(
            given[1], f"must not be given beside {given[0]}: one of them says how small"
        )
    return bool(given)


def _write(data: bytes, path: str | os.PathLike[str], limits: container.Limits) -> int:
    _check_readable(data, limits)
    with files.replacing(Path(path)) as temporary:
        temporary.write_bytes(data)
    return len(data)


def _check_readable(data: bytes, limits: container.Limits) -> None:
    try:
        file = sections.opened(data, limits)
        layout.weights(file)
        if sections.ARCHITECTURE in file.parts:
            most_calls = limits.calls_of(len(data))
            architecture.check(file.parts[sections.ARCHITECTURE], len(file.records), most_calls)
    except CodecError as error:
        raise checks.ArgumentError(
            "limits", f"would make readers refuse the file of {len(data)} bytes: {error}"
        ) from None


def _check_fit(model: Any, file: sections.Opened) -> None:
    if file.parts[sections.FINGERPRINT] != architecture.fingerprint(model):
        raise file.refusal(f"belongs to another architecture than {model.name!r}")
    wanted = list(packing.variables(model).values())
    if len(file.records) != len(wanted):
        raise file.refusal(f"has {len(file.records)} tensors, the model {len(wanted)}")
    for record, variable in zip(file.records, wanted, strict=True):
        if record.shape != tuple(variable.shape) or record.dtype != np.dtype(variable.dtype):
            raise file.refusal(
                f"{record.name} is {record.dtype} {record.shape}, the model's "
                f"{variable.path} {variable.dtype} {tuple(variable.shape)}"
            )

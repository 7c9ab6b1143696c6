"""The compact file of a network: its weights as quantised coefficients, and its architecture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras import checks, files
from dwt_keras.coding import container, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture, packing
from dwt_keras.compression.targets import Target, find
from dwt_keras.settings import CompressionSettings

# Kinds of sections. A file without an architecture is for a model that its reader has.
FINGERPRINT, WEIGHTS, ARCHITECTURE = 1, 2, 3
_KNOWN = (FINGERPRINT, WEIGHTS, ARCHITECTURE)


def save_compressed(
    model: Any,
    path: str | os.PathLike[str],
    *,
    kernels: Sequence[Target] | None = None,
    step: float | None = None,
    distortion: float | None = None,
    wavelet: str = "none",
    level: int | str | None = None,
    with_architecture: bool = True,
) -> int:
    """Writes a compact file of a model. The model itself keeps its weights.

    Args:
        model: A built Keras model.
        path: Where the file goes; one that is there is replaced once the new one is whole.
        kernels: The kernels to store as coefficients, each with its basis: `targets` of a
            `DWTCompression` that trained the model. None for all kernels, with `wavelet` and
            `level`.
        step: Quantisation step of the coefficients, above 0.
        distortion: In place of a step: how far the kernels may move, as the sum of squared
            differences over the sum of squares. One of the two must be given.
        wavelet: A discrete wavelet, or "none".
        level: Its levels; 1 by default.
        with_architecture: Whether `load_compressed` shall be able to make the model anew; else
            the file is for a model that its reader has.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: On arguments outside these, if a variable is NaN or infinite, or if the
            architecture cannot be stored; nothing is written then.
    """
    if kernels is not None and (wavelet != "none" or level is not None):
        raise checks.ArgumentError(
            "wavelet", f"and level must not be given beside kernels; given {wavelet!r}, {level!r}"
        )
    if kernels is None:
        settings = CompressionSettings(wavelet=wavelet, level=level)
        if settings.is_automatic or settings.is_frame:
            raise checks.ArgumentError(
                "wavelet", f"must be a discrete wavelet or none; given {wavelet!r}, level {level!r}"
            )
        kernels = find(model, settings).items
    if (step is None) == (distortion is None):
        raise checks.ArgumentError("step", "or distortion must be given, and not both")
    if step is None:
        step = packing.step_within(
            kernels, checks.real("distortion", distortion, above=0.0, below=1.0)
        )
    data = encode(model, kernels, step, with_architecture=with_architecture)
    with files.replacing(Path(path)) as temporary:
        temporary.write_bytes(data)
    return len(data)


def load_compressed(path: str | os.PathLike[str], limits: container.Limits | None = None) -> Any:
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
    limits = limits or container.LIMITS
    sections = _sections(Path(path), limits)
    if ARCHITECTURE not in sections:
        raise CodecError(
            f"{path}: holds weights alone; load them into their model with load_compressed_weights"
        )
    model = architecture.decode(sections[ARCHITECTURE])
    _set(model, sections, limits, path)
    return model


def load_compressed_weights(
    path: str | os.PathLike[str], model: Any, limits: container.Limits | None = None
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
    limits = limits or container.LIMITS
    _set(model, _sections(Path(path), limits), limits, path)


def encode(
    model: Any, kernels: Sequence[Target], step: float, *, with_architecture: bool = True
) -> bytes:
    """The bytes that `save_compressed` writes."""
    sections = [
        container.Section(FINGERPRINT, architecture.fingerprint(model)),
        container.Section(
            WEIGHTS, tensors.encode(packing.pack(model, kernels, step), packing.grid_of)
        ),
    ]
    if with_architecture:
        encoded = architecture.encode(model)
        sections.append(container.Section(ARCHITECTURE, encoded, optional=True))
    return container.pack(sections)


def _sections(path: Path, limits: container.Limits) -> dict[int, bytes]:
    with path.open("rb") as file:
        # One byte more than allowed is enough to tell.
        data = file.read(limits.file_bytes + 1)
    try:
        found = container.unpack(data, limits, known=_KNOWN)
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None
    sections = {section.kind: section.payload for section in found}
    missing = {FINGERPRINT, WEIGHTS} - set(sections)
    if missing:
        raise CodecError(f"{path}: lacks the section of kind {min(missing)}")
    return sections


def _set(
    model: Any,
    sections: dict[int, bytes],
    limits: container.Limits,
    path: str | os.PathLike[str],
) -> None:
    if sections[FINGERPRINT] != architecture.fingerprint(model):
        raise CodecError(f"{path}: belongs to another architecture than {model.name!r}")
    found = tensors.decode(sections[WEIGHTS], packing.grid_of, limits.value_bytes)
    wanted = list(packing.variables(model).values())
    if len(found) != len(wanted):
        raise CodecError(f"{path}: has {len(found)} tensors, the model {len(wanted)}")
    for tensor, variable in zip(found, wanted, strict=True):
        if tensor.shape != tuple(variable.shape) or tensor.dtype != np.dtype(variable.dtype):
            raise CodecError(
                f"{path}: {tensor.name} is {tensor.dtype} {tensor.shape}, the model's "
                f"{variable.path} {variable.dtype} {tuple(variable.shape)}"
            )
    packing.assign(model, found)

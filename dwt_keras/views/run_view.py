"""A finished run, read from its folder, as figures and reports look at it. Loads no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras import checks
from dwt_keras.coding import container
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import layout, sections
from dwt_keras.views import history
from dwt_keras.wavelet import basis

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Before:
    """A kernel as it was before its last shrinking.

    Attributes:
        weights: The kernel.
        threshold: The magnitude that was then applied to its coefficients.
    """

    weights: Array
    threshold: float


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel of the network that ships.

    Attributes:
        path: Path of the layer and name of the kernel.
        basis: Its basis; the identity for a kernel that a frame was used for, whose file has
            weights.
        coefficients: Of the basis' shape, as the file has them.
        before: The same kernel before its last shrinking, where that is known.
    """

    path: str
    basis: basis.Basis
    coefficients: Array
    before: Before | None = None


@dataclasses.dataclass(frozen=True)
class RunView:
    """A finished run.

    Attributes:
        folder: Where it is.
        name: The last three parts of the folder, or as many as it has.
        settings: What it was told, by name.
        versions: Of the libraries, by name.
        metrics: What it came to: metrics.json.
        history: Its epochs; empty where they cannot be read.
        file: The compact file, opened; None where there is none, or a damaged one.
        kernels: What the file keeps as coefficients or quantised weights of two axes or more.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    versions: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: history.History
    file: sections.Opened | None
    kernels: tuple[Kernel, ...]

    @property
    def threshold(self) -> float | None:
        """The magnitude applied last, a mean over kernels; None where it is not known."""
        column = self.history.get("threshold") or [np.nan]
        return column[-1] if np.isfinite(column[-1]) and column[-1] > 0 else None


def read(
    folder: Path,
    metrics: Mapping[str, Any] | None = None,
    before: Mapping[str, Before] | None = None,
) -> RunView:
    """Reads a run.

    Args:
        folder: The run's.
        metrics: What its metrics.json will hold, where it is not written yet.
        before: Kernels before their last shrinking, by path.

    Raises:
        UserError: If it is no finished run's folder.
    """
    settings = _json(folder / "settings.json")
    if metrics is None:
        metrics = _json(folder / "metrics.json")
    told = settings.get("settings")
    if not isinstance(told, dict):
        raise checks.UserError(f"{folder}: must be the folder of a finished run of train.py")
    file = None
    kernels: tuple[Kernel, ...] = ()
    try:
        # A run's own file may ask for what it likes.
        file = sections.read(folder / "model.dwtz", container.UNLIMITED)
        kernels = _kernels(file, before or {})
    except (OSError, CodecError):
        pass
    return RunView(
        folder,
        "/".join(folder.absolute().parts[-3:]),
        told,
        settings.get("versions") or {},
        metrics,
        history.of_run(folder, metrics),
        file,
        kernels,
    )


def _kernels(file: sections.Opened, before: Mapping[str, Before]) -> tuple[Kernel, ...]:
    found = []
    for tensor in layout.decoded(file):
        if tensor.levels is None or len(tensor.shape) < 2:
            continue
        transform = tensor.transform
        its = basis.identity(tensor.shape) if transform is None else layout.basis_of(transform)
        values = (tensor.levels * np.float64(tensor.step)).reshape(its.shape)
        found.append(Kernel(tensor.name, its, values, before.get(tensor.name)))
    return tuple(found)


def _json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError
    except (OSError, ValueError):
        raise checks.UserError(
            f"{path.parent}: must be the folder of a finished run of train.py; its {path.name} "
            "cannot be read"
        ) from None
    return record

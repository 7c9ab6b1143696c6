"""The compact file of a run: as coarse as the validation accuracy allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dwt_keras.coding import container, quantizer
from dwt_keras.compression import artifact, packing, sections, steps
from dwt_keras.compression.targets import Target
from dwt_keras.training import scoring

# The finest step that is tried, as a part of the largest coefficient, ...
_FINEST = 2.0**-12
# ... and how far two steps are apart that need not be told from each other.
_PRECISION = 1.1


def save_within(
    model: Any,
    path: Path,
    kernels: Sequence[Target],
    accuracy: Callable[[], float],
    drop: float,
    *,
    with_architecture: bool = True,
) -> float:
    """Writes the smallest file within a loss of accuracy, and gives the model what it decodes to.

    Args:
        model: The trained model.
        path: Where the file goes.
        kernels: The kernels to quantise, each with its basis.
        accuracy: Of the model as it stands, 0 to 1, on data that are not for reporting.
        drop: How much of it may be lost.
        with_architecture: As for `artifact.save_compressed`.

    Returns:
        The quantisation step. If even the finest one that is tried loses more, that one.

    Raises:
        UserError: If weights are NaN or infinite; nothing is written then.
    """
    weights = [packing.read(*item) for item in packing.variables(model).items()]
    before = accuracy()

    def lost(step: float) -> float:
        packing.assign(model, packing.pack(model, kernels, step))
        try:
            # A difference of exactly the drop must not be lost to rounding.
            return before - accuracy() - scoring.ROUNDING
        finally:
            packing.set_all(model, weights)

    largest = steps.largest_coefficient(kernels)
    step = quantizer.step_for(lost, drop, largest, _FINEST * largest, _PRECISION)
    _write(model, path, kernels, step, with_architecture)
    return step


def save_as_trained(model: Any, path: Path, kernels: Sequence[Target]) -> None:
    """Writes the file that the kernels were trained for, and gives the model what it decodes to.

    Args:
        model: The trained model.
        path: Where the file goes.
        kernels: The kernels, each with its basis and its step.
    """
    _write(model, path, kernels, None, True)


def weights_alone(path: Path) -> int:
    """The size that a compact file would have without its architecture, in bytes."""
    parts = sections.read(path, container.UNLIMITED).parts
    kept = (sections.FINGERPRINT, sections.WEIGHTS)
    return len(container.pack([container.Section(kind, bytes(parts[kind])) for kind in kept]))


def _write(
    model: Any,
    path: Path,
    kernels: Sequence[Target],
    step: float | None,
    with_architecture: bool,
) -> None:
    artifact.save_compressed(
        model,
        path,
        kernels=kernels,
        step=step,
        with_architecture=with_architecture,
        # Training must not be lost because all has become zero, which is more than a small file
        # may ask its readers for.
        limits=container.UNLIMITED,
    )
    artifact.load_compressed_weights(path, model, container.UNLIMITED)

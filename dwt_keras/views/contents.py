"""What is in a compact file, as a table. Loads no TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dwt_keras.coding import container, records
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import sections
from dwt_keras.views.tables import percent
from dwt_keras.views.tables import table as aligned


@dataclass(frozen=True)
class Contents:
    """What a compact file holds.

    Attributes:
        file_bytes: Its size.
        tensors: What it says of its tensors.
        architecture_bytes: Size of its architecture; None where it has none.
    """

    file_bytes: int
    tensors: Sequence[records.Record]
    architecture_bytes: int | None


def read(path: Path, limits: container.Limits) -> Contents:
    """Reads what a compact file says of its tensors; they are not decoded.

    Args:
        path: The file.
        limits: How much it may make its reader do.

    Raises:
        CodecError: If it is no compact file, damaged, or beyond the limits.
        OSError: If it cannot be read.
    """
    data = sections.file_bytes(path, limits)
    try:
        found = sections.split(data, limits)
        tensors = records.read(found[sections.WEIGHTS], limits.values_of(len(data)))
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None
    architecture = found.get(sections.ARCHITECTURE)
    return Contents(len(data), tensors, None if architecture is None else len(architecture))


def table(contents: Contents) -> str:
    """One row a tensor: shape, how it is kept, zeros, bytes, bits a weight, share of the file.

    Zeros are those of the stored coefficients. Below stand the architecture, what is left for
    the container (magic, checksums, digest, fingerprint), and the sum.
    """
    rows = [("tensor", "shape", "kept as", "zeros", "bytes", "bits a weight", "of the file")]
    whole = contents.file_bytes
    weights = zeros = 0
    for tensor in contents.tensors:
        size = math.prod(tensor.shape)
        none = size - tensor.non_zeros
        weights, zeros = weights + size, zeros + none
        rows.append(
            (
                tensor.name,
                "x".join(map(str, tensor.shape)) or "one number",
                _kept(tensor),
                percent(none / size) if size else "",
                f"{tensor.record_bytes:,}",
                f"{8 * tensor.record_bytes / size:.3f}" if size else "",
                percent(tensor.record_bytes / whole),
            )
        )
    rest = whole - sum(tensor.record_bytes for tensor in contents.tensors)
    if contents.architecture_bytes is not None:
        size = contents.architecture_bytes
        rest -= size
        rows.append(("architecture", "", "Keras JSON", "", f"{size:,}", "", percent(size / whole)))
    rows.append(("container", "", "", "", f"{rest:,}", "", percent(rest / whole)))
    rows.append(
        (
            "all",
            f"{weights:,}",
            "",
            percent(zeros / weights) if weights else "",
            f"{whole:,}",
            f"{8 * whole / weights:.3f}" if weights else "",
            percent(1.0),
        )
    )
    return aligned(rows, right_from=3)


def _kept(tensor: records.Record) -> str:
    """The basis and step of levels, or the dtype of values."""
    if tensor.kept != records.LEVELS:
        return str(tensor.kept_dtype)
    transform = tensor.transform
    name = "weights"
    if transform is not None and transform.axes:
        lengths = "x".join(str(transform.shape[axis]) for axis in transform.axes)
        packets = "" if transform.splits is None else "packets "
        name = f"{transform.wavelet} {packets}{transform.level} over {lengths}"
    return f"{name}, step {tensor.step:.3g}"

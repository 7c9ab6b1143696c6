"""What is in a compact file, as a table. Loads no TensorFlow."""

from __future__ import annotations

import math

from dwt_keras.coding import records
from dwt_keras.compression import sections
from dwt_keras.views.tables import percent
from dwt_keras.views.tables import table as aligned

# From this column on cells are figures.
RIGHT_FROM = 3


def table(file: sections.Opened) -> str:
    """The rows of a file, aligned."""
    return aligned(rows(file), right_from=RIGHT_FROM)


def rows(file: sections.Opened) -> list[tuple[str, ...]]:
    """One row a tensor: shape, how it is kept, zeros, bytes, bits a weight, share of the file.

    Zeros are those of the stored coefficients. Below stand the index (names, shapes, steps), the
    architecture, what is left for the container (magic, checksums, digest, fingerprint), and the
    sum. The first row is the heading.
    """
    found: list[tuple[str, ...]] = [
        ("tensor", "shape", "kept as", "zeros", "bytes", "bits a weight", "of the file")
    ]
    whole = file.file_bytes
    weights = zeros = 0
    for tensor in file.records:
        size = math.prod(tensor.shape)
        none = size - tensor.non_zeros
        weights, zeros = weights + size, zeros + none
        found.append(
            (
                tensor.name,
                "x".join(map(str, tensor.shape)) or "one number",
                _kept(tensor),
                percent(none / size) if size else "",
                f"{len(tensor.data):,}",
                f"{8 * len(tensor.data) / size:.3f}" if size else "",
                percent(len(tensor.data) / whole),
            )
        )
    for name, size in _others(file).items():
        found.append((name, "", "", "", f"{size:,}", "", percent(size / whole)))
    found.append(
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
    return found


def sizes(file: sections.Opened) -> dict[str, int]:
    """The bytes of each tensor by name, of the index, the architecture and the container."""
    return {tensor.name: len(tensor.data) for tensor in file.records} | _others(file)


def _others(file: sections.Opened) -> dict[str, int]:
    coded = sum(len(tensor.data) for tensor in file.records)
    others = {"index": len(file.parts[sections.WEIGHTS]) - coded}
    if sections.ARCHITECTURE in file.parts:
        others["architecture"] = len(file.parts[sections.ARCHITECTURE])
    others["container"] = file.file_bytes - coded - sum(others.values())
    return others


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

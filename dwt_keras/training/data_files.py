"""Reads a dataset's files as they are distributed: four IDX files, or one .npz."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dwt_keras import checks
from dwt_keras.settings.data import DATASETS

_IDX_UBYTE = 0x0800  # IDX's type code of uint8; its low byte holds the number of axes.
_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST_REASON = 200
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_VALIDATION_KEYS = ("x_val", "y_val")
# What gzip, zipfile and NumPy raise on a damaged file: RuntimeError on an encrypted member,
# MemoryError on a header that promises more than there is.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


class DataError(checks.UserError):
    """Data that cannot be read or used; the message is one line that begins with the file."""

    def __init__(self, file: str | Path, problem: str) -> None:
        super().__init__(" ".join(f"{file}: {problem}".splitlines()))


@dataclass(frozen=True, eq=False)
class RawArray:
    """An array as its file holds it, and how a message calls the two."""

    values: np.ndarray[Any, Any]
    file: str | Path
    name: str

    def error(self, problem: str) -> DataError:
        """An error about this array, for the caller to raise."""
        return DataError(self.file, f"{self.name} {problem}")


class RawParts(NamedTuple):
    """Images, or other inputs, and labels of the training and the test part, maybe a third."""

    train_images: RawArray
    train_labels: RawArray
    test_images: RawArray
    test_labels: RawArray
    validation_images: RawArray | None = None
    validation_labels: RawArray | None = None


class _IdxFile(NamedTuple):
    """One of the four IDX files: the names it goes by, its content, its number of axes."""

    names: tuple[str, ...]
    content: str
    axes: int

    @classmethod
    def of(cls, part: str, content: str, axes: int) -> _IdxFile:
        plain = tuple(f"{part}-{content}{mark}idx{axes}-ubyte" for mark in "-.")
        return cls((*plain, *(f"{name}.gz" for name in plain)), content, axes)

    def find(self, present: Collection[str]) -> str | None:
        return next((name for name in self.names if name in present), None)


_IDX_FILES = tuple(
    _IdxFile.of(part, content, axes)
    for part in ("train", "t10k")
    for content, axes in (("images", 3), ("labels", 1))
)


# The names of IDX files do not tell MNIST from Fashion-MNIST, but CIFAR never comes as IDX.
_IDX_DATASETS = ("mnist", "fashion_mnist")


def read_folder(folder: Path, dataset: str) -> RawParts:
    """Reads a dataset from the first there is of `<dataset>.npz`, IDX files, the only .npz.

    An .npz that bears another dataset's name is not taken for this one, so that one folder
    may serve several.

    Raises:
        ArgumentError: If there is no such folder.
        DataError: If a file is missing or not what its name says.
    """
    try:
        present = sorted(os.listdir(folder))
    except _DAMAGE as error:
        raise checks.ArgumentError(
            "data_dir",
            f"must be a folder that can be read; given {str(folder)!r}: {reason(error)}",
        ) from None
    named = f"{dataset}.npz"
    if named in present:
        return read_npz(folder / named)
    if dataset in _IDX_DATASETS and any(file.find(present) for file in _IDX_FILES):
        return RawParts(*(_read_idx(folder, file.find(present), file) for file in _IDX_FILES))
    others = [f"{other}.npz" for other in DATASETS]
    archives = [name for name in present if name.endswith(".npz") and name not in others]
    if len(archives) == 1:
        return read_npz(folder / archives[0])
    if archives:
        raise DataError(
            folder, f"must hold {named} or a single .npz file; holds {', '.join(archives)}"
        )
    idx = [file.names[0] for file in _IDX_FILES] if dataset in _IDX_DATASETS else []
    looked_for = ", ".join([named, *(f"{name} (or .gz)" for name in idx), "*.npz"])
    raise DataError(folder, f"holds no data of {dataset}; looked for {looked_for}")


def _read_idx(folder: Path, name: str | None, file: _IdxFile) -> RawArray:
    if name is None:
        raise DataError(folder / file.names[0], f"no such file; looked for {', '.join(file.names)}")
    path = folder / name
    data = _read_bytes(path)
    magic = struct.pack(">I", _IDX_UBYTE + file.axes)
    if data[:4] != magic[: len(data)]:
        raise DataError(
            path,
            f"must be an IDX file of {file.content}, beginning with the bytes {magic.hex()}; "
            f"begins with {data[:4].hex()}",
        )
    start = 4 + 4 * file.axes
    if len(data) < start:
        raise DataError(path, f"ends within its header, after {len(data)} of {start} bytes")
    shape = struct.unpack(f">{file.axes}I", data[4:start])
    promised, held = math.prod(shape), len(data) - start
    if held != promised:
        raise DataError(
            path,
            f"{'is truncated' if held < promised else 'has trailing bytes'}: its header promises "
            f"{promised} bytes of {file.content}, {held} follow",
        )
    return RawArray(np.frombuffer(data, np.uint8, offset=start).reshape(shape), path, file.content)


def _read_bytes(path: Path) -> bytes:
    """A file's content, uncompressed; its first bytes tell, as browsers unpack but keep .gz."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except _DAMAGE as error:
        raise DataError(path, f"cannot be read ({reason(error)})") from None


def read_npz(path: Path) -> RawParts:
    """Reads x_train, y_train, x_test, y_test and, where they are there, x_val and y_val.

    Raises:
        DataError: If the file is missing, damaged, or lacks one of them.
    """
    try:
        # Opened here, as NumPy leaves a file open that it finds damaged.
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise DataError(path, "must be an .npz file; is something else, or truncated")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return of_mapping(archive, path)
    except DataError:  # A ValueError too, but with its message written.
        raise
    except _DAMAGE as error:
        raise DataError(path, f"cannot be read ({reason(error)})") from None


def of_mapping(arrays: Mapping[str, Any], file: str | Path) -> RawParts:
    """The arrays of an .npz file or a dict.

    Args:
        arrays: By name; others than those that are looked for are left.
        file: What a message calls the mapping.

    Raises:
        DataError: If one is missing, or is no array.
    """
    given = [key for key in _VALIDATION_KEYS if key in arrays]
    wanted = (*_KEYS, *(_VALIDATION_KEYS if given else ()))
    lacking = [key for key in wanted if key not in arrays]
    if lacking:
        held = ", ".join(map(str, arrays)) or "nothing"
        raise DataError(file, f"lacks {', '.join(lacking)}; holds {held}")
    found = []
    for key in wanted:
        try:
            found.append(RawArray(np.asarray(arrays[key]), file, key))
        except (ValueError, TypeError) as error:
            if isinstance(arrays, dict):  # Rows of different lengths; else the file is damaged.
                raise DataError(file, f"{key} must be an array ({error})") from None
            raise
    return RawParts(*found)


def reason(error: Exception) -> str:
    """What an exception says of a file, shortened."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    # zipfile's message may quote half of the file.
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."

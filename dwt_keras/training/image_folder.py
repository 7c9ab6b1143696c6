"""A folder with a folder of images for each class, read while the network trains.

What is there, and the header of every file, is checked before; without TensorFlow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.settings.data import AUTO, GRAYSCALE
from dwt_keras.training import image_headers
from dwt_keras.training.array_data import SPLIT_SEED, validation_count
from dwt_keras.training.data_files import DataError, reason
from dwt_keras.training.parts import StreamPart
from dwt_keras.training.sampling import systematic

if TYPE_CHECKING:
    import tensorflow as tf

Array = np.ndarray[Any, Any]

_TRAIN, _TEST, _VALIDATION = ("train", "training"), ("test",), ("val", "validation", "valid")
# Reading headers waits for the disk.
_THREADS = 8


@dataclass(frozen=True, eq=False)
class _Files:
    """Image files and the class of each."""

    paths: Array
    labels: Array

    def __getitem__(self, chosen: Array) -> _Files:
        return _Files(self.paths[chosen], self.labels[chosen])


def load(
    settings: DataSettings,
) -> tuple[int, tuple[str, ...], tuple[StreamPart, StreamPart, StreamPart]]:
    """Finds and checks the images of a folder.

    Its folders are classes, in the order of their names, or it has such folders in `train` and
    `test`, and maybe in `val`. Parts that are not there are drawn evenly from all classes, always
    the same. Hidden files are passed over; any other file must be a PNG or JPEG image.

    Args:
        settings: The folder, and how to bring its images to one size and one number of channels.

    Returns:
        Number of classes, their names; training, validation and test part.

    Raises:
        DataError: On a folder without classes or images, or a file that is no image.
        ArgumentError: Where sizes differ and none is given, or a part would be empty.
    """
    root = Path(settings.dataset)
    places = {entry.name.lower(): entry for entry in _folders(root)}
    train_folder = next((places[name] for name in _TRAIN if name in places), None)
    names = [entry.name for entry in _folders(train_folder or root)]
    if len(names) < 2:
        raise DataError(
            train_folder or root,
            "must have a folder of images for each of two classes or more; has "
            f"{', '.join(names) or 'none'}",
        )
    train = _files(train_folder or root, names)
    parts = {}
    for part, words in (("test", _TEST), ("validation", _VALIDATION)):
        found = next((places[word] for word in words if train_folder and word in places), None)
        if found is not None:
            parts[part] = _files(found, names)
        else:
            name = f"{part}_fraction"
            count = validation_count(len(train.labels), getattr(settings, name), name)
            kept, drawn = systematic(train.labels, count, SPLIT_SEED)
            parts[part], train = train[drawn], train[kept]
    # The first samples stand for the others, for calibration say.
    train = train[np.random.default_rng(SPLIT_SEED).permutation(len(train.labels))]
    _check_all_classes(train, names, root)
    files = [train, parts["validation"], parts["test"]]
    headers = _headers([path for part in files for path in part.paths])
    shape = _shape(headers, settings)
    resize = settings.image_size is not None
    streams = [_stream(part, shape, resize, root) for part in files]
    return len(names), tuple(names), (streams[0], streams[1], streams[2])


def _folders(root: Path) -> list[Path]:
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise DataError(root, f"must be a folder that can be read ({reason(error)})") from None
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _files(root: Path, names: Sequence[str]) -> _Files:
    """All images of the classes, by the names of classes and files."""
    unknown = [entry.name for entry in _folders(root) if entry.name not in names]
    if unknown:
        raise DataError(
            root / unknown[0], f"must be the folder of a training class: {', '.join(names)}"
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        place = root / name
        if not place.is_dir():
            raise DataError(place, "no such folder; the training part has this class")
        found = sorted(entry for entry in place.rglob("*") if not _is_hidden(entry, place))
        found = [entry for entry in found if not entry.is_dir()]
        if not found:
            raise DataError(place, "must have images; is empty")
        paths += map(str, found)
        labels += [label] * len(found)
    return _Files(np.array(paths), np.array(labels, np.int32))


def _is_hidden(path: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(place).parts)


def _check_all_classes(train: _Files, names: Sequence[str], root: Path) -> None:
    counts = np.bincount(train.labels, minlength=len(names))
    if not counts.all():
        name = names[int(np.argmin(counts))]
        raise DataError(root, f"class {name} has too few images to be in all parts")


def _headers(paths: Sequence[str]) -> list[tuple[str, image_headers.Header]]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(zip(paths, pool.map(image_headers.read, map(Path, paths)), strict=True))


def _shape(
    headers: Sequence[tuple[str, image_headers.Header]], settings: DataSettings
) -> tuple[int, int, int]:
    """The shape that all images are brought to."""
    first, one = headers[0]
    for path, header in headers:
        if settings.image_size is None and header[:2] != one[:2]:
            raise checks.ArgumentError(
                "image_size",
                f"must be given where images differ in size: {path} has {header.height} x "
                f"{header.width} pixels, {first} has {one.height} x {one.width}",
            )
    height, width = settings.image_size or one[:2]
    all_gray = all(header.is_gray for _, header in headers)
    is_gray = all_gray if settings.color_mode == AUTO else settings.color_mode == GRAYSCALE
    return height, width, 1 if is_gray else 3


def _stream(files: _Files, shape: tuple[int, int, int], resize: bool, root: Path) -> StreamPart:
    def elements() -> tf.data.Dataset:
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((files.paths.tolist(), files.labels))

    def decode(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _decoded(path, shape, resize), label

    def explain() -> None:
        for path in files.paths:
            _check_decodes(str(path), shape, resize)

    return StreamPart(
        labels=files.labels,
        input_shape=shape,
        elements=elements,
        decode=decode,
        shuffle_count=len(files.labels),
        identity=_identity(files, shape, root),
        explain=explain,
    )


def _decoded(path: Any, shape: tuple[int, int, int], resize: bool) -> Any:
    """An image as float32 within 0 and 1, of the shape wanted."""
    import tensorflow as tf

    height, width, channels = shape
    content = tf.io.read_file(path)
    pixels = tf.io.decode_image(content, channels=channels, expand_animations=False)
    pixels.set_shape((None, None, channels))
    values = tf.cast(pixels, tf.float32) / 255.0
    if resize:
        # Without antialiasing, shrinking leaves most pixels out.
        values = tf.image.resize(values, (height, width), antialias=True)
        values = tf.clip_by_value(values, 0.0, 1.0)
    return tf.ensure_shape(values, shape)


def _check_decodes(path: str, shape: tuple[int, int, int], resize: bool) -> None:
    import tensorflow as tf

    try:
        _decoded(path, shape, resize)
    except (tf.errors.OpError, ValueError) as error:  # ValueError: of another size than stated.
        said = " ".join(str(getattr(error, "message", error)).split())
        raise DataError(path, f"cannot be decoded ({said[:200]})") from None


def _identity(files: _Files, shape: tuple[int, int, int], root: Path) -> str:
    """A hash of names, sizes and times of the files, which need not be read for it."""
    digest = hashlib.blake2b(str(shape).encode(), digest_size=16)
    for path in map(Path, files.paths):
        state = path.stat()
        digest.update(f"{path.relative_to(root)}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()

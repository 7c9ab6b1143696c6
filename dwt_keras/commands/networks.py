"""Files of networks: compact ones, Keras archives and SavedModels; what they predict."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dwt_keras import checks
from dwt_keras.coding import container
from dwt_keras.compression import sections

if TYPE_CHECKING:
    from dwt_keras.training.data import Dataset, Part

Array = np.ndarray[Any, Any]

COMPACT, ARCHIVE, LITERT = ".dwtz", ".keras", ".tflite"
_BATCH = 1000


@dataclass(frozen=True)
class Network:
    """A network that can be asked.

    Attributes:
        source: The file that it is from.
        input_shape: Shape of one input; None for lengths that are free.
        predict: From inputs of shape (samples, ...) to outputs of shape (samples, ...).
    """

    source: str
    input_shape: tuple[int | None, ...]
    predict: Callable[[Array], Array]


def limits(trusted: bool) -> container.Limits:
    """What a compact file may ask for."""
    return container.UNLIMITED if trusted else container.LIMITS


def check_archive(path: str) -> None:
    """Checks, without loading TensorFlow, that a path is that of a Keras archive.

    Raises:
        UserError: If it is anything else.
    """
    if not Path(path).is_file():
        raise _no_file(path, ARCHIVE)
    if Path(path).suffix != ARCHIVE or not zipfile.is_zipfile(path):
        raise checks.UserError(
            f"{path}: must be a {ARCHIVE} file, as Keras 3 saves a whole model; it is none"
        )


def open_compact(path: str, trusted: bool) -> sections.Opened:
    """Opens a compact file, without loading TensorFlow or decoding it.

    Raises:
        UserError: If it is missing, or anything else.
    """
    if not Path(path).is_file():
        raise _no_file(path, COMPACT)
    return sections.read(Path(path), limits(trusted))


def check_target(path: str, *suffixes: str, source: str) -> None:
    """Checks that a file or folder can be written at a path, and that nothing is lost by it.

    Raises:
        UserError: If it has none of the suffixes ("" for a folder), lies in no folder, is the
            source, or is a folder that stands there.
    """
    place = Path(path)
    if place.suffix not in suffixes and "" not in suffixes:
        raise checks.UserError(f"{path}: must end in {' or '.join(suffixes)}")
    if not place.absolute().parent.is_dir():
        raise checks.UserError(f"{path}: must lie in a folder that is there; {place.parent} is not")
    if place.exists() and Path(source).exists() and place.samefile(source):
        raise checks.UserError(f"{path}: must be another file than what is read")
    if place.is_dir():
        raise checks.UserError(f"{path}: must not be there yet; it is a folder")


def _no_file(path: str, suffix: str) -> checks.UserError:
    found = "it is a folder" if Path(path).is_dir() else "there is no file of that name"
    return checks.UserError(f"{path}: must be a {suffix} file; {found}{_nearby(path, suffix)}")


def _nearby(path: str, suffix: str) -> str:
    """What a message adds about a run's folder, which has such a file."""
    meant = Path(path) / f"model{suffix}"
    return f" (did you mean {meant}?)" if meant.is_file() else ""


def load_archive(path: str) -> Any:
    """The Keras model of an archive, not compiled.

    Raises:
        UserError: If Keras cannot load it.
    """
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the archive makes it stumble over.
        raise checks.UserError(f"{path}: Keras cannot load it: {checks.said(error)}") from error


def load_compact(path: str, trusted: bool) -> Any:
    """The Keras model of a compact file.

    Raises:
        CodecError: If the file is damaged, hostile, or has weights alone.
    """
    from dwt_keras.compression import artifact

    return artifact.load_compressed(path, limits(trusted))


def check_network(path: str, trusted: bool) -> None:
    """Checks, without loading TensorFlow, that a path may be that of a network.

    Raises:
        UserError: If it is neither a compact file nor a Keras archive nor a SavedModel folder.
    """
    if (Path(path) / "saved_model.pb").is_file():
        return
    if Path(path).suffix == LITERT and Path(path).is_file():
        return
    if Path(path).suffix == ARCHIVE:
        check_archive(path)
    elif Path(path).is_file():
        open_compact(path, trusted)
    else:
        raise checks.UserError(
            f"{path}: must be a {COMPACT}, {ARCHIVE} or {LITERT} file, or the folder of a "
            f"SavedModel (serving/1 of a run){_nearby(path, COMPACT)}"
        )


def load(path: str, trusted: bool) -> Network:
    """The network of a file or folder that `check_network` let pass.

    Raises:
        UserError: If it cannot be loaded.
    """
    if Path(path).is_dir():
        return _saved_model(path)
    if Path(path).suffix == LITERT:
        return _litert(path)
    model = load_archive(path) if Path(path).suffix == ARCHIVE else load_compact(path, trusted)
    return of_model(model, path)


def of_model(model: Any, source: str) -> Network:
    """A Keras model as a network.

    Raises:
        UserError: If it has more than one input or output.
    """
    if not hasattr(model, "inputs") or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise checks.UserError(f"{source}: must have one input and one output to be evaluated")

    def predict(images: Array) -> Array:
        return np.asarray(model.predict(images, batch_size=_BATCH, verbose=0))

    return Network(source, tuple(model.inputs[0].shape[1:]), predict)


def accuracy(network: Network, part: Part, classes: int) -> float:
    """The share of samples whose largest output is that of their label."""
    found = _outputs(network, part, classes)
    return float(np.mean(found.argmax(axis=1) == part.labels))


def score(network: Network, dataset: Dataset) -> tuple[float, float | None]:
    """Accuracy and cross-entropy on the test part of a dataset.

    Returns:
        The accuracy, and the mean loss; None for outputs that are no probabilities.

    Raises:
        UserError: If the network takes other inputs or gives other outputs.
    """
    found = _outputs(network, dataset.test, dataset.classes)
    labels = dataset.test.labels
    loss = None
    if found.min() >= 0 and np.allclose(found.sum(axis=1), 1.0, atol=1e-3):
        likelihood = found[np.arange(len(labels)), labels].astype(np.float64)
        loss = float(-np.log(np.maximum(likelihood, 1e-7)).mean())
    return float(np.mean(found.argmax(axis=1) == labels)), loss


def _outputs(network: Network, part: Part, classes: int) -> Array:
    batches = part.arrays(_BATCH)
    found = np.concatenate([network.predict(_fitting(network, inputs)) for inputs, _ in batches])
    if found.shape != (len(part), classes):
        raise checks.UserError(
            f"{network.source}: gives outputs of shape {found.shape[1:]}, the data have {classes} "
            "classes"
        )
    return found


def _fitting(network: Network, images: Array) -> Array:
    """The images in the shape that the network takes: flattened, say, or without channels."""
    wanted, given = network.input_shape, images.shape[1:]
    if len(wanted) == len(given) and all(
        length in (None, size) for length, size in zip(wanted, given, strict=True)
    ):
        return images
    known = [length for length in wanted if length is not None]
    if len(known) < len(wanted) or math.prod(known) != math.prod(given):
        raise checks.UserError(
            f"{network.source}: takes inputs of shape {wanted}, the images have {given}"
        )
    return images.reshape(len(images), *known)


def signature(path: str) -> Any:
    """The function of a SavedModel's signature `serving_default`, from named to named tensors.

    Raises:
        UserError: If TensorFlow cannot load it.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(path)
        serve = loaded.signatures["serving_default"]
    except Exception as error:  # TensorFlow raises whatever it stumbles over.
        raise checks.UserError(
            f"{path}: TensorFlow cannot load it: {checks.said(error)}"
        ) from error
    # The signature holds on to the variables by way of the object that was loaded.
    serve.loaded = loaded
    return serve


def _saved_model(path: str) -> Network:
    import tensorflow as tf

    serve = signature(path)
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1 or len(serve.structured_outputs) != 1:
        raise checks.UserError(f"{path}: must have one input and one output to be evaluated")
    ((name, spec),) = inputs.items()

    def predict(images: Array) -> Array:
        batches = [
            next(iter(serve(**{name: tf.constant(images[at : at + _BATCH])}).values())).numpy()
            for at in range(0, len(images), _BATCH)
        ]
        return np.concatenate(batches)

    return Network(path, tuple(spec.shape[1:]), predict)


def _litert(path: str) -> Network:
    from dwt_keras.training import litert

    interpreter = litert.Interpreter(Path(path))
    return Network(path, interpreter.input_shape, interpreter.predict)

"""Networks that are not built in: an archive, a function, one of keras.applications."""

from __future__ import annotations

import contextlib
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

from dwt_keras import checks, native
from dwt_keras.compression import graph
from dwt_keras.settings import Settings, sources
from dwt_keras.settings.transfer import FRESH, IMAGENET
from dwt_keras.training import imported
from dwt_keras.training.rebuilding import rebuilt

# The smallest images that most of keras.applications take; the others say theirs.
_SMALLEST_IMAGE = 32
_HEAD = "classes"


def build(settings: Settings, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Builds the network that the settings name, with the weights that come with it.

    Args:
        settings: Name it, and the weights of one of keras.applications.
        input_shape: Shape of one input of the data. Where an archive or a function's network takes
            as many numbers in another shape, they are brought into it.
        classes: Number of classes. An archive's last layer is replaced where it has another.

    Returns:
        A Functional or Sequential model with one input and one output, the probabilities of the
        classes.

    Raises:
        UserError: If it cannot be had, or does not go with the data.
    """
    name = settings.training.model
    # Else the names of layers count those of all networks before, and no two trainings of a run
    # had the same.
    _reset_names()
    if sources.model_kind(name) == sources.APPLICATION:
        return _application(sources.after_colon(name), settings, input_shape, classes)
    if sources.model_kind(name) == sources.ARCHIVE:
        model = load_archive("model", name)
    else:
        model = imported.call("model", name, input_shape=input_shape, classes=classes)
    _check_single(model, name)
    model = _fitted(model, name, input_shape)
    if sources.model_kind(name) == sources.ARCHIVE:
        model = _with_head(model, name, classes)
    if tuple(model.outputs[0].shape[1:]) != (classes,):
        raise checks.ArgumentError(
            "model",
            f"must give one output for each of the {classes} classes; {name} gives outputs of "
            f"shape {tuple(model.outputs[0].shape[1:])}",
        )
    return _with_probabilities(model)


def load_archive(argument: str, path: str) -> Any:
    """The Keras model of an archive, not compiled.

    Args:
        argument: The flag that names it, for the message.
        path: A .keras file.

    Raises:
        ArgumentError: If Keras cannot load it.
    """
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the archive makes it stumble over.
        raise checks.ArgumentError(
            argument, f"must be a file that Keras can load; {path}: {checks.said(error)}"
        ) from error


def _reset_names() -> None:
    from keras.src.utils import naming  # Keras has no public way but clear_session, which is more.

    naming.reset_uids()


def _check_single(model: Any, name: str) -> None:
    if not isinstance(model, keras.Model):
        raise checks.ArgumentError(
            "model", f"must return a Keras model; {name} returned {type(model).__name__}"
        )
    if len(getattr(model, "inputs", None) or ()) != 1 or len(model.outputs) != 1:
        raise checks.ArgumentError(
            "model",
            "must be a Functional or Sequential network with one input and one output; "
            f"{name} is none",
        )


def _fitted(model: keras.Model, name: str, input_shape: tuple[int, ...]) -> keras.Model:
    """The network for inputs of the shape that the data have."""
    wanted = tuple(model.inputs[0].shape[1:])
    if wanted == input_shape:
        return model
    if len(wanted) == len(input_shape) and all(
        length in (None, size) for length, size in zip(wanted, input_shape, strict=True)
    ):
        return rebuilt(model, input_shape)
    if None in wanted or math.prod(wanted) != math.prod(input_shape):
        raise checks.ArgumentError(
            "model",
            f"must take inputs of the data's shape, {input_shape}; {name} takes {wanted}",
        )
    return rebuilt(model, input_shape, before=layers.Reshape(wanted, name="as_the_network_takes"))


def _with_head(model: keras.Model, name: str, classes: int) -> keras.Model:
    """The network with a new last layer where it has another number of classes."""
    if tuple(model.outputs[0].shape[1:]) == (classes,):
        return model
    last = model.outputs[0]._keras_history[0]
    if not isinstance(last, layers.Dense):
        raise checks.ArgumentError(
            "model",
            f"must end in a Dense layer to get a new one for {classes} classes; {name} ends in "
            f"{type(last).__name__}",
        )
    taken = {layer.name for layer in model.layers if layer is not last}
    head = _head(classes, _HEAD if _HEAD not in taken else f"{_HEAD}_{classes}")
    return rebuilt(model, tuple(model.inputs[0].shape[1:]), behind=head, without=last)


def _head(classes: int, name: str = _HEAD) -> layers.Layer:
    # The probabilities stay float32 whatever the global policy: their logarithm is taken.
    return layers.Dense(classes, activation="softmax", dtype="float32", name=name)


def _with_probabilities(model: keras.Model) -> keras.Model:
    """The network with a Softmax behind a last layer that has no activation."""
    last = graph.makers(model)[-1]
    if getattr(last, "activation", None) is not keras.activations.linear:
        return model
    if model.outputs[0]._keras_history[0] is not last:  # Something follows, a Softmax say.
        return model
    softmax = layers.Softmax(dtype="float32", name="probabilities")
    return rebuilt(model, tuple(model.inputs[0].shape[1:]), behind=softmax)


def _application(
    name: str, settings: Settings, input_shape: tuple[int, ...], classes: int
) -> keras.Model:
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise checks.ArgumentError(
            "model",
            f"applications:{name} takes images in grey or in three colours; the data have inputs "
            f"of shape {input_shape}",
        )
    height, width = (max(size, _SMALLEST_IMAGE) for size in input_shape[:2])
    make = getattr(keras.applications, name)
    preprocess = sys.modules[make.__module__].preprocess_input
    body = _body(make, name, (height, width), settings.transfer.weights)
    shape = body.inputs[0].shape[1:]

    def prepared(images: Any) -> Any:
        if tuple(shape[:2]) != input_shape[:2]:
            resized = layers.Resizing(
                shape[0], shape[1], data_format="channels_last", name="resized"
            )
            images = resized(images)
        if input_shape[2] == 1:
            images = layers.Concatenate(name="three_channels")([images] * 3)
        return _preprocessed(images, preprocess)

    return rebuilt(body, input_shape, before=prepared, behind=_head(classes))


def _body(make: Any, name: str, size: tuple[int, int], weights: str | None) -> Any:
    """One of keras.applications without its top, of the smallest size that holds the images."""
    wanted = IMAGENET if weights is None else weights

    def made(height: int, width: int) -> Any:
        options = {"include_top": False, "pooling": "avg", "input_shape": (height, width, 3)}
        try:
            body = make(weights=None, **options)
        except ValueError as error:
            least = re.search(r"at least (\d+)x(\d+)", str(error))
            if not least or (height, width) >= (int(least[1]), int(least[2])):
                raise checks.ArgumentError(
                    "model", f"applications:{name} cannot be built: {imported.said(error)}"
                ) from error
            return made(max(height, int(least[1])), max(width, int(least[2])))
        if wanted == IMAGENET:
            return _downloaded(make, name, options)
        if wanted != FRESH:
            try:
                body.load_weights(wanted)
            except Exception as error:  # Keras and h5py raise whatever they stumble over.
                raise checks.ArgumentError(
                    "weights",
                    f"must be those of {name} without its top; {wanted}: {checks.said(error)}",
                ) from error
        return body

    with _channels_last():
        return made(*size)


def _downloaded(make: Any, name: str, options: dict[str, Any]) -> Any:
    try:
        with native.messages_hidden():
            return make(weights=IMAGENET, **options)
    except Exception as error:  # Keras raises a bare Exception where there is no network.
        raise checks.ArgumentError(
            "weights",
            f"imagenet of {name} cannot be had ({checks.said(error)}); give FILE.h5 if you have "
            "them, or none for fresh ones",
        ) from error


def _preprocessed(images: Any, preprocess: Any) -> Any:
    """What an application's preprocess_input makes of pixels in 0..255, from pixels in 0..1.

    All of them scale and shift each channel, some in the order of blue, green, red. Which, is
    found by giving it black and the three colours.
    """
    colours = 255.0 * np.concatenate([np.zeros((1, 3)), np.eye(3)]).reshape(4, 1, 1, 3)
    found = np.asarray(preprocess(colours.copy(), data_format="channels_last")).reshape(4, 3)
    offset, matrix = found[0], found[1:] - found[0]
    is_flipped = bool(np.abs(np.diag(matrix)).sum() < np.abs(np.diag(matrix[:, ::-1])).sum())
    if is_flipped:
        images = keras.ops.flip(images, axis=-1)
        matrix = matrix[::-1]
    scale = np.diag(matrix)
    scaled = layers.Rescaling(scale.tolist(), offset.tolist(), name="as_it_was_trained")
    return scaled(images)


@contextlib.contextmanager
def _channels_last() -> Iterator[None]:
    """Channels are last in the data, whatever ~/.keras/keras.json says."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)

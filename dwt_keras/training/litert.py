"""A network as LiteRT files: float32, int8 weights, and int8 throughout.

LiteRT is what TensorFlow Lite is called now. Its interpreter runs where TensorFlow does not: the
files need the package ai-edge-litert alone.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dwt_keras import checks, files, native
from dwt_keras.training import export
from dwt_keras.training.parts import Part

Array = np.ndarray[Any, np.dtype[Any]]

FLOAT, DYNAMIC, FULL = "model.tflite", "model_int8.tflite", "model_full_int8.tflite"
# How many samples tell the ranges of activations.
_REPRESENTATIVE = 256
_BATCH = 1000


def save(model: keras.Model, folder: Path, train: Part) -> dict[str, int]:
    """Writes `model.tflite`, `model_int8.tflite` and `model_full_int8.tflite`.

    Inputs and outputs of all three are float32; the second has int8 weights and quantises
    activations as it meets them (dynamic range), the third has int8 activations too, whose ranges
    are those that samples show.

    Args:
        model: A Functional or Sequential model with one input.
        folder: Where the files go.
        train: Whose first inputs tell the ranges of activations.

    Returns:
        Sizes in bytes by file name.

    Raises:
        UserError: If the converter cannot convert the model.
    """
    samples = train.samples(_REPRESENTATIVE)

    def representative() -> Iterator[list[Array]]:
        for sample in samples:
            yield [sample[np.newaxis]]

    sizes = {}
    with tempfile.TemporaryDirectory() as temporary:
        # Of a SavedModel the converter makes constants of variables, of a Keras model it does not.
        source = Path(temporary) / "1"
        export.save_serving(model, source)
        for name in (FLOAT, DYNAMIC, FULL):
            converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
            if name != FLOAT:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if name == FULL:
                converter.representative_dataset = representative
            try:
                with native.messages_hidden():
                    data = converter.convert()
            except Exception as error:  # The converter raises whatever its passes stumble over.
                said = str(error).strip().splitlines()[:1]
                raise checks.UserError(
                    f"{name}: LiteRT cannot have it: {' '.join(said)}"
                ) from error
            with files.replacing(folder / name) as target:
                target.write_bytes(data)
            sizes[name] = len(data)
    return sizes


class Interpreter:
    """A LiteRT file, ready to be run.

    Args:
        path: The file.
        threads: How many threads it may use.

    Attributes:
        input_shape: Shape of one input.

    Raises:
        UserError: If the package ai-edge-litert is not installed, or the file is none of LiteRT
            with one input and one output.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        try:
            self._interpreter = _interpreter_class()(model_path=str(path), num_threads=threads)
        except ValueError as error:
            raise checks.UserError(f"{path}: LiteRT cannot load it: {error}") from None
        self._batch = 0
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1 or len(self._interpreter.get_output_details()) != 1:
            raise checks.UserError(f"{path}: must have one input and one output")
        (given,) = inputs
        self.input_shape = tuple(int(length) for length in given["shape"][1:])

    def __call__(self, inputs: Array) -> Array:
        """The outputs for inputs of shape (samples, ...)."""
        (given,) = self._interpreter.get_input_details()
        if len(inputs) != self._batch:
            with native.messages_hidden():
                self._interpreter.resize_tensor_input(given["index"], inputs.shape)
                self._interpreter.allocate_tensors()
            self._batch = len(inputs)
        self._interpreter.set_tensor(given["index"], inputs)
        self._interpreter.invoke()
        (found,) = self._interpreter.get_output_details()
        return np.asarray(self._interpreter.get_tensor(found["index"]))

    def predict(self, inputs: Array) -> Array:
        """The same for any number of inputs, a thousand at a time."""
        batches = [self(inputs[at : at + _BATCH]) for at in range(0, len(inputs), _BATCH)]
        return np.concatenate(batches)


def accuracies(folder: Path, part: Part) -> dict[str, float]:
    """Runs the files of a folder.

    Args:
        folder: Where `save` wrote them.
        part: On what.

    Returns:
        Accuracies, 0 to 1, by file name.

    Raises:
        UserError: If the package ai-edge-litert is not installed.
    """
    found = {}
    for name in (FLOAT, DYNAMIC, FULL):
        interpreter = Interpreter(folder / name)
        right = sum(
            int(np.sum(interpreter(inputs).argmax(axis=1) == labels))
            for inputs, labels in part.arrays(_BATCH)
        )
        found[name] = right / len(part)
    return found


def is_installed() -> bool:
    """Whether LiteRT files can be run here."""
    return importlib.util.find_spec("ai_edge_litert") is not None


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        raise checks.UserError(
            "LiteRT files need the package ai-edge-litert: pip install 'dwt_keras[litert]'"
        ) from None
    return interpreter.Interpreter

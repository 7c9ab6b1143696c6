"""The finished network as files: a Keras archive and a SavedModel for serving."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from dwt_keras import files


def save_keras(model: keras.Model, path: Path) -> None:
    """Writes `model.keras` atomically (Keras' own save leaves half a file when it is killed)."""
    with files.replacing(path) as temporary:
        model.save(temporary)


def save_serving(model: keras.Model, path: Path) -> None:
    """Writes a SavedModel with the signature `serving_default`.

    Each weight is stored once, where `model.export` stores it twice.

    Args:
        model: A built Functional or Sequential model.
        path: The version folder, as TF Serving expects it: `.../serving/1`. Nothing may stand
            there.
    """
    function = signature(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        tf.saved_model.save(
            _Servable(model), str(temporary), signatures={"serving_default": function}
        )


def signature(model: keras.Model) -> Any:
    """The concrete function that answers for a built Functional or Sequential model.

    Its inputs carry the names of the model's inputs, its output is called "outputs" ("outputs_0"
    and so on where there are several without names); the batch size is free.
    """
    names = [tensor.name for tensor in model.inputs]

    def serve(**inputs: Any) -> dict[str, Any]:
        values = [inputs[name] for name in names]
        outputs = model(values[0] if len(values) == 1 else values, training=False)
        if isinstance(outputs, dict):
            return outputs
        if not isinstance(outputs, (list, tuple)):
            return {"outputs": outputs}
        return {f"outputs_{i}": output for i, output in enumerate(outputs)}

    specs = {
        tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name)
        for tensor in model.inputs
    }
    return tf.function(serve).get_concrete_function(**specs)


class _Servable(tf.Module):
    """Holds a model's variables, and nothing else of it, for the SavedModel to find."""

    def __init__(self, model: keras.Model) -> None:
        # Keras takes names that a tf.Module does not, mobilenetv2_1.00_224 say.
        super().__init__(name=re.sub(r"\W|^(?=\d)", "_", model.name))
        self.weights = [variable.value for variable in model.variables]


def folder_bytes(path: Path) -> int:
    """Size of all files below a folder, in bytes."""
    return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())

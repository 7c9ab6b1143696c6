"""What a served network takes and gives, in words and as TF Serving's REST interface states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

NAME = "serving_default"
SAMPLES = "samples"
# Axes of one sample by their number, for data as train.py prepares them.
_AXES = {
    1: ("features",),
    2: ("time", "channels"),
    3: ("height", "width", "channels"),
}
# What numbers are called in a SavedModel, where JSON has such numbers.
_DTYPES = {
    "float16": "DT_HALF",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "int8": "DT_INT8",
    "int16": "DT_INT16",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "uint8": "DT_UINT8",
    "uint16": "DT_UINT16",
    "uint32": "DT_UINT32",
    "uint64": "DT_UINT64",
    "bool": "DT_BOOL",
}


@dataclass(frozen=True)
class Tensor:
    """One input or output.

    Attributes:
        name: What the signature calls it.
        shape: Of one sample; None for lengths that are free.
        dtype: Name of its numbers' type, as NumPy has it.
        axes: What each axis of a sample is; "" where that is not known.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    axes: tuple[str, ...]

    def described(self) -> str:
        """Name, shape and type, for a line on the terminal."""
        lengths = (str(length or "any") for length in self.shape)
        shape = " x ".join(
            f"{length} {axis}" if axis else length
            for length, axis in zip(lengths, self.axes, strict=True)
        )
        return f"{self.name} ({shape or 'a number'}, {self.dtype})"

    def record(self) -> dict[str, Any]:
        """The TensorInfo of TF Serving's metadata; its dimensions are named after the axes."""
        dims = zip((None, *self.shape), (SAMPLES, *self.axes), strict=True)
        return {
            "dtype": _DTYPES[self.dtype],
            "tensor_shape": {
                "dim": [
                    {"size": str(-1 if size is None else size), "name": name} for size, name in dims
                ],
                "unknown_rank": False,
            },
            "name": self.name,
        }


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs of a network.

    Attributes:
        inputs: By name.
        outputs: By name.
        classes: A name for each class, where the data had some.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    classes: tuple[str, ...] = ()

    def metadata(self, name: str) -> dict[str, Any]:
        """The answer to `GET /v1/models/NAME/metadata`; "classes" is what TF Serving lacks."""
        its = {
            "inputs": {each.name: each.record() for each in self.inputs.values()},
            "outputs": {each.name: each.record() for each in self.outputs.values()},
            "method_name": "tensorflow/serving/predict",
        }
        metadata: dict[str, Any] = {"signature_def": {"signature_def": {NAME: its}}}
        if self.classes:
            metadata["classes"] = list(self.classes)
        return {
            "model_spec": {"name": name, "signature_name": NAME, "version": "1"},
            "metadata": metadata,
        }


def is_served(dtype: str) -> bool:
    """Whether JSON has numbers of a type."""
    return dtype in _DTYPES


def sample_axes(shape: tuple[int | None, ...], of_train_py: bool) -> tuple[str, ...]:
    """What the axes of an input's sample are: known for networks of train.py alone."""
    return _AXES.get(len(shape), ("",) * len(shape)) if of_train_py else ("",) * len(shape)


def output_axes(shape: tuple[int | None, ...], of_train_py: bool) -> tuple[str, ...]:
    """What the axes of an output's sample are: a number for each class, of train.py's networks."""
    return ("classes",) if of_train_py and len(shape) == 1 else ("",) * len(shape)


def zeros(signature: Signature, samples: int) -> dict[str, np.ndarray[Any, Any]] | None:
    """Inputs to try a network with; None where a length is free."""
    found = {}
    for name, tensor in signature.inputs.items():
        shape = [length for length in tensor.shape if length is not None]
        if len(shape) < len(tensor.shape):
            return None
        found[name] = np.zeros((samples, *shape), tensor.dtype)
    return found

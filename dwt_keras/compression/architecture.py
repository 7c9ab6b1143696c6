"""A model's architecture as few bytes, and back without trusting them.

The bytes are Keras' own JSON, canonical and without what Keras finds again by itself, in raw
deflate with a preset dictionary. What decode() gives to Keras has passed an allow list first: a
file names classes of Keras, and those that the caller has registered, and nothing else.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state  # The one way to count before making.

from dwt_keras.coding import deflate
from dwt_keras.coding.container import LIMITS, Limits
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import allow_list, strict_json
from dwt_keras.compression.architecture_dictionary import DICTIONARY

# Limits on a file.
_MOST_TEXT = 2**23

# Keras' list of variables that were declared in a stateless scope.
_WAITING = "uninitialized_variables"


def encode(model: keras.Model, limits: Limits = LIMITS) -> bytes:
    """Writes the architecture of a model: layers, connections, names and dtypes, no weights.

    The same model gives the same bytes with the same zlib; another deflate (zlib-ng, say) may
    choose other ones, which decode to the same model.

    Args:
        model: A built model.
        limits: What decode() will be given.

    Raises:
        CodecError: If Keras cannot write it, or decode() would refuse it.
    """
    for layer in model._flatten_layers():
        if issubclass(type(layer), allow_list.REFUSED):
            raise CodecError(f"layer {layer.name!r}: {type(layer).__name__} cannot be stored")
    try:
        text = json.dumps(
            _lean(json.loads(model.to_json())), sort_keys=True, separators=(",", ":")
        ).encode()
    except Exception as error:
        raise CodecError(
            f"model {model.name!r} cannot be stored: {strict_json.line(error)}"
        ) from error
    allow_list.check(strict_json.parsed(text), limits.layer_calls, len(model.weights))
    return deflate.deflated(text, DICTIONARY)


def decode(
    data: bytes,
    most_parameters: int,
    variables: int | None = None,
    most_calls: int = LIMITS.layer_calls,
) -> keras.Model:
    """Builds the model that encode() wrote, all weights zero, not compiled.

    Args:
        data: What encode() returned, or anything.
        most_parameters: Most elements that all variables of the model together may have.
        variables: How many weights it has; None for any number.
        most_calls: Most calls of layers that building it may take (`container.Limits`).

    Raises:
        CodecError: If the bytes are anything but an architecture within the limits.
    """
    tree, others = _checked(data, variables or 0, most_calls)
    most_variables = most_calls if variables is None else variables + others
    bare = _without_statistics(copy.deepcopy(tree))
    if bare != tree:
        _build(bare, most_parameters, most_variables)
    return _build(tree, most_parameters, most_variables)


def check(data: bytes, variables: int, most_calls: int) -> None:
    """Raises CodecError where decode() would before it builds anything."""
    _checked(data, variables, most_calls)


def _checked(data: bytes, variables: int, most_calls: int) -> tuple[Any, int]:
    """The tree of an architecture, and how many variables it may make beyond its weights."""
    text = deflate.inflated(data, DICTIONARY, _MOST_TEXT, "the architecture")
    tree = strict_json.parsed(text)
    return tree, allow_list.check(tree, most_calls, variables)


def fingerprint(model: keras.Model) -> bytes:
    """Returns 8 bytes that agree if the weights of one model fit another.

    They depend on each weight in the model's order: the classes of the layers around it, its own
    name, its shape and its dtype. Names of layers do not count: Keras numbers them anew in each
    process (dense, dense_1), and the paths of variables depend on when a layer was built.
    """
    owners: dict[int, str] = {}
    for path, layer in _walk(model, type(model).__name__):
        for variable in layer.weights:
            # The innermost layer comes last.
            owners[id(variable)] = path
    digest = hashlib.blake2b(digest_size=8)
    for variable in model.weights:
        name = re.sub(r"_\d+$", "", variable.name)
        entry = [owners[id(variable)], name, list(variable.shape), str(variable.dtype)]
        digest.update(json.dumps(entry).encode() + b"\n")
    return digest.digest()


def _walk(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, layer
    for child in layer._flatten_layers(include_self=False, recursive=False):
        yield from _walk(child, f"{path}/{type(child).__name__}")


def _lean(value: Any) -> Any:
    """The tree without what belongs to no architecture, or what building finds again."""
    if isinstance(value, list):
        return [_lean(item) for item in value]
    if not isinstance(value, dict):
        return value
    lean = {key: _lean(item) for key, item in value.items() if key != "compile_config"}
    config = lean.get("config")
    if "class_name" not in lean or not isinstance(config, dict):
        return lean
    if lean["class_name"] == "__keras_tensor__":
        # Keras looks the tensor up by its history; the shape is that of the layer's output.
        lean["config"] = {"keras_history": config["keras_history"]}
    if lean.get("registered_name", "") is None:
        del lean["registered_name"]
    children = config.get("layers")
    if lean["class_name"] == "Functional":
        lean.pop("build_config", None)
        for child in children or []:
            # Keras' own layers are built by being called; others may need what they wrote.
            if child.get("inbound_nodes") and "registered_name" not in child:
                child.pop("build_config", None)
    elif (
        lean["class_name"] == "Sequential"
        and children
        and children[0].get("class_name") == "InputLayer"
    ):
        config.pop("build_input_shape", None)
        for built in (lean, *children):
            if "registered_name" not in built:
                built.pop("build_config", None)
    return lean


def _full(value: Any) -> Any:
    """What Keras expects, where _lean() left something out."""
    if isinstance(value, list):
        return [_full(item) for item in value]
    if not isinstance(value, dict):
        return value
    full = {key: _full(item) for key, item in value.items()}
    if full.get("class_name") == "__keras_tensor__":
        full["config"] |= {"shape": [], "dtype": "float32"}
    elif "module" in full:
        full.setdefault("registered_name", None)
    return full


def _without_statistics(value: Any) -> Any:
    """The tree with the given means of Normalization layers left open, changed in place.

    Keras spreads given ones over the input's shape while it builds, past all limits; open ones
    are variables of the same size, which _build() counts.
    """
    if isinstance(value, dict):
        if value.get("class_name") == "Normalization":
            value["config"] |= {"mean": None, "variance": None}
        for item in value.values():
            _without_statistics(item)
    elif isinstance(value, list):
        for item in value:
            _without_statistics(item)
    return value


def _build(tree: Any, most_parameters: int, most_variables: int) -> keras.Model:
    """Builds the model; its variables are counted before they take memory."""
    counted = _Counted(most_parameters, most_variables)
    before = global_state.get_global_attribute(_WAITING)
    try:
        with keras.StatelessScope():
            # In this scope Keras lists the variables that it would make, and makes them on leaving.
            global_state.set_global_attribute(_WAITING, counted)
            try:
                return _listed(tree, counted)
            except Exception:
                global_state.set_global_attribute(_WAITING, before)
                raise
    except Exception as error:
        # It fails on leaving too, where a variable's first value makes no sense.
        global_state.set_global_attribute(_WAITING, before)
        if counted.refusal is not None:  # Keras wraps what is raised while it builds.
            raise counted.refusal from None
        if isinstance(error, CodecError):
            raise
        raise CodecError(f"Keras cannot build the model: {strict_json.line(error)}") from error


def _listed(tree: Any, counted: _Counted) -> keras.Model:
    """The model of a tree, its variables listed and not yet made."""
    model = keras.saving.deserialize_keras_object(_full(tree), safe_mode=True)
    if not isinstance(model, keras.Model):
        raise CodecError(f"the architecture is that of a {type(model).__name__}, not of a model")
    if not {id(v) for v in model.weights} <= {id(v) for v in counted}:
        raise CodecError("this version of Keras makes variables that cannot be counted")
    for variable in model.weights:
        # They get others; some initializers take seconds, and several times the memory.
        variable._initializer = keras.initializers.Zeros()
    return model


class _Counted(list[keras.Variable]):
    """Variables that are still to be made; one too many raises CodecError."""

    def __init__(self, most_parameters: int, most_variables: int) -> None:
        super().__init__()
        self._most = most_parameters
        self._most_variables = most_variables
        self._total = 0
        self.refusal: CodecError | None = None

    def append(self, variable: keras.Variable) -> None:
        self._total += math.prod(variable.shape)
        if self._total > self._most:
            shape = strict_json.short(tuple(variable.shape))
            self.refusal = CodecError(
                f"the model has more than {self._most} parameters: variable {variable.name} of "
                f"shape {shape} would make {self._total}"
            )
            raise self.refusal
        if len(self) >= self._most_variables:
            self.refusal = CodecError("the model has more variables than the file has tensors")
            raise self.refusal
        super().append(variable)

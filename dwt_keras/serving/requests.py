"""Requests and answers in JSON: what is checked before a network sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from dwt_keras.serving.signature import NAME, Signature, Tensor

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]

INSTANCES, PREDICTIONS = "instances", "predictions"
_SIGNATURE_NAME = "signature_name"
_KEYS = (INSTANCES, _SIGNATURE_NAME)


class RequestError(Exception):
    """A request that is not answered with predictions.

    Attributes:
        status: Of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def decode(body: bytes, signature: Signature) -> dict[str, Array]:
    """The inputs of a request, in the types and shapes that the network takes.

    Args:
        body: `{"instances": [...]}`, one value for each sample; for a network with several inputs,
            or as it pleases the caller, an object with a value for each input.
        signature: What the network takes.

    Returns:
        By name, each of shape (samples, ...).

    Raises:
        RequestError: With status 400 on anything else; the message is one line.
    """
    instances = _instances(body)
    is_plain = len(signature.inputs) == 1 and not isinstance(instances[0], dict)
    has_booleans = b"true" in body or b"false" in body
    found = {}
    for name, tensor in signature.inputs.items():
        values = instances if is_plain else _column(instances, name, signature)
        array = _array(tensor, values)
        # NumPy takes True among numbers for 1.
        if has_booleans and array.dtype.kind != "b" and _holds_boolean(values):
            raise _wrong(tensor, "must be numbers; given true or false")
        found[name] = array
    return found


def encode(outputs: Arrays) -> bytes:
    """The body of an answer.

    Args:
        outputs: By name, each of shape (samples, ...).

    Returns:
        `{"predictions": [...]}`, one value for each sample; an object with a value for each output
        where there are several.

    Raises:
        RequestError: If there are outputs that JSON has no numbers for.
    """
    if not all(np.isfinite(values).all() for values in outputs.values()):
        raise RequestError(
            400, "instances must be such that the outputs are finite; some are NaN or infinite"
        )
    if len(outputs) == 1:
        predictions: Any = next(iter(outputs.values()))
    else:
        rows = zip(*outputs.values(), strict=True)
        predictions = [dict(zip(outputs, row, strict=True)) for row in rows]
    return orjson.dumps({PREDICTIONS: predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def _instances(body: bytes) -> list[Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:  # NaN and numbers beyond all floats are no JSON either.
        raise RequestError(400, f"the body must be JSON: {error}") from None
    if not isinstance(told, dict) or INSTANCES not in told:
        raise RequestError(400, f'the body must be a JSON object with "{INSTANCES}"')
    unknown = sorted(set(told) - set(_KEYS))
    if unknown:
        raise RequestError(
            400, f"the body's keys must be {' and '.join(_KEYS)}; given {_quoted(unknown[0])}"
        )
    if told.get(_SIGNATURE_NAME, NAME) != NAME:
        raise RequestError(400, f"{_SIGNATURE_NAME} must be {NAME}")
    instances = told[INSTANCES]
    if not isinstance(instances, list) or not instances:
        raise RequestError(400, f"{INSTANCES} must be a list of one instance or more")
    return instances


def _column(instances: list[Any], name: str, signature: Signature) -> list[Any]:
    """The values of one input, from instances that have a value for each."""
    expected = set(signature.inputs)
    for instance in instances:
        if not isinstance(instance, dict) or set(instance) != expected:
            raise RequestError(
                400,
                f"each of the {INSTANCES} must be an object with {', '.join(sorted(expected))} and "
                "nothing else",
            )
    return [instance[name] for instance in instances]


def _array(tensor: Tensor, values: list[Any]) -> Array:
    try:
        given = np.asarray(values)
    except ValueError:  # NumPy's words for lists of differing lengths.
        raise _wrong(tensor, f"must all be of shape {_text(tensor.shape)}; theirs differ") from None
    wanted = np.dtype(tensor.dtype)
    if given.dtype.kind not in ("b" if wanted.kind == "b" else "iuf"):
        kinds = "true or false" if wanted.kind == "b" else "numbers"
        raise _wrong(tensor, f"must be {kinds}, in lists of shape {_text(tensor.shape)}")
    shape = given.shape[1:]
    if len(shape) != len(tensor.shape) or any(
        length not in (None, size) for length, size in zip(tensor.shape, shape, strict=True)
    ):
        raise _wrong(tensor, f"must be of shape {_text(tensor.shape)}; given {_text(shape)}")
    if 0 in shape:
        raise _wrong(tensor, f"must have no axis of length 0; given {_text(shape)}")
    return _converted(tensor, given, wanted)


def _converted(tensor: Tensor, given: Array, wanted: np.dtype[Any]) -> Array:
    if wanted.kind == "f":
        with np.errstate(over="ignore"):
            converted = given.astype(wanted)
        if not np.isfinite(converted).all():
            raise _wrong(tensor, f"must be finite numbers that {tensor.dtype} holds")
        return converted
    if wanted.kind in "iu":
        bounds = np.iinfo(wanted)
        if given.dtype.kind == "f" or given.min() < bounds.min or given.max() > bounds.max:
            raise _wrong(tensor, f"must be whole numbers from {bounds.min} to {bounds.max}")
    return given.astype(wanted)


def _holds_boolean(values: Any) -> bool:
    """Whether true or false is in lists that NumPy made an array of."""
    return isinstance(values, bool) or (
        isinstance(values, list) and any(map(_holds_boolean, values))
    )


def _wrong(tensor: Tensor, problem: str) -> RequestError:
    return RequestError(400, f"{INSTANCES} of {tensor.name!r} {problem}")


def _text(shape: tuple[int | None, ...]) -> str:
    """A shape as JSON's readers write it."""
    lengths = ", ".join("any" if length is None else str(length) for length in shape)
    return f"[{lengths}]" if shape else "[], a number"


def _quoted(text: str) -> str:
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return orjson.dumps(shown).decode()

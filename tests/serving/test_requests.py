"""What is made of a request's body, and of outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dwt_keras.serving import requests, signature
from dwt_keras.serving.requests import RequestError

IMAGES = signature.Tensor("images", (2, 3), "float32", ("height", "width"))
TOKENS = signature.Tensor("tokens", (None,), "int8", ("",))
MASK = signature.Tensor("mask", (2,), "bool", ("",))
SCALAR = signature.Tensor("age", (), "float32", ())
SCORES = signature.Tensor("outputs", (4,), "float32", ("classes",))

GOOD = [[0.5, 1, 2], [3, 4, 5]]


def told(*inputs: signature.Tensor) -> signature.Signature:
    return signature.Signature({each.name: each for each in inputs}, {"outputs": SCORES})


def decoded(content: object, *inputs: signature.Tensor) -> dict[str, np.ndarray]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return requests.decode(body, told(*(inputs or (IMAGES,))))


def test_instances_become_an_array() -> None:
    found = decoded({"instances": [GOOD, GOOD], "signature_name": "serving_default"})
    assert found["images"].dtype == np.float32
    np.testing.assert_array_equal(found["images"], [GOOD, GOOD])


@pytest.mark.parametrize(
    ("tensor", "values", "dtype"),
    [
        (TOKENS, [[1, -128, 127]], "int8"),
        (MASK, [[True, False]], "bool"),
        (SCALAR, [1, 2.5], "float32"),
        (TOKENS, [{"tokens": [1]}, {"tokens": [2]}], "int8"),
    ],
)
def test_types_and_free_lengths(tensor: signature.Tensor, values: list, dtype: str) -> None:
    (array,) = decoded({"instances": values}, tensor).values()
    plain = [each["tokens"] if isinstance(each, dict) else each for each in values]
    np.testing.assert_array_equal(array, plain)
    assert array.dtype == dtype


def test_several_inputs_come_by_name() -> None:
    rows = [{"images": GOOD, "age": 1}, {"age": 2, "images": GOOD}]
    found = decoded({"instances": rows}, IMAGES, SCALAR)
    np.testing.assert_array_equal(found["age"], [1, 2])
    assert found["images"].shape == (2, 2, 3)


HUGE = "9" * 5000
REFUSED = [
    (b"", "must be JSON"),
    (b"\xff\xfe\x00", "must be JSON"),
    (b"[" * 200_000, "must be JSON"),
    (HUGE.encode(), "must be JSON"),
    (b"[]", 'JSON object with "instances"'),
    ({"inputs": [GOOD]}, 'JSON object with "instances"'),
    ({"instances": GOOD, "more\n": 1}, r'given "more\n"'),
    ({"instances": [GOOD], "signature_name": "other"}, "must be serving_default"),
    ({"instances": []}, "one instance or more"),
    ({"instances": {"images": GOOD}}, "one instance or more"),
    ({"instances": GOOD}, "shape [2, 3]; given [3]"),
    ({"instances": [[GOOD]]}, "shape [2, 3]; given [1, 2, 3]"),
    ({"instances": [GOOD, [[1, 2, 3]]]}, "theirs differ"),
    ({"instances": [[[1, 2, 3], [4, 5]]]}, "theirs differ"),
    ({"instances": [[[1, 2, "3"], [4, 5, 6]]]}, "must be numbers"),
    ({"instances": [[[1, 2, None], [4, 5, 6]]]}, "must be numbers"),
    ({"instances": [[[1, 2, True], [4, 5, 6]]]}, "given true or false"),
    ({"instances": [[[1, 2, {}], [4, 5, 6]]]}, "must be numbers"),
    ({"instances": [GOOD, {"images": GOOD}]}, "theirs differ"),
    ({"instances": [{"images": GOOD}, GOOD]}, "an object with images and nothing else"),
    ({"instances": [{"image": GOOD}]}, "an object with images and nothing else"),
    ({"instances": [[[1, 2, float("nan")], [4, 5, 6]]]}, "must be JSON"),
    ({"instances": [[[1, 2, float("-inf")], [4, 5, 6]]]}, "must be JSON"),
    ({"instances": [[[1, 2, 1e39], [4, 5, 6]]]}, "finite numbers that float32 holds"),
    (b'{"instances": [[[1, 2, 1e999], [4, 5, 6]]]}', "number is infinity"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_refused(content: object, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        decoded(content)
    assert caught.value.status == 400
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_lists_nested_deeper_than_arrays_go() -> None:
    deep = b'{"instances": ' + b"[" * 100 + b"1" + b"]" * 100 + b"}"
    with pytest.raises(RequestError):
        decoded(deep)


@pytest.mark.parametrize(
    ("tensor", "values", "said"),
    [
        (TOKENS, [[128]], "whole numbers from -128 to 127"),
        (TOKENS, [[1.0]], "whole numbers from -128 to 127"),
        (TOKENS, [[True]], "must be numbers"),
        (TOKENS, [[]], "no axis of length 0"),
        (TOKENS, [1], "shape [any]; given [], a number"),
        (MASK, [[1, 0]], "must be true or false"),
    ],
)
def test_types_that_do_not_go(tensor: signature.Tensor, values: list, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        decoded({"instances": values}, tensor)
    assert said in str(caught.value)


def test_one_output_is_a_list_and_several_are_objects() -> None:
    one, two = np.array([[0.5, 1], [2, 3]], "float32"), np.array([7, 8])
    assert json.loads(requests.encode({"outputs": one})) == {"predictions": [[0.5, 1], [2, 3]]}
    assert json.loads(requests.encode({"a": one, "b": two})) == {
        "predictions": [{"a": [0.5, 1], "b": 7}, {"a": [2, 3], "b": 8}]
    }


def test_outputs_that_json_has_no_numbers_for() -> None:
    with pytest.raises(RequestError, match="outputs are finite"):
        requests.encode({"outputs": np.array([np.nan])})

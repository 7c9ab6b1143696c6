"""Keras models as networks that are served, and those that are refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.serving import network
from dwt_keras.serving.requests import RequestError
from dwt_keras.training import export


def served(model: keras.Model, of_train_py: bool = False) -> network.Network:
    return network.of_function(export.signature(model), "it", of_train_py)


def test_several_inputs_and_outputs() -> None:
    one, two = keras.Input((4,), name="one"), keras.Input((), name="two", dtype="int32")
    whole = keras.ops.cast(two, "float32")[:, None] + one
    model = keras.Model([one, two], {"sum": whole, "first": one[:, :1]})
    found = served(model, of_train_py=True)
    assert found.signature.inputs["two"].shape == ()
    assert found.signature.inputs["one"].axes == ("features",)
    assert set(found.signature.outputs) == {"sum", "first"}
    inputs = {"one": np.ones((3, 4), "float32"), "two": np.arange(3, dtype="int32")}
    outputs = found.predict(inputs)
    np.testing.assert_array_equal(outputs["sum"], inputs["two"][:, None] + inputs["one"])
    np.testing.assert_array_equal(outputs["first"], np.ones((3, 1)))


def test_an_index_beyond_an_embedding_is_the_senders_fault() -> None:
    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(5, 2)])
    found = served(model)
    (name,) = found.signature.inputs
    assert found.predict({name: np.zeros((1, 3), "int32")})["outputs"].shape == (1, 3, 2)
    with pytest.raises(RequestError, match="cannot compute on these instances"):
        found.predict({name: np.full((1, 3), 9, "int32")})


def test_a_length_that_is_free_is_not_tried() -> None:
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.Conv1D(3, 4)])
    found = served(model)
    (tensor,) = found.signature.inputs.values()
    assert tensor.shape == (None, 2)
    assert tensor.described().endswith("(any x 2, float32)")
    with pytest.raises(RequestError):  # Shorter than the kernel.
        found.predict({tensor.name: np.zeros((1, 1, 2), "float32")})


def test_what_is_not_served() -> None:
    fixed = keras.Sequential([keras.Input(batch_shape=(2, 3)), keras.layers.Dense(1)])
    with pytest.raises(checks.UserError, match="it: must take any number of samples"):
        served(fixed)
    words = keras.Input((2,), dtype="string")
    with pytest.raises(checks.UserError, match="of type string; only numbers are served"):
        served(keras.Model(words, keras.layers.Identity()(words)))
    image = keras.Input((2,))
    mean = keras.layers.Lambda(lambda x: keras.ops.mean(x, axis=0), output_shape=(2,))(image)
    with pytest.raises(checks.UserError, match=r"must take any number|one value for each sample"):
        served(keras.Model(image, mean))

"""LiteRT files: three of them, that answer as the network does."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import checks
from dwt_keras.compression.structured import WaveletFeatures
from dwt_keras.training import litert
from dwt_keras.training.parts import ArrayPart

SHAPE = (8, 6, 1)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(SHAPE, name="images"),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Flatten(),
            WaveletFeatures((8, 6, 4), list(range(0, 192, 3)), "sym2", 2, (0, 1)),
            layers.Dense(5, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).normal(size=(40, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def folder(model, samples, tmp_path_factory):
    found = tmp_path_factory.mktemp("litert")
    sizes = litert.save(model, found, ArrayPart(samples, np.zeros(40, np.int32)))
    assert sizes == {path.name: path.stat().st_size for path in found.iterdir()}
    assert list(sizes) == [litert.FLOAT, litert.DYNAMIC, litert.FULL]
    return found


@pytest.mark.parametrize(
    ("name", "atol"), [(litert.FLOAT, 1e-5), (litert.DYNAMIC, 0.02), (litert.FULL, 0.05)]
)
def test_answers_as_the_network_does(folder, model, samples, name, atol):
    interpreter = litert.Interpreter(folder / name)
    assert interpreter.input_shape == SHAPE
    for count in (1, 40, 3):
        expected = model.predict(samples[:count], verbose=0)
        np.testing.assert_allclose(interpreter(samples[:count]), expected, atol=atol)


def test_accuracies_are_those_of_the_files(folder, model, samples):
    labels = model.predict(samples, verbose=0).argmax(axis=1)
    labels[:4] = (labels[:4] + 1) % 5
    found = litert.accuracies(folder, ArrayPart(samples, labels))
    assert found[litert.FLOAT] == pytest.approx(0.9)
    assert list(found) == [litert.FLOAT, litert.DYNAMIC, litert.FULL]


def test_full_int8_computes_with_integers(folder):
    """All of its tensors but inputs, outputs and what rescales them are integers."""
    interpreter = litert._interpreter_class()(model_path=str(folder / litert.FULL))
    kinds = [detail["dtype"] for detail in interpreter.get_tensor_details()]
    assert sum(kind == np.float32 for kind in kinds) <= 2
    assert np.int8 in kinds


def test_a_damaged_file_is_told_in_one_line(folder, tmp_path):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes((folder / litert.FLOAT).read_bytes()[500:900])
    with pytest.raises(checks.UserError, match=r"damaged\.tflite: LiteRT cannot load it"):
        litert.Interpreter(damaged)


def test_without_the_package_one_line_tells_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    with pytest.raises(checks.UserError, match=r"pip install 'dwt_keras\[litert\]'"):
        litert.Interpreter(Path("model.tflite"))

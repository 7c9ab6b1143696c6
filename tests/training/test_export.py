"""The SavedModel: its signature, its size, its answers."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dwt_keras.training import export


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1), name="images"),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(300, activation="softmax"),
        ]
    )


def test_it_answers_as_predict_at_any_batch_size(model: keras.Model, tmp_path: Path) -> None:
    export.save_serving(model, tmp_path / "serving" / "1")
    serve = tf.saved_model.load(str(tmp_path / "serving" / "1")).signatures["serving_default"]
    model.compile(jit_compile=False)
    for samples in (1, 7):
        images = np.random.default_rng(samples).random((samples, 6, 6, 1), np.float32)
        served = serve(images=tf.constant(images))["outputs"].numpy()
        np.testing.assert_array_equal(served, model.predict(images, verbose=0))


def test_it_holds_each_weight_once(model: keras.Model, tmp_path: Path) -> None:
    export.save_serving(model, tmp_path / "1")
    stored = (tmp_path / "1" / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert 4 * model.count_params() <= stored < 4 * model.count_params() + 4096


def test_several_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    both = keras.layers.Concatenate()([left, right])
    model = keras.Model([left, right], [keras.layers.Dense(2)(both), both])
    export.save_serving(model, tmp_path / "1")
    serve = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    served = serve(left=tf.ones((1, 3)), right=tf.zeros((1, 2)))
    np.testing.assert_array_equal(served["outputs_1"].numpy(), [[1, 1, 1, 0, 0]])
    assert served["outputs_0"].shape == (1, 2)


def test_keras_archive_loads_and_leaves_no_temporary(model: keras.Model, tmp_path: Path) -> None:
    export.save_keras(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.keras"]


def test_folder_bytes_counts_files_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "deep" / "b").write_bytes(b"123")
    assert export.folder_bytes(tmp_path) == 8

"""What a run sets for the whole process is gone after it; what it ships is float32."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from tensorflow.python.framework import config

from dwt_keras.settings import Settings
from dwt_keras.settings.numerics import NumericsSettings
from dwt_keras.training import models, numerics, optimizers

ASKED = NumericsSettings(mixed_precision="mixed_bfloat16", deterministic=True)


def state() -> tuple[str, bool]:
    return keras.config.dtype_policy().name, config.is_op_determinism_enabled()


def test_precision_and_determinism_are_set_and_restored() -> None:
    assert state() == ("float32", False)
    with numerics.precision(ASKED), numerics.determinism(ASKED):
        assert state() == ("mixed_bfloat16", True)
        # What asks for nothing, or for the same, changes nothing for what stands around it.
        for inner in (NumericsSettings(), ASKED):
            with numerics.precision(inner), numerics.determinism(inner):
                assert state() == ("mixed_bfloat16", True)
            assert state() == ("mixed_bfloat16", True)
    assert state() == ("float32", False)


def test_they_are_restored_after_an_error_too() -> None:
    with (
        pytest.raises(ValueError, match="training"),
        numerics.precision(ASKED),
        numerics.determinism(ASKED),
    ):
        raise ValueError("training")
    assert state() == ("float32", False)


def test_a_trained_network_computes_in_float32() -> None:
    settings = Settings.from_flat({"model": "cnn", "mixed_precision": "mixed_bfloat16"})
    with numerics.precision(settings.numerics):
        model = models.build(settings.training, (8, 8, 1), 3)
    optimizers.compile_model(model, settings, 5)
    plain = models.build(settings.training, (8, 8, 1), 3)
    plain.set_weights(model.get_weights())
    images = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    assert model.get_layer("conv_2").compute_dtype == "bfloat16"
    assert np.abs(np.asarray(model(images)) - np.asarray(plain(images))).max() > 1e-5
    numerics.compute_in_float32(model, settings.numerics)
    np.testing.assert_array_equal(np.asarray(model(images)), np.asarray(plain(images)))
    again = keras.models.clone_model(model)
    assert {layer.compute_dtype for layer in again.layers} == {"float32"}

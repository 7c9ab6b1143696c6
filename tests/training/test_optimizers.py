"""How networks are compiled: every optimizer, and what each flag does to an update."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from dwt_keras.settings import Settings
from dwt_keras.settings.optimization import OPTIMIZERS
from dwt_keras.training import models, optimizers

IMAGES = np.random.default_rng(0).random((12, 8, 8, 1), np.float32)
LABELS = np.arange(12, dtype=np.int32) % 3


def trained(**values: Any) -> tuple[keras.Model, list[Any], list[Any]]:
    """A network, and its weights before and after one update."""
    keras.utils.set_random_seed(0)
    settings = Settings.from_flat({"hidden_units": (4,), "learning_rate": 0.01, **values})
    model = models.build(settings.training, (8, 8, 1), 3)
    optimizers.compile_model(model, settings, 12)
    before = model.get_weights()
    model.fit(IMAGES, LABELS, batch_size=12, verbose=0, shuffle=False)
    return model, before, model.get_weights()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_updates(name: str) -> None:
    model, before, after = trained(optimizer=name)
    assert type(model.optimizer).__name__.lower() == name
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert all((old != new).any() for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_momentum(name: str) -> None:
    assert trained(optimizer=name, momentum=0.75)[0].optimizer.momentum == 0.75
    assert trained(optimizer=name)[0].optimizer.momentum == 0.0


def test_weight_decay_takes_from_kernels_alone() -> None:
    _, before, plain = trained(optimizer="sgd")
    _, _, decayed = trained(optimizer="sgd", weight_decay=0.5)
    for old, new, less in zip(before, plain, decayed, strict=True):
        taken = 0.5 * 0.01 * old if old.ndim == 2 else np.zeros_like(old)
        np.testing.assert_allclose(new - less, taken, atol=1e-6)
    assert trained(optimizer="adamw")[0].optimizer.weight_decay == 0.004


def test_clip_norm_bounds_the_gradients_of_all_weights_together() -> None:
    for norm in (1e-3, 1e-4):
        _, before, after = trained(optimizer="sgd", clip_norm=norm)
        moved = sum(((new - old) ** 2).sum() for old, new in zip(before, after, strict=True))
        assert np.sqrt(moved) == pytest.approx(0.01 * norm, rel=0.1)


@pytest.mark.parametrize(("given", "compiled"), [("auto", False), ("on", True), ("off", False)])
def test_how_the_training_step_is_run(given: str, compiled: bool) -> None:
    settings = Settings.from_flat({"jit_compile": given, "steps_per_execution": 3})
    model = models.build(settings.training, (8, 8, 1), 3)
    optimizers.compile_model(model, settings, 12)
    assert model.jit_compile == compiled  # Without a GPU Keras compiles nothing by itself.
    assert model.steps_per_execution == 3


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_compiles_and_learns(name: str) -> None:
    settings = Settings.from_flat({"model": name, "learning_rate": 0.0123})
    model = models.build(settings.training, (8, 8, 1), 3)
    optimizers.compile_model(model, settings, 12)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0123)
    images = np.zeros((12, 8, 8, 1), np.float32)
    before = model.get_weights()
    scores = model.fit(images, LABELS, batch_size=4, verbose=0).history
    assert sorted(scores) == ["accuracy", "loss"]
    # Black images tell nothing: the loss is the labels' entropy.
    assert scores["loss"][0] == pytest.approx(np.log(3), rel=0.05)
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))

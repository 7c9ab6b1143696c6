"""The built-in networks: sizes, files, training, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dwt_keras import DWTCompression, checks, load_compressed, save_compressed
from dwt_keras.settings import Settings, TrainingSettings, training
from dwt_keras.settings.regularization import LAYER_NORMALISED, RegularizationSettings
from dwt_keras.training import export, models, requirements
from dwt_keras.training.networks.table import BUILDERS

NAMES = list(training.MODELS)
NEW = ["resnet20", "conv1d", "mixer", "vit_tiny"]


def shape_of(name: str) -> tuple[int, ...]:
    return (24, 2) if name == "conv1d" else (8, 8, 1)


def built(name: str, **regularization: object) -> keras.Model:
    return models.build(
        TrainingSettings(model=name, **({"hidden_units": (8,)} if name == "mlp" else {})),
        shape_of(name),
        3,
        RegularizationSettings(**regularization),
    )


def samples(name: str, count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).random((count, *shape_of(name)), np.float32)


def test_every_name_has_a_builder() -> None:
    assert list(BUILDERS) == NAMES


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        # He and others: 0.27 M; with the two shortcuts' convolutions and their normalisation.
        ("resnet20", (32, 32, 3), 269_722 + 1_376 + 16 * 32 + 32 * 64 + 4 * (32 + 64)),
        ("conv1d", (96, 1), (32 + 32 * 32) * 32 + 64 + 330),
        ("mixer", (28, 28, 1), 94_734),
        ("vit_tiny", (32, 32, 3), 48 * 64 + 64 * 64 + 4 * 33_472 + 128 + 650),
    ],
)
def test_number_of_parameters(name: str, shape: tuple[int, ...], parameters: int) -> None:
    model = models.build(TrainingSettings(model=name), shape, 10)
    assert model.count_params() == parameters
    assert model.name == name
    assert model.output_shape == (None, 10)


def test_resnet20_has_twenty_layers_with_weights() -> None:
    model = built("resnet20")
    kernels = [
        layer.name for layer in model.layers if isinstance(layer, (layers.Conv2D, layers.Dense))
    ]
    assert len([name for name in kernels if "shortcut" not in name]) == 20


@pytest.mark.parametrize("name", NEW)
def test_files_hold_the_network(name: str, tmp_path: Path) -> None:
    model, given = built(name, dropout=0.2), samples(name)
    expected = np.asarray(model(given))
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    export.save_keras(model, tmp_path / "model.keras")
    archived = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(archived(given), expected, rtol=1e-5)
    export.save_serving(model, tmp_path / "serving" / "1")
    serve = tf.saved_model.load(str(tmp_path / "serving" / "1")).signatures["serving_default"]
    served = serve(**{model.inputs[0].name: tf.constant(given)})["outputs"]
    np.testing.assert_allclose(served, expected, rtol=1e-5)
    save_compressed(model, tmp_path / "model.dwtz", distortion=1e-6)
    compact = load_compressed(tmp_path / "model.dwtz")
    np.testing.assert_allclose(compact(given), expected, atol=0.02)


@pytest.mark.parametrize("name", NEW)
def test_trains_with_the_callback(name: str) -> None:
    keras.utils.set_random_seed(0)
    model, given = built(name), samples(name, 16)
    before = model.get_weights()
    # Eagerly, since tracing takes longer than the training.
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    compression = DWTCompression(
        "haar", threshold=0.5, threshold_rule="quantile", ramp="constant", hold_support=False
    )
    history = model.fit(
        given, np.arange(16) % 3, batch_size=8, epochs=1, verbose=0, callbacks=[compression]
    ).history
    assert np.isfinite(history["loss"]).all()
    assert history["zero_fraction"][-1] == pytest.approx(0.5, abs=0.01)
    changed = [not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True)]
    # But for the bias of attention's keys, which softmax takes out again.
    assert np.mean(changed) > 0.9


@pytest.mark.parametrize("name", NEW)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        weights.append(built(name).get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))


def test_inputs_are_named_after_what_samples_are() -> None:
    assert built("mixer").inputs[0].name == "images"
    assert built("conv1d").inputs[0].name == "signals"
    model = models.build(TrainingSettings(hidden_units=(4,)), (13,), 3)
    assert model.inputs[0].name == "features"


def rates(model: keras.Model) -> list[float]:
    return [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)]


@pytest.mark.parametrize("name", NAMES)
def test_dropout_sets_all_rates(name: str) -> None:
    assert rates(built(name)) == ([0.5] if name == "cnn" else [])
    found = rates(built(name, dropout=0.25))
    assert found and set(found) == {0.25}
    assert rates(built(name, dropout=0.0)) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LAYER_NORMALISED])
def test_batch_norm_normalises_behind_hidden_layers(name: str) -> None:
    def count(model: keras.Model) -> int:
        return sum(isinstance(layer, layers.BatchNormalization) for layer in model.layers)

    own = {"mlp": 1, "cnn": 5, "conv1d": 2, "resnet20": 21}[name]
    model = built(name, batch_norm=True)
    assert count(model) == own
    assert count(built(name)) == (own if name == "resnet20" else 0)
    # It comes before the rectifier.
    names = [layer.name for layer in model.layers]
    for place, layer in enumerate(model.layers):
        if isinstance(layer, layers.BatchNormalization) and name != "resnet20":
            assert names[place + 1] == layer.name.replace("_norm", "_relu")
            assert model.layers[place - 1].activation.__name__ == "linear"


def test_batch_norm_is_synchronised_where_there_are_replicas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def synchronised() -> bool:
        model = built("mlp", batch_norm=True)
        return bool(model.get_layer("dense_1_norm").synchronized)

    assert not synchronised()
    monkeypatch.setattr(
        type(tf.distribute.get_strategy()), "num_replicas_in_sync", property(lambda self: 2)
    )
    assert synchronised()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("conv1d", (8, 8, 1), "must be another one than conv1d.*given conv1d for the shape"),
        ("conv1d", (5, 1), "must be mlp for signals below 6 samples.*given conv1d for 5"),
        *(
            (name, (24, 2), f"must be another one than {name}.*given {name} for the shape")
            for name in ("cnn", "resnet20", "mixer", "vit_tiny")
        ),
        ("resnet20", (8, 7, 3), "must be mlp or cnn for images below 8 x 8.*resnet20 for 8 x 7"),
        ("mixer", (8, 10, 1), "must be one without patches.*multiples of 4.*mixer for 8 x 10"),
        ("vit_tiny", (4, 8, 1), "must be one without patches.* 8 at least.*vit_tiny for 4 x 8"),
    ],
)
def test_samples_that_a_network_cannot_take(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    settings = Settings(training=TrainingSettings(model=name))
    with pytest.raises(checks.ArgumentError, match=f"^model {message}") as caught:
        requirements.check(settings, shape)
    assert "\n" not in str(caught.value)
    with pytest.raises(checks.ArgumentError, match=f"^model {message}"):
        models.build(settings.training, shape, 10)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv1d", (6, 1)),
        ("resnet20", (8, 8, 1)),
        ("mixer", (8, 12, 3)),
        ("vit_tiny", (12, 8, 1)),
        ("mlp", (3, 2)),
    ],
)
def test_the_smallest_samples_are_taken(name: str, shape: tuple[int, ...]) -> None:
    model = models.build(TrainingSettings(model=name), shape, 4)
    given = np.zeros((2, *shape), np.float32)
    assert model.predict(given, verbose=0).shape == (2, 4)

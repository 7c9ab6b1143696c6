"""What a network starts from, and which of its layers learn when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import checks, save_compressed
from dwt_keras.settings import Settings
from dwt_keras.training import (
    control,
    data,
    epochs,
    fine_tuning,
    fitting,
    scoring,
    starting_files,
    transfer,
)
from dwt_keras.training.parts import ArrayPart

MODULE = """
import keras
from keras import layers
def net(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        layers.Flatten(name="flat"),
        layers.Dense(6, name="low"),
        layers.BatchNormalization(name="norm"),
        layers.Dense(5, activation="relu", name="high"),
        layers.Dense(classes, activation="softmax", name="classes"),
    ])
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "net_for_transfer.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "net_for_transfer:net"


@pytest.fixture
def dataset() -> data.Dataset:
    random = np.random.default_rng(0)
    labels = np.arange(48, dtype=np.int32) % 3
    images = random.random((48, 8, 8, 1), np.float32)
    images[:, :, :3, 0] *= labels[:, np.newaxis, np.newaxis]
    images /= images.max()
    part = ArrayPart(images, labels)
    return data.Dataset("mine", 3, part, part, part)


def settings(**given: Any) -> Settings:
    return Settings.from_flat({"epochs": 2, "batch_size": 16, "seed": 7, **given})


def trained(classes: int = 3, hidden: tuple[int, ...] = (4, 4)) -> keras.Model:
    """An mlp with weights of its own."""
    keras.utils.set_random_seed(99)
    units = [layers.Dense(n, "relu", name=f"dense_{i}") for i, n in enumerate(hidden, start=1)]
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(name="flatten"),
            *units,
            layers.Dense(classes, "softmax", name="classes"),
        ]
    )


def write(model: keras.Model, path: Path) -> str:
    if path.suffix == ".dwtz":
        save_compressed(model, path, distortion=1e-9)
    elif path.suffix == ".h5":
        model.save_weights(path)
    else:
        model.save(path)
    return str(path)


@pytest.mark.parametrize("name", ["a.keras", "a.dwtz", "a.weights.h5"])
@pytest.mark.parametrize("classes", [3, 7])
def test_layers_take_weights_by_name_and_shape(
    tmp_path: Path, dataset: data.Dataset, name: str, classes: int
) -> None:
    source = trained(classes, hidden=(4, 9))
    path = write(source, tmp_path / name)
    said: list[str] = []
    model = fitting.build(settings(hidden_units=(4, 4), init=path), dataset, said.append)
    plain = fitting.build(settings(hidden_units=(4, 4)), dataset)
    taken = ["dense_1"]  # dense_2 and classes have other shapes.
    for layer in model.layers:
        origin = source if layer.name in taken else plain
        for one, other in zip(
            layer.get_weights(), origin.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-3 if layer.name in taken else 0)
    assert said == [f"weights from {path}: dense_1; fresh: dense_2, classes"]


def test_weights_of_nested_and_recurrent_layers_are_read_by_their_names(tmp_path: Path) -> None:
    from dwt_keras.training import weight_files

    def net() -> keras.Model:
        inner = keras.Sequential(
            [keras.Input((5,)), layers.Dense(4, name="deep"), layers.BatchNormalization(name="bn")],
            name="inner",
        )
        inputs = keras.Input((6, 5))
        tensor = layers.TimeDistributed(inner, name="each")(inputs)
        return keras.Model(inputs, layers.Dense(2, name="out")(layers.LSTM(3, name="lstm")(tensor)))

    model = net()
    model.save_weights(tmp_path / "a.weights.h5")
    model.save(tmp_path / "a.keras")
    read = [weight_files.read(str(tmp_path / name)) for name in ("a.weights.h5", "a.keras")]
    expected = {path for path, _ in weight_files.of_layers(model)}
    assert len(expected) == 4
    for found in read:
        assert set(found) == expected
        for path, layer in weight_files.of_layers(model):
            for stored, variable in zip(
                found[path], weight_files.own_variables(layer), strict=True
            ):
                np.testing.assert_array_equal(stored, variable.numpy())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: None, "init must be a file; there is none at"),
        (lambda f: (f / "a.keras").write_bytes(b"x"), "init must be a .keras file"),
        (
            lambda f: keras.Sequential([keras.Input((3,)), layers.Dense(2, name="other")]).save(
                f / "a.keras"
            ),
            r"init must have layers of the network's names and shapes \(dense_1, classes\); .* has "
            "other$",
        ),
    ],
)
def test_a_start_that_does_not_go_is_one_line(
    tmp_path: Path, dataset: data.Dataset, make: Any, message: str
) -> None:
    make(tmp_path)
    told = settings(init=str(tmp_path / "a.keras"))
    with pytest.raises(checks.UserError, match=f"^{message}"):
        starting_files.check(told)
        fitting.build(told, dataset)


def test_other_files_that_do_not_go(tmp_path: Path, dataset: data.Dataset) -> None:
    save_compressed(trained(), tmp_path / "a.dwtz", distortion=1e-3, with_architecture=False)
    with pytest.raises(checks.ArgumentError, match=r"^init must be a file with its architecture"):
        starting_files.check(settings(init=str(tmp_path / "a.dwtz")))
    (tmp_path / "a.weights.h5").write_bytes(b"nothing")
    with pytest.raises(checks.ArgumentError, match=r"^init must be a file that save_weights"):
        fitting.build(settings(init=str(tmp_path / "a.weights.h5")), dataset)


def fitted(told: Settings, dataset: data.Dataset, folder: Path) -> fitting.Trained:
    said: list[str] = []
    folder.mkdir()
    return fitting.fit(fitting.prepare(told, dataset, said.append), told, dataset, folder)


def learning(model: keras.Model) -> set[str]:
    """Names of the layers that learn."""
    return {variable.path.split("/")[-2] for variable in model.trainable_variables}


def test_frozen_layers_keep_their_weights_and_are_no_targets(
    tmp_path: Path, dataset: data.Dataset, net: str
) -> None:
    told = settings(model=net, freeze_until="norm", threshold=0.05)
    said: list[str] = []
    before = {layer.name: layer.get_weights() for layer in fitting.build(told, dataset).layers}
    prepared = fitting.prepare(told, dataset, said.append)
    assert said == ["frozen, left as is: low, norm"]
    assert [target.path for target in prepared.kernels] == ["high/kernel", "classes/kernel"]
    model = fitted(told, dataset, tmp_path / "a").model
    for name in ("low", "norm"):  # The statistics of norm too.
        for one, other in zip(model.get_layer(name).get_weights(), before[name], strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(model.get_layer("high").get_weights()[0], before["high"][0])


@pytest.mark.parametrize(
    "compression",
    [
        {"threshold": 0.2},
        {"threshold_rule": "quantile", "threshold": 0.7},
        {"target_bytes": 400},
        {"keep_rows": 0.5},
    ],
)
def test_frozen_layers_are_compressed_where_that_is_asked_for(
    tmp_path: Path, dataset: data.Dataset, net: str, compression: dict[str, Any]
) -> None:
    told = settings(
        model=net, freeze_until="norm", shrink_frozen=True, wavelet="haar", **compression
    )
    before = fitting.build(told, dataset).get_layer("low").kernel.numpy()
    found = fitted(told, dataset, tmp_path / "a")
    target = found.compression.targets[0]
    assert target.path == "low/kernel"
    coefficients = np.abs(target.basis.decompose(target.read()))
    assert np.mean(coefficients < 1e-6) > 0.2
    # What remains was not trained: but for rounding to the steps of a file it is what it was.
    was = np.abs(target.basis.decompose(before))
    kept = coefficients > 1e-6
    assert np.abs(coefficients - was)[kept].max() < (0.2 if "target_bytes" in compression else 1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("hihg", r"must be a layer of the network: flat, low, .*; given 'hihg' \(did you mean hi"),
        ("classes", "must leave layers with weights behind it; given 'classes'"),
    ],
)
def test_a_layer_to_freeze_that_does_not_go(
    dataset: data.Dataset, net: str, layer: str, message: str
) -> None:
    with pytest.raises(checks.ArgumentError, match=f"^freeze_until {message}"):
        fitting.build(settings(model=net, freeze_until=layer), dataset)


def test_the_head_learns_first_and_without_compression(
    dataset: data.Dataset, net: str, tmp_path: Path
) -> None:
    source = fitting.build(settings(model=net), dataset)
    source.save(tmp_path / "a.keras")
    told = settings(model=net, init=str(tmp_path / "a.keras"), head_epochs=3)
    model = fitting.build(told, dataset)
    with transfer.head_alone(model, told) as head:
        assert head.training.epochs == 3
        assert head.optimization.learning_rate_schedule == "constant"
        assert learning(model) == {"classes"}
    assert learning(model) == {"low", "high", "classes"}  # But batch normalisation.

    seen: list[tuple[int, float]] = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            same = np.array_equal(model.get_layer("low").kernel, source.get_layer("low").kernel)
            moved = not np.array_equal(
                model.get_layer("classes").kernel, source.get_layer("classes").kernel
            )
            seen.append((same and moved, self.params["epochs"]))

    epochs.fit_plainly(model, told, dataset, [Watch()], tmp_path)
    # The other layers begin where they were, the head does not.
    assert seen == [(True, 2)]
    assert not np.array_equal(model.get_layer("low").kernel, source.get_layer("low").kernel)


@pytest.mark.parametrize(("freeze", "is_kept"), [("auto", True), ("off", False)])
def test_batch_normalisation_infers_by_the_statistics_that_it_came_with(
    dataset: data.Dataset, net: str, tmp_path: Path, freeze: str, is_kept: bool
) -> None:
    source = fitting.build(settings(model=net), dataset)
    norm = source.get_layer("norm")
    norm.set_weights([value + 0.5 for value in norm.get_weights()])
    norm.trainable = is_kept  # Frozen in the file, where it is to learn.
    source.save(tmp_path / "a.keras")
    told = settings(
        model=str(tmp_path / "a.keras"), head_epochs=1, freeze_batch_norm=freeze, threshold=0.0
    )
    said: list[str] = []
    model = fitting.fit(fitting.prepare(told, dataset, said.append), told, dataset, tmp_path).model
    same = [
        np.array_equal(one, other)
        for one, other in zip(
            model.get_layer("norm").get_weights(), norm.get_weights(), strict=True
        )
    ]
    assert same == 4 * [is_kept]
    assert ("batch normalisation stays as it came: norm" in said) is is_kept
    # It has learnt as it infers.
    images = dataset.test.samples()
    learning = np.asarray(model(images, training=True))
    assert np.array_equal(learning, model.predict(images, verbose=0)) is is_kept


@pytest.mark.parametrize(
    ("given", "momentum", "is_told"),
    [({}, 0.99, True), ({"freeze_batch_norm": "on"}, 0.99, False), ({}, 0.5, False)],
)
def test_statistics_that_cannot_follow_are_told(
    dataset: data.Dataset, tmp_path: Path, given: Any, momentum: float, is_told: bool
) -> None:
    inner = [
        layers.Flatten(),
        layers.Dense(4),
        layers.BatchNormalization(momentum=momentum, name="n"),
    ]
    keras.Sequential([keras.Input((8, 8, 1)), *inner, layers.Dense(3, "softmax")]).save(
        tmp_path / "a.keras"
    )
    said: list[str] = []
    fitting.build(settings(model=str(tmp_path / "a.keras"), **given), dataset, said.append)
    lagging = "batch normalisation: 6 updates are too few for its statistics to follow: n (--fre"
    assert any(line.startswith(lagging) for line in said) is is_told


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"head_epochs": 1}, 1e-4),
        ({"head_epochs": 1, "optimizer": "sgd"}, 1e-3),
        ({"head_epochs": 1, "freeze_batch_norm": "off"}, 1e-3),
        ({"head_epochs": 1, "freeze_until": "norm"}, 1e-3),
        ({}, 1e-3),
    ],
)
def test_steps_are_small_before_batch_normalisation_that_is_frozen(
    dataset: data.Dataset, net: str, given: dict[str, Any], expected: float
) -> None:
    said: list[str] = []
    told = settings(model=net, **given)
    model = fitting.build(told, dataset, said.append)
    assert float(model.optimizer.learning_rate) == pytest.approx(expected)
    is_told = any(line.startswith("what came along learns on: steps are a tenth") for line in said)
    assert is_told is (given == {"head_epochs": 1} or "optimizer" in given)
    assert fine_tuning.needs_small_steps(model, settings(model="applications:VGG16"))
    assert not fine_tuning.needs_small_steps(
        model, settings(model="applications:VGG16", freeze_until="block4_pool")
    )


def test_nothing_to_freeze_is_told(dataset: data.Dataset, tmp_path: Path) -> None:
    path = write(trained(), tmp_path / "a.keras")
    said: list[str] = []
    told = settings(hidden_units=(4, 4), init=path, freeze_batch_norm="on")
    fitting.build(told, dataset, said.append)
    assert said[1:] == ["no batch normalisation came along that could be frozen"]


def test_a_lowest_step_size_above_the_small_ones_is_refused(
    dataset: data.Dataset, net: str
) -> None:
    told = settings(
        model=net, head_epochs=1, learning_rate_schedule="cosine", lowest_learning_rate=5e-4
    )
    with pytest.raises(
        checks.ArgumentError, match=r"^lowest_learning_rate must be below .* 0\.0005"
    ):
        fitting.build(told, dataset)


def test_the_heads_learning_rate_is_its_own(
    dataset: data.Dataset, net: str, tmp_path: Path
) -> None:
    told = settings(model=net, head_epochs=1, head_learning_rate=0.07, learning_rate=0.002)
    model = fitting.build(told, dataset)
    with transfer.head_alone(model, told) as head:
        assert head.optimization.learning_rate == 0.07
    by_default = settings(model=net, head_epochs=1, learning_rate=0.002)
    with transfer.head_alone(model, by_default) as head:
        assert head.optimization.learning_rate == 0.001
    epochs.fit_plainly(model, told, dataset, [], tmp_path)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.002)


def test_layers_that_found_no_weights_belong_to_the_head(
    tmp_path: Path, dataset: data.Dataset
) -> None:
    path = write(trained(hidden=(4, 9)), tmp_path / "a.keras")
    told = settings(hidden_units=(4, 4), init=path, head_epochs=1)
    model = fitting.build(told, dataset)
    with transfer.head_alone(model, told):
        assert learning(model) == {"dense_2", "classes"}


def test_same_seed_same_weights(dataset: data.Dataset, net: str, tmp_path: Path) -> None:
    told = settings(model=net, head_epochs=1, normalize="standard")
    weights = []
    for name in ("one", "other"):
        model = fitting.build(told, dataset)
        epochs.fit_plainly(model, told, dataset, [], tmp_path / name)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_start_has_a_control_of_its_own(
    tmp_path: Path, dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "fit_plainly", lambda *_: None)
    monkeypatch.setattr(scoring, "validation_accuracy", lambda *_: 0.5)
    monkeypatch.setattr(scoring, "test_scores", lambda *_: {"accuracy": 0.5})
    path = tmp_path / "a.keras"
    told = {"hidden_units": (4, 4), "epochs": 1, "save_dir": str(tmp_path / "runs")}
    folders = []
    for changes in ({}, {"init": str(path)}, {"init": str(path)}, {"normalize": "standard"}):
        write(trained(hidden=(4, 4)), path)
        folders.append(control.dense(settings(**{**told, **changes}), dataset).folder)
    other = trained(hidden=(4, 4))
    other.layers[1].bias.assign([1, 2, 3, 4])
    write(other, path)
    folders.append(control.dense(settings(**told, init=str(path)), dataset).folder)
    assert folders[1] == folders[2]
    assert len(set(folders)) == 4

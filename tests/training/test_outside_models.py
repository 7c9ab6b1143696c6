"""Networks of one's own, from archives and functions, and those of keras.applications."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import checks, load_compressed, save_compressed
from dwt_keras.settings import Settings, sources
from dwt_keras.training import outside_models, starting_files, transfer


def build(model: str, shape: tuple[int, ...] = (8, 8, 1), classes: int = 3, **given: Any) -> Any:
    settings = Settings.from_flat({"model": model, **given})
    starting_files.check(settings)
    keras.utils.set_random_seed(0)
    return outside_models.build(settings, shape, classes)


def saved(path: Path, shape: tuple[int, ...], *above: Any) -> str:
    keras.utils.set_random_seed(1)
    body = [layers.Flatten(), layers.Dense(5, "relu", name="hidden")] if len(shape) > 1 else []
    keras.Sequential([keras.Input(shape), *body, *above]).save(path)
    return str(path)


def probabilities(model: Any, shape: tuple[int, ...]) -> np.ndarray:
    found = np.asarray(model(np.random.default_rng(0).random((4, *shape), np.float32)))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    return found


class TestArchive:
    def test_comes_with_its_weights(self, tmp_path: Path) -> None:
        head = layers.Dense(3, "softmax")
        path = saved(tmp_path / "a.keras", (8, 8, 1), head)
        kept = keras.models.load_model(path)
        for one, other in zip(build(path).get_weights(), kept.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("shape", [(64,), (8, 8), (4, 16, 1)])
    def test_takes_the_data_in_its_own_shape(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        path = saved(tmp_path / "a.keras", shape, layers.Dense(3, "softmax"))
        model = build(path)
        assert model.input_shape == (None, 8, 8, 1)
        images = np.random.default_rng(0).random((4, 8, 8, 1), np.float32)
        expected = keras.models.load_model(path).predict(images.reshape(4, *shape), verbose=0)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=1e-5)

    def test_gets_a_new_head_for_other_classes(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "a.keras", (8, 8, 1), layers.Dense(7, "softmax"))
        model = build(path)
        assert model.output_shape == (None, 3)
        kept = keras.models.load_model(path).get_layer("hidden").get_weights()
        np.testing.assert_array_equal(model.get_layer("hidden").get_weights()[0], kept[0])
        probabilities(model, (8, 8, 1))

    def test_gives_probabilities_where_its_last_layer_has_no_activation(
        self, tmp_path: Path
    ) -> None:
        path = saved(tmp_path / "a.keras", (8, 8, 1), layers.Dense(3))
        model = build(path)
        probabilities(model, (8, 8, 1))
        path = saved(tmp_path / "b.keras", (8, 8, 1), layers.Dense(3), layers.Softmax())
        assert [layer.name for layer in build(path).layers].count("probabilities") == 0

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda p: None, "must be a file; there is none at"),
            (lambda p: p.write_bytes(b"nothing"), "must be a .keras file, as Keras 3 saves"),
            (
                lambda p: saved(p, (63,), layers.Dense(3)),
                r"must take inputs of the data's shape, \(8, 8, 1\); .* takes \(63,\)",
            ),
            (
                lambda p: saved(p, (64,), layers.Dense(2), layers.Softmax()),
                "must end in a Dense layer to get a new one for 3 classes; .* ends in Softmax",
            ),
        ],
    )
    def test_what_does_not_go_is_one_line(self, tmp_path: Path, make: Any, message: str) -> None:
        make(tmp_path / "a.keras")
        with pytest.raises(checks.ArgumentError, match=f"^model {message}") as caught:
            build(str(tmp_path / "a.keras"))
        assert "\n" not in str(caught.value)


class TestFunction:
    @pytest.fixture
    def write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(str(tmp_path))

        def write(module: str, body: str) -> str:
            (tmp_path / f"{module}.py").write_text(
                "import keras\nfrom keras import layers\n"
                f"def net(input_shape, classes):\n    {body}\n"
            )
            return f"{module}:net"

        return write

    BODY = "return keras.Sequential([keras.Input(input_shape), layers.Flatten(), {}])"

    def test_is_called_with_shape_and_classes(self, write: Any) -> None:
        name = write("net_a", self.BODY.format("layers.Dense(classes, 'softmax')"))
        first, second = build(name), build(name)
        assert (first.input_shape, first.output_shape) == ((None, 8, 8, 1), (None, 3))
        # The same names whatever was built before.
        assert [v.path for v in first.weights] == [v.path for v in second.weights]
        settings = Settings.from_flat({"model": name})
        assert transfer.digest(settings, lambda: first) == transfer.digest(settings, lambda: second)
        second.layers[-1].kernel.assign(0 * second.layers[-1].kernel)
        assert transfer.digest(settings, lambda: first) != transfer.digest(settings, lambda: second)

    @pytest.mark.parametrize(
        ("module", "body", "message"),
        [
            ("net_b", "return 3", "must return a Keras model; net_b:net returned int"),
            ("net_c", "raise KeyError('x')", r"net_c:net raised KeyError: 'x' \(net_c.py, line 4"),
            (
                "net_d",
                BODY.format("layers.Dense(1)"),
                r"must give one output for each of the 3 classes; .* of shape \(1,\)",
            ),
        ],
    )
    def test_what_does_not_go_is_one_line(
        self, write: Any, module: str, body: str, message: str
    ) -> None:
        with pytest.raises(checks.ArgumentError, match=f"^model {message}"):
            build(write(module, body))

    def test_a_module_that_is_not_there(self) -> None:
        with pytest.raises(checks.ArgumentError, match=r"there is no module no_such_module$"):
            build("no_such_module:net")


class TestApplications:
    def test_names_are_those_of_keras(self) -> None:
        there = [name for name in dir(keras.applications) if name[0].isupper()]
        assert sorted(sources.APPLICATIONS) == sorted(there)

    @pytest.mark.parametrize("name", ["VGG16", "MobileNetV2", "DenseNet121", "EfficientNetB0"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_pixels_are_prepared_as_the_network_was_trained(self, name: str, channels: int) -> None:
        """As its own preprocess_input does: none, to -1..1, standardised, and blue first."""
        import sys

        own = sys.modules[getattr(keras.applications, name).__module__].preprocess_input
        images = np.random.default_rng(0).random((2, 8, 8, channels), np.float32)
        inputs = keras.Input((8, 8, channels))
        tensor = inputs if channels == 3 else layers.Concatenate()([inputs] * 3)
        model = keras.Model(inputs, outside_models._preprocessed(tensor, own))
        expected = own(255.0 * np.repeat(images, 3 // channels, axis=3))
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-3)

    def test_small_grey_images_are_enlarged(self, tmp_path: Path) -> None:
        model = build("applications:MobileNetV2", weights="none")
        assert (model.input_shape, model.output_shape) == ((None, 8, 8, 1), (None, 3))
        assert model.get_layer("resized").output.shape == (None, 32, 32, 1)
        expected = probabilities(model, (8, 8, 1))
        save_compressed(model, tmp_path / "a.dwtz", distortion=1e-9)
        loaded = load_compressed(tmp_path / "a.dwtz")
        # Fifty layers with fresh weights make much of each rounding.
        np.testing.assert_allclose(probabilities(loaded, (8, 8, 1)), expected, atol=0.03)

    def test_weights_of_a_file_are_taken(self, tmp_path: Path) -> None:
        options = {"include_top": False, "pooling": "avg", "input_shape": (32, 32, 3)}
        keras.utils.set_random_seed(5)
        body = keras.applications.MobileNet(weights=None, **options)
        path = tmp_path / "a.weights.h5"
        body.save_weights(path)
        model = build("applications:MobileNet", weights=str(path))
        np.testing.assert_array_equal(
            model.get_layer("conv1").kernel.numpy(), body.get_layer("conv1").kernel.numpy()
        )
        with pytest.raises(checks.ArgumentError, match=r"^weights must be those of MobileNetV2"):
            build("applications:MobileNetV2", weights=str(path))

    def test_without_network_one_line_says_what_to_give(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise Exception("URL fetch failure on https://somewhere: None")

        monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)
        with pytest.raises(checks.ArgumentError, match=r"^weights imagenet of MobileNet cannot be"):
            build("applications:MobileNet")

    @pytest.mark.parametrize("shape", [(8, 8, 2), (64,)])
    def test_other_inputs_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(checks.ArgumentError, match=r"^model applications:MobileNet takes im"):
            build("applications:MobileNet", shape, weights="none")

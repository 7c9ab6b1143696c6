"""Maps of what networks look at, on networks where they can be known or checked."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras.checks import ArgumentError, UserError
from dwt_keras.views import agreement, saliency


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((6, 8, 8, 1)).astype(np.float32)


CLASSES = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(scope="module")
def conv() -> keras.Model:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def linear() -> keras.Model:
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )


def kernel_of(model: keras.Model) -> np.ndarray:
    return model.layers[-1].kernel.numpy().T.reshape(3, 8, 8, 1)


@pytest.mark.parametrize("head", ["dense", "no_bias", "activation", "softmax", "logits"])
def test_scores_are_those_behind_the_probabilities(head: str, images: np.ndarray) -> None:
    tail = {
        "dense": [layers.Dense(3, activation="softmax")],
        "no_bias": [layers.Dense(3, activation="softmax", use_bias=False)],
        "activation": [layers.Dense(3), layers.Activation("softmax")],
        "softmax": [layers.Dense(3), layers.Softmax()],
        "logits": [layers.Dense(3)],
    }[head]
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), *tail])
    dense = model.layers[1]
    expected = images.reshape(6, 64) @ dense.kernel.numpy()
    np.testing.assert_allclose(saliency.scores(model)(images), expected, atol=1e-5)


def test_gradients_of_a_linear_network_are_its_weights(linear, images) -> None:
    expected = kernel_of(linear)[CLASSES]
    np.testing.assert_allclose(saliency.gradient(linear, images, CLASSES), expected, atol=1e-6)
    smooth = saliency.smooth_gradient(linear, images, CLASSES, draws=3)
    np.testing.assert_allclose(smooth, expected, atol=1e-6)
    attributed = saliency.integrated_gradients(linear, images, CLASSES, steps=2)
    np.testing.assert_allclose(attributed, expected * images, atol=1e-5)


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_integrated_gradients_are_complete(conv, images, baseline: float) -> None:
    found = saliency.integrated_gradients(conv, images, CLASSES, baseline=baseline, steps=100)
    of_scores = saliency.scores(conv)
    rows = np.arange(len(images))
    there = np.asarray(of_scores(images))[rows, CLASSES]
    start = np.asarray(of_scores(np.full_like(images, baseline)))[rows, CLASSES]
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), there - start, atol=2e-3)
    assert np.abs(there - start).max() > 0.05


def test_smooth_gradient_is_the_mean_over_noisy_copies(conv, images) -> None:
    plain = saliency.gradient(conv, images, CLASSES)
    still = saliency.smooth_gradient(conv, images, CLASSES, noise=0.0, draws=2)
    np.testing.assert_allclose(still, plain, atol=1e-6)
    one, other, again = (
        saliency.smooth_gradient(conv, images, CLASSES, draws=4, seed=seed) for seed in (1, 2, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
    assert not np.allclose(one, plain)


def test_more_samples_than_a_batch_give_the_same_maps(conv, images, monkeypatch) -> None:
    whole = [method(conv, images, CLASSES) for method in saliency.METHODS.values()]
    monkeypatch.setattr(saliency, "_BATCH", 4)
    for method, expected in zip(saliency.METHODS.values(), whole, strict=True):
        np.testing.assert_allclose(method(conv, images, CLASSES), expected, atol=1e-5)


def test_grad_cam_shows_where_a_channel_speaks_for_a_class() -> None:
    """One channel copies the input, and the class is its sum: the map is the input itself."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(2, 1, name="copies", trainable=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.get_layer("copies").set_weights([np.array([[[[1.0, -1.0]]]]), np.zeros(2)])
    model.layers[-1].set_weights([np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)])
    image = np.zeros((1, 6, 6, 1), np.float32)
    image[0, 1, 4] = 1.0
    speaking = saliency.grad_cam(model, image, np.array([0]))
    assert speaking.shape == (1, 6, 6)
    assert np.unravel_index(speaking[0].argmax(), (6, 6)) == (1, 4)
    assert np.count_nonzero(speaking) == 1
    # For the other class it speaks against: nothing is left.
    assert not saliency.grad_cam(model, image, np.array([1])).any()


def test_grad_cam_takes_the_last_convolution_or_the_one_named(conv, images) -> None:
    default = saliency.grad_cam(conv, images, CLASSES)
    assert default.shape == (6, 8, 8)
    assert default.min() >= 0
    np.testing.assert_array_equal(default, saliency.grad_cam(conv, images, CLASSES, "second"))
    assert not np.allclose(default, saliency.grad_cam(conv, images, CLASSES, "first"))


def test_grad_cam_needs_a_convolution(linear, conv, images) -> None:
    with pytest.raises(ArgumentError, match="the network has no convolution"):
        saliency.grad_cam(linear, images, CLASSES)
    with pytest.raises(ArgumentError, match=r"must be one of .*; given 'secnd' \(did you mean"):
        saliency.grad_cam(conv, images, CLASSES, "secnd")
    with pytest.raises(ArgumentError, match="must have an output of shape"):
        saliency.grad_cam(conv, images, CLASSES, conv.layers[-1].name)


def test_a_network_that_was_loaded_has_the_same_maps(conv, images, tmp_path) -> None:
    conv.save(tmp_path / "conv.keras")
    loaded = keras.models.load_model(tmp_path / "conv.keras", compile=False)
    for method in saliency.METHODS.values():
        expected = method(conv, images, CLASSES)
        np.testing.assert_allclose(method(loaded, images, CLASSES), expected, atol=1e-6)


def test_activations_are_the_layers_outputs(conv, images) -> None:
    found = saliency.activations(conv, images, ["first", "second"])
    np.testing.assert_allclose(found["first"], conv.layers[0](images), atol=1e-6)
    assert found["second"].shape == (6, 4, 4, 6)
    (only,) = saliency.activations(conv, images, ["second"]).values()
    np.testing.assert_array_equal(only, found["second"])


@pytest.mark.parametrize("name", saliency.METHODS)
def test_maps_depend_on_the_weights(name: str, conv, images) -> None:
    """Shuffling them must change the map (Adebayo et al. 2018), and not the network itself."""
    before = [each.copy() for each in conv.get_weights()]
    other = saliency.shuffled(conv)
    for now, then, mixed in zip(conv.get_weights(), before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)
        np.testing.assert_array_equal(np.sort(mixed, axis=None), np.sort(then, axis=None))
    method = saliency.METHODS[name]
    maps = method(conv, images, CLASSES)
    assert maps.shape == (6, 8, 8)
    assert agreement.of(maps, maps).rank_correlation == pytest.approx(1.0)
    assert agreement.of(maps, method(other, images, CLASSES)).rank_correlation < 0.8


def test_magnitude_is_the_largest_over_channels() -> None:
    maps = np.array([[[[1.0, -3.0], [0.5, 0.2]]]])
    np.testing.assert_array_equal(saliency.magnitude(maps), [[[3.0, 0.5]]])
    np.testing.assert_array_equal(saliency.magnitude(np.array([[-1.0, 2.0]])), [[1.0, 2.0]])


def test_agreement_is_one_for_the_same_order_and_leaves_constant_maps_out() -> None:
    maps = np.random.default_rng(1).random((3, 10, 10))
    same = agreement.of(maps, np.exp(maps))
    assert (same.rank_correlation, same.top_overlap, same.samples) == (pytest.approx(1), 1, 3)
    opposite = agreement.of(maps, -maps)
    assert opposite.rank_correlation == pytest.approx(-1)
    assert opposite.top_overlap == 0
    flat = maps.copy()
    flat[0] = 0
    assert agreement.of(maps, flat).samples == 2
    assert np.isnan(agreement.of(flat[:1], maps[:1]).rank_correlation)


def test_top_overlap_is_a_share() -> None:
    """Of 20 places the 2 largest: one in common."""
    one, other = np.zeros((1, 20)), np.zeros((1, 20))
    one[0, [3, 5]] = 2, 1
    other[0, [5, 9]] = 1, 2
    assert agreement.of(one, other).top_overlap == 0.5


def test_votes_have_no_gradient_and_that_is_one_line() -> None:
    inputs = keras.Input((4,))
    said = layers.Dense(3, activation="softmax")(inputs)
    most = keras.ops.max(said, axis=-1, keepdims=True)
    votes = keras.ops.cast(keras.ops.equal(said, most), "float32")
    with pytest.raises(UserError, match="has no gradient to look at"):
        saliency.gradient(
            keras.Model(inputs, votes), np.zeros((2, 4), np.float32), np.zeros(2, int)
        )

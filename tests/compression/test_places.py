"""Places that Dense and EinsumDense layers mix or make are the axes of their kernels."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras.settings import CompressionSettings, TrainingSettings
from dwt_keras.training import models

WIDTH = 6


def mixer_block(tensor, count, name, between=()):
    turned = layers.Permute((2, 1))(layers.LayerNormalization()(tensor))
    for layer in between:
        turned = layer(turned)
    hidden = layers.Dense(5, activation="gelu", name=f"{name}_in")(turned)
    made = layers.Dense(count, name=f"{name}_out")(layers.Dropout(0.1)(hidden))
    tensor = layers.Add()([layers.Permute((2, 1))(made), tensor])
    inner = layers.Dense(WIDTH, name=f"{name}_channels")(layers.LayerNormalization()(tensor))
    return layers.Add()([tensor, inner])


def mixer(shape=(12, 8, 3), blocks=3, flatten=None, **options):
    images = keras.Input(shape)
    patches = layers.Conv2D(WIDTH, 2, 2, name="patches")(images)
    count = patches.shape[1] * patches.shape[2]
    tensor = (flatten or layers.Reshape((count, WIDTH)))(patches)
    for number in range(blocks):
        tensor = mixer_block(tensor, count, f"block{number}", **options)
    return keras.Model(images, layers.GlobalAveragePooling1D()(tensor))


def bases(model, find, **settings):
    return {item.layer_path: item.basis for item in find(model, **settings).items}


def test_patches_are_found_in_every_block(find):
    found = bases(mixer(), find)
    for number in range(3):
        assert found[f"block{number}_in"].shape == (6, 4, 5)
        assert found[f"block{number}_in"].axes == (0, 1)
        assert found[f"block{number}_out"].shape == (5, 6, 4)
        assert found[f"block{number}_out"].axes == (1, 2)
        assert found[f"block{number}_channels"].is_identity


def test_layers_that_keep_places_are_followed(find):
    found = bases(mixer(blocks=1, between=[layers.Activation("relu"), layers.Dropout(0.1)]), find)
    assert found["block0_in"].shape == (6, 4, 5)


def test_each_weight_finds_its_patch(find):
    model = mixer(blocks=1)
    (given,) = [item for item in find(model).items if item.layer_path == "block0_in"]
    (made,) = [item for item in find(model).items if item.layer_path == "block0_out"]
    reshape = next(layer for layer in model.layers if isinstance(layer, layers.Reshape))
    # One patch after another as the only one: its place in the axis that is mixed.
    for down, across in np.ndindex(6, 4):
        patches = np.zeros((1, 6, 4, WIDTH), np.float32)
        patches[0, down, across] = 1
        (place,) = np.flatnonzero(np.asarray(reshape(patches))[0, :, 0])
        kernel = given.read().reshape(given.basis.shape)
        np.testing.assert_array_equal(kernel[down, across], given.read()[place])
        kernel = made.read().reshape(made.basis.shape)
        np.testing.assert_array_equal(kernel[:, down, across], made.read()[:, place])


def attention(tensor):
    return layers.Add()([tensor, layers.MultiHeadAttention(2, 3)(tensor, tensor)])


def test_places_pass_attention(find):
    images = keras.Input((8, 8, 3))
    tensor = layers.Reshape((16, WIDTH))(layers.Conv2D(WIDTH, 2, 2)(images))
    tensor = mixer_block(attention(tensor), 16, "block")
    found = bases(keras.Model(images, tensor), find)
    assert found["block_in"].axes == (0, 1)
    assert found["block_in"].shape == (4, 4, 5)


def series():
    signals = keras.Input((12, 3))
    turned = layers.Permute((2, 1))(layers.Conv1D(WIDTH, 3)(signals))
    return keras.Model(signals, layers.Dense(4, name="target")(turned))


def over_channels():
    images = keras.Input((8, 8, 3))
    tensor = layers.Reshape((16, WIDTH))(layers.Conv2D(WIDTH, 2, 2)(images))
    return keras.Model(images, layers.Dense(4, name="target")(tensor))


def mixed_up():
    """A Reshape whose axis is a part of the places and of the channels."""
    images = keras.Input((8, 8, 3))
    tensor = layers.Reshape((8, 12))(layers.Conv2D(WIDTH, 2, 2)(images))
    tensor = layers.Permute((2, 1))(tensor)
    return keras.Model(images, layers.Dense(4, name="target")(tensor))


def shared_and_disagreeing():
    images = keras.Input((8, 8, 3))
    dense = layers.Dense(4, name="target")
    conv = layers.Conv2D(16, 2, 2)(images)
    flat = layers.Reshape((16, 16))(conv)
    return keras.Model(images, [dense(layers.Permute((2, 1))(flat)), dense(flat)])


@pytest.mark.parametrize("build", [series, over_channels, mixed_up, shared_and_disagreeing])
def test_others_are_plain(build, find):
    assert bases(build(), find)["target"].is_identity


def test_rows_and_columns_are_of_inputs_as_they_are():
    from dwt_keras.compression import targets

    settings = CompressionSettings(keep_rows=0.5, wavelet="haar")
    found = {item.layer_path: item for item in targets.find(mixer(), settings).items}
    assert found["block0_in"].basis.shape == (24, 5)
    assert found["block0_in"].axes == ()


def test_einsum_sums_over_places(find):
    model = models.build(TrainingSettings(model="vit_tiny"), (8, 12, 3), 10)
    found = bases(model, find)
    assert found["embedding"].shape == (4, 4, 3, 64)
    assert found["embedding"].axes == (0, 1)
    others = [path for path, basis in found.items() if not basis.is_identity]
    assert others == ["embedding"]


@pytest.mark.parametrize(
    ("equation", "shape"), [("abc,cd->abd", (None, 4)), ("...c,cd->...d", (4,))]
)
def test_einsum_over_channels_is_plain(equation, shape, find):
    model = keras.Sequential(
        [
            keras.Input((12, 3)),
            layers.Conv1D(WIDTH, 3),
            layers.EinsumDense(equation, shape, name="target"),
        ]
    )
    assert bases(model, find)["target"].is_identity


def test_coefficients_of_mixed_places_are_stored(tmp_path, find):
    from dwt_keras import load_compressed, save_compressed

    model = mixer(blocks=1)
    kernels = find(model, "haar", 2).items
    save_compressed(model, tmp_path / "m.dwtz", kernels=kernels, distortion=1e-5)
    loaded = load_compressed(tmp_path / "m.dwtz")
    for stored, own in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(stored, own, atol=0.02)

"""Which axes of a kernel have neighbours, and that the unflattened values line up."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

UNITS = 5


def network(*body):
    return keras.Sequential([*body, layers.Dense(UNITS, name="target")])


def conv(**options):
    return layers.Conv2D(4, 3, padding="same", name="conv", **options)


def residual(flatten, **options):
    """A convolution, added to another, flattened."""
    images = keras.Input((4, 8, 6))
    added = layers.Add()([conv(**options)(images), images])
    return keras.Model(images, layers.Dense(UNITS, name="target")(flatten(added)))


def between():
    return [
        layers.Dropout(0.1),
        layers.Activation("relu"),
        layers.BatchNormalization(),
        layers.GaussianNoise(0.1),
    ]


def with_several_inputs(*shapes):
    """One Dense layer over the concatenation of flattened inputs."""
    inputs = [keras.Input(shape) for shape in shapes]
    flat = layers.Concatenate()([layers.Flatten()(tensor) for tensor in inputs])
    return keras.Model(inputs, layers.Dense(UNITS, name="target")(flat))


def shared_over(*shapes):
    """One Dense layer over each of several flattened inputs in turn."""
    inputs = [keras.Input(shape) for shape in shapes]
    dense = layers.Dense(UNITS, name="target")
    return keras.Model(inputs, [dense(layers.Flatten()(tensor)) for tensor in inputs])


# Model, then the unflattened kernel's shape (without units) and its axes.
UNFLATTENED = {
    "image without channels": (
        lambda: network(keras.Input((28, 28)), layers.Flatten()),
        (28, 28),
        (0, 1),
    ),
    "image with one channel": (
        lambda: network(keras.Input((28, 28, 1)), layers.Flatten()),
        (28, 28, 1),
        (0, 1),
    ),
    "image with three channels": (
        lambda: network(keras.Input((28, 26, 3)), layers.Flatten()),
        (28, 26, 3),
        (0, 1),
    ),
    "convolution": (
        lambda: network(keras.Input((8, 6, 3)), conv(), layers.Flatten()),
        (8, 6, 4),
        (0, 1),
    ),
    "pooled convolution": (
        lambda: network(keras.Input((8, 6, 3)), conv(), layers.MaxPooling2D(2), layers.Flatten()),
        (4, 3, 4),
        (0, 1),
    ),
    "layers between": (
        lambda: network(keras.Input((8, 6, 3)), conv(), *between(), layers.Flatten(), *between()),
        (8, 6, 4),
        (0, 1),
    ),
    "image and layers between": (
        lambda: network(keras.Input((8, 6)), *between(), layers.Flatten(), *between()),
        (8, 6),
        (0, 1),
    ),
    "series of several channels": (
        lambda: network(keras.Input((20, 3)), layers.Conv1D(16, 3), layers.Flatten()),
        (18, 16),
        (0,),
    ),
    "series through layers between": (
        lambda: network(
            keras.Input((20, 3)), layers.Conv1D(16, 3), *between(), layers.Flatten(), *between()
        ),
        (18, 16),
        (0,),
    ),
    "series": (lambda: network(keras.Input((140, 1)), layers.Flatten()), (140, 1), (0,)),
    "words": (
        lambda: network(keras.Input((9,)), layers.Embedding(7, 6), layers.Flatten()),
        (9, 6),
        (0,),
    ),
    "volume": (
        lambda: network(
            keras.Input((6, 5, 4, 2)), layers.Conv3D(3, 2, padding="same"), layers.Flatten()
        ),
        (6, 5, 4, 3),
        (0, 1, 2),
    ),
    "reshape for flatten": (
        lambda: network(keras.Input((28, 26)), layers.Reshape((728,))),
        (28, 26),
        (0, 1),
    ),
    "reshape of a convolution": (
        lambda: network(keras.Input((8, 6, 3)), conv(), layers.Reshape((-1,))),
        (8, 6, 4),
        (0, 1),
    ),
    "reshape of a flat input": (
        lambda: network(keras.Input((728,)), layers.Reshape((28, 26, 1)), layers.Flatten()),
        (28, 26, 1),
        (0, 1),
    ),
    "channels first, flattened as they are": (
        lambda: network(
            keras.Input((3, 8, 6)),
            conv(data_format="channels_first"),
            layers.Flatten(data_format="channels_last"),
        ),
        (4, 8, 6),
        (1, 2),
    ),
    "channels first, flattened channels last": (
        lambda: network(
            keras.Input((3, 8, 6)),
            conv(data_format="channels_first"),
            layers.Flatten(data_format="channels_first"),
        ),
        (8, 6, 4),
        (0, 1),
    ),
    "channels first through layers between": (
        lambda: network(
            keras.Input((3, 8, 6)),
            conv(data_format="channels_first"),
            layers.Dropout(0.1),
            layers.ReLU(),
            layers.Flatten(data_format="channels_first"),
            layers.Dropout(0.1),
        ),
        (8, 6, 4),
        (0, 1),
    ),
    "sum with channels first": (
        lambda: residual(
            layers.Flatten(data_format="channels_first"), data_format="channels_first"
        ),
        (8, 6, 4),
        (0, 1),
    ),
    "input with channels first": (
        lambda: network(keras.Input((3, 8, 6)), layers.Flatten(data_format="channels_first")),
        (8, 6, 3),
        (0, 1),
    ),
    "channels last, flattened as if first": (
        lambda: network(
            keras.Input((8, 6, 3)),
            conv(data_format="channels_last"),
            layers.Flatten(data_format="channels_first"),
        ),
        (6, 4, 8),
        (0, 2),
    ),
    "image without channels, flattened as if first": (
        lambda: network(keras.Input((8, 6)), layers.Flatten(data_format="channels_first")),
        (6, 8),
        (0, 1),
    ),
    "shared where both agree": (
        lambda: shared_over((8, 6, 2), (8, 6, 2)),
        (8, 6, 2),
        (0, 1),
    ),
}

PLAIN = {
    "flat input": lambda: network(keras.Input((12,))),
    "after global pooling": lambda: network(
        keras.Input((8, 6, 3)), conv(), layers.GlobalAveragePooling2D()
    ),
    "after dense": lambda: network(
        keras.Input((8, 6)), layers.Flatten(), layers.Dense(12, name="first")
    ),
    "after dense and layers between": lambda: network(
        keras.Input((8, 6)), layers.Flatten(), layers.Dense(12, name="first"), *between()
    ),
    "after concatenation": lambda: with_several_inputs((8, 6, 2), (8, 6, 2)),
    "one pixel": lambda: network(
        keras.Input((4, 4, 3)), conv(), layers.MaxPooling2D(4), layers.Flatten()
    ),
    "over the last axis": lambda: network(keras.Input((8, 6))),
    "shared where places disagree": lambda: shared_over((8, 6, 2), (6, 8, 2)),
}


def target_of(found):
    (target,) = [item for item in found.items if item.layer_path == "target"]
    return target


@pytest.mark.parametrize("case", UNFLATTENED)
def test_flattened_input_is_unflattened(case, find):
    build, sizes, axes = UNFLATTENED[case]
    kernel_basis = target_of(find(build())).basis
    assert kernel_basis.shape == (*sizes, UNITS)
    assert kernel_basis.axes == axes


@pytest.mark.parametrize("case", PLAIN)
def test_other_input_gets_the_identity(case, find):
    # A convolution beside it keeps the model from having no geometry at all.
    model = PLAIN[case]()
    extra = keras.Input((5, 5, 1))
    head = layers.Conv2D(1, 3, name="beside")(extra)
    whole = keras.Model([*model.inputs, extra], [*model.outputs, head])
    assert target_of(find(whole)).basis.is_identity


def flattened(model):
    """What the layer before the target makes of a feature map, and the map's shape."""
    places = [
        i
        for i, layer in enumerate(model.layers)
        if isinstance(layer, (layers.Flatten, layers.Reshape))
    ]
    layer = model.layers[places[-1]]
    return lambda maps: np.asarray(layer(maps)), tuple(layer.input.shape[1:])


# Cases in which the channels of the feature map are known, and their axis.
CHANNELS = {
    "image with three channels": 2,
    "convolution": 2,
    "layers between": 2,
    "series of several channels": 1,
    "volume": 3,
    "reshape of a convolution": 2,
    "channels first, flattened as they are": 0,
    "channels first, flattened channels last": 0,
    "channels first through layers between": 0,
    "sum with channels first": 0,
    "input with channels first": 0,
    "channels last, flattened as if first": 2,
}


# Flattened as if first, rows and columns change places.
@pytest.mark.parametrize("case", [case for case in CHANNELS if "as if first" not in case])
def test_each_pixel_and_channel_finds_its_weights(case, find):
    model = UNFLATTENED[case][0]()
    target = target_of(find(model))
    flatten, sizes = flattened(model)
    channel_axis = CHANNELS[case]
    # Value of one-hot map (i, j, ...) at the Dense layer: the weight of that pixel.
    count = int(np.prod(sizes))
    weights = flatten(np.eye(count, dtype="float32").reshape(count, *sizes)) @ target.read()
    weights = weights.reshape(*sizes, UNITS)
    unflattened = target.read().reshape(target.basis.shape)
    (channels,) = {*range(len(sizes))} - {*target.basis.axes}
    np.testing.assert_array_equal(
        np.moveaxis(weights, channel_axis, -2),
        np.moveaxis(unflattened, channels, -2),
    )


@pytest.mark.parametrize("case", CHANNELS)
def test_what_is_constant_over_the_pixels_of_each_channel_has_no_details(case, find):
    model = UNFLATTENED[case][0]()
    target = target_of(find(model))
    flatten, sizes = flattened(model)
    shape = [1] * len(sizes)
    shape[CHANNELS[case]] = -1
    levels = np.arange(sizes[CHANNELS[case]], dtype="float32").reshape(shape)
    constant = np.broadcast_to(levels, sizes)
    kernel = flatten(constant[None])[0][:, None] * np.arange(1, UNITS + 1, dtype="float32")
    coefficients = target.basis.decompose(kernel)
    approximation = coefficients[target.basis.approximation]
    assert np.square(approximation).sum() == pytest.approx(np.square(coefficients).sum())


@pytest.mark.parametrize(
    ("layer", "input_shape", "axes"),
    [
        (layers.Conv1D(4, 5), (12, 2), (0,)),
        (layers.Conv2D(4, 3), (8, 8, 2), (0, 1)),
        (layers.Conv2D(4, 3, data_format="channels_first"), (2, 8, 8), (0, 1)),
        (layers.Conv3D(4, 2), (5, 5, 5, 2), (0, 1, 2)),
        (layers.Conv1DTranspose(4, 5), (12, 2), (0,)),
        (layers.Conv2DTranspose(4, 3), (8, 8, 2), (0, 1)),
        (layers.Conv3DTranspose(4, 2), (5, 5, 5, 2), (0, 1, 2)),
        (layers.DepthwiseConv1D(3), (12, 2), (0,)),
        (layers.DepthwiseConv2D(3), (8, 8, 2), (0, 1)),
        (layers.SeparableConv1D(4, 3), (12, 2), (0,)),
        (layers.SeparableConv2D(4, 3), (8, 8, 2), (0, 1)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else None,
)
def test_convolutions_are_transformed_over_their_window(layer, input_shape, axes, find):
    model = keras.Sequential([keras.Input(input_shape), layer])
    window, *rest = find(model).items
    assert window.basis.axes == axes
    assert window.basis.shape == tuple(window.variable.shape)
    assert all(item.basis.is_identity for item in rest)


def test_a_convolution_of_one_pixel_has_no_geometry(find):
    model = keras.Sequential(
        [keras.Input((8, 8, 2)), layers.Conv2D(4, 3), layers.Conv2D(4, 1, name="mix")]
    )
    _, mix = find(model).items
    assert mix.basis.is_identity


def test_sequential_without_input_knows_its_geometry_once_built(find):
    model = network(layers.Flatten())
    model.build((None, 8, 6, 2))
    assert target_of(find(model)).basis.shape == (8, 6, 2, UNITS)


def test_inner_model_is_followed(find):
    inner = keras.Sequential(
        [keras.Input((8, 6, 4)), layers.Flatten(), layers.Dense(UNITS, name="target")],
        name="inner",
    )
    outer = keras.Sequential([keras.Input((8, 6, 3)), conv(), inner])
    (_, target) = find(outer).items
    assert target.path == "inner/target/kernel"
    assert target.basis.shape == (8, 6, 4, UNITS)


def test_flattened_output_of_an_inner_model_is_followed(find):
    inner = keras.Sequential([keras.Input((8, 6, 3)), conv()], name="inner")
    model = network(keras.Input((8, 6, 3)), inner, layers.Flatten())
    assert target_of(find(model)).basis.shape == (8, 6, 4, UNITS)


class Subclassed(keras.Model):
    """Flattens in `call`, where no graph shows it."""

    def __init__(self):
        super().__init__()
        self.conv = conv()
        self.flatten = layers.Flatten()
        self.first = layers.Dense(6, name="first")
        self.second = layers.Dense(3, name="second")

    def call(self, x):
        return self.second(self.first(self.flatten(self.conv(x))))


def test_subclassed_model_falls_back_and_names_the_layers(find):
    model = Subclassed()
    model(np.zeros((1, 8, 6, 3), "float32"))
    found = find(model)
    assert [item.basis.is_identity for item in found.items] == [False, True, True]
    (note,) = found.notes
    assert note.startswith("first, second: not part of a Functional or Sequential graph")

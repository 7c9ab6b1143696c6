"""Which kernels of a model are targets, under which path, in which basis."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import checks, register_layer
from dwt_keras.compression import targets


def paths(found):
    return [item.path for item in found.items]


def attention(layer):
    x = keras.Input((6, 8))
    return keras.Model(x, layer(x, x))


def one_layer(layer, *shape, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), layer])


PROJECTIONS = ["query/kernel", "key/kernel", "value/kernel", "attention_output/kernel"]
SEPARABLE = ["depthwise_kernel", "pointwise_kernel"]
RECURRENT = ["kernel", "recurrent_kernel"]

# Model around one layer named "it", and the kernels expected under that name.
LAYERS = {
    "Dense": (lambda: one_layer(layers.Dense(4, name="it"), 8), ["kernel"]),
    "EinsumDense": (
        lambda: one_layer(layers.EinsumDense("ab,bc->ac", 4, bias_axes="c", name="it"), 8),
        ["kernel"],
    ),
    "Conv1D": (lambda: one_layer(layers.Conv1D(4, 3, name="it"), 9, 2), ["kernel"]),
    "Conv2D": (lambda: one_layer(layers.Conv2D(4, 3, name="it"), 9, 9, 2), ["kernel"]),
    "Conv3D": (lambda: one_layer(layers.Conv3D(4, 3, name="it"), 5, 5, 5, 2), ["kernel"]),
    "Conv1DTranspose": (
        lambda: one_layer(layers.Conv1DTranspose(4, 3, name="it"), 9, 2),
        ["kernel"],
    ),
    "Conv2DTranspose": (
        lambda: one_layer(layers.Conv2DTranspose(4, 3, name="it"), 9, 9, 2),
        ["kernel"],
    ),
    "Conv3DTranspose": (
        lambda: one_layer(layers.Conv3DTranspose(4, 3, name="it"), 5, 5, 5, 2),
        ["kernel"],
    ),
    "DepthwiseConv1D": (lambda: one_layer(layers.DepthwiseConv1D(3, name="it"), 9, 2), ["kernel"]),
    "DepthwiseConv2D": (
        lambda: one_layer(layers.DepthwiseConv2D(3, name="it"), 9, 9, 2),
        ["kernel"],
    ),
    "SeparableConv1D": (
        lambda: one_layer(layers.SeparableConv1D(4, 3, name="it"), 9, 2),
        SEPARABLE,
    ),
    "SeparableConv2D": (
        lambda: one_layer(layers.SeparableConv2D(4, 3, name="it"), 9, 9, 2),
        SEPARABLE,
    ),
    "Embedding": (
        lambda: one_layer(layers.Embedding(10, 4, name="it"), 6, dtype="int32"),
        ["embeddings"],
    ),
    "MultiHeadAttention": (
        lambda: attention(layers.MultiHeadAttention(2, 4, name="it")),
        PROJECTIONS,
    ),
    "GroupQueryAttention": (
        lambda: attention(layers.GroupQueryAttention(4, 2, 1, name="it")),
        PROJECTIONS,
    ),
    "SimpleRNN": (
        lambda: one_layer(layers.SimpleRNN(4, name="it"), 5, 3),
        [f"simple_rnn_cell/{name}" for name in RECURRENT],
    ),
    "LSTM": (
        lambda: one_layer(layers.LSTM(4, name="it"), 5, 3),
        [f"lstm_cell/{name}" for name in RECURRENT],
    ),
    "GRU": (
        lambda: one_layer(layers.GRU(4, name="it"), 5, 3),
        [f"gru_cell/{name}" for name in RECURRENT],
    ),
    "Bidirectional": (
        lambda: one_layer(layers.Bidirectional(layers.LSTM(4, name="one"), name="it"), 5, 3),
        [f"{way}_one/lstm_cell/{name}" for way in ("forward", "backward") for name in RECURRENT],
    ),
    "RNN": (
        lambda: one_layer(layers.RNN(layers.GRUCell(4, name="cell"), name="it"), 5, 3),
        [f"cell/{name}" for name in RECURRENT],
    ),
    "StackedRNNCells": (
        lambda: one_layer(
            layers.RNN([layers.LSTMCell(4, name="low"), layers.GRUCell(4, name="up")], name="it"),
            5,
            3,
        ),
        [f"stacked_rnn_cells/{cell}/{name}" for cell in ("low", "up") for name in RECURRENT],
    ),
    "TimeDistributed": (
        lambda: one_layer(layers.TimeDistributed(layers.Dense(4, name="one"), name="it"), 5, 3),
        ["one/kernel"],
    ),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_kernels_of_each_layer(kind, find):
    build, kernels = LAYERS[kind]
    found = find(build())
    assert sorted(paths(found)) == sorted(f"it/{kernel}" for kernel in kernels)
    for item in found.items:
        assert isinstance(item.variable, keras.Variable)
        assert item.read().shape == tuple(item.variable.shape)
        assert item.layer_path + "/" + item.name == item.path


@pytest.mark.parametrize("kind", LAYERS)
def test_matrix_axes_read_each_kernel_as_inputs_by_outputs(kind, find):
    for item in find(LAYERS[kind][0](), axes="matrix").items:
        *inputs, outputs = item.variable.shape
        assert item.basis.shape == (int(np.prod(inputs)), outputs)
        assert item.basis.axes == ((0, 1) if outputs > 1 else (0,))


def test_biases_and_normalisation_are_no_targets(find):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(),
            layers.PReLU(),
            layers.GroupNormalization(2),
            layers.Flatten(),
            layers.LayerNormalization(),
            layers.Dense(3, name="classes"),
        ]
    )
    assert paths(find(model)) == ["conv/kernel", "classes/kernel"]


@pytest.fixture
def nested():
    """Outer model with a Dense layer of its own and an inner model of two."""
    inner = keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, name="first"), layers.Dense(8, name="second")],
        name="inner",
    )
    return keras.Sequential(
        [keras.Input((8,)), inner, layers.Dense(4, name="classes")], name="outer"
    )


def test_paths_lead_through_nested_models(nested, find):
    assert paths(find(nested)) == [
        "inner/first/kernel",
        "inner/second/kernel",
        "classes/kernel",
    ]


def test_paths_through_two_levels_of_nesting(nested, find):
    whole = keras.Sequential([keras.Input((8,)), nested])
    assert paths(find(whole))[0] == "outer/inner/first/kernel"


def test_layers_of_the_same_name_have_paths_of_their_own(find):
    class Twins(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = (layers.Dense(4, name="same") for _ in range(2))

        def call(self, x):
            return self.second(self.first(x))

    model = Twins()
    model(np.zeros((1, 8)))
    assert paths(find(model)) == ["same/kernel", "same#2/kernel"]


def test_a_shared_layer_counts_once(find):
    dense = layers.Dense(4, name="shared")
    x, y = keras.Input((8,)), keras.Input((8,))
    inner = keras.Model(y, dense(y), name="inner")
    model = keras.Model([x, y], [dense(x), dense(y), inner(x)])
    assert len(find(model).items) == 1


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("first", ["inner/first/kernel"]),
        ("inner/", ["inner/first/kernel", "inner/second/kernel"]),
        ("^classes$,second", ["inner/second/kernel", "classes/kernel"]),
        ("^(?!inner)", ["classes/kernel"]),
    ],
)
def test_patterns_narrow_by_path(nested, patterns, expected, find):
    assert paths(find(nested, layers=patterns)) == expected


def test_all_patterns_that_miss_are_reported_together(nested, find):
    with pytest.raises(checks.ArgumentError) as caught:
        find(nested, layers="first,nothing,neither$")
    message = str(caught.value)
    assert caught.value.argument == "layers"
    assert message.endswith("no match: nothing, neither$")
    assert "inner/first, inner/second, classes" in message
    assert "\n" not in message


def test_frozen_layers_are_no_targets(nested, find):
    nested.get_layer("inner").get_layer("first").trainable = False
    assert paths(find(nested)) == ["inner/second/kernel", "classes/kernel"]
    nested.get_layer("inner").trainable = False
    assert paths(find(nested)) == ["classes/kernel"]


def test_a_frozen_recurrent_layer_is_no_target(find):
    model = keras.Sequential(
        [keras.Input((5, 3)), layers.LSTM(4, name="lstm"), layers.Dense(2, name="classes")]
    )
    model.get_layer("lstm").trainable = False
    assert paths(find(model)) == ["classes/kernel"]


def test_layers_may_be_listed_with_spaces(find):
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(4, name="one"), layers.Dense(2, name="two")]
    )
    assert [item.layer_path for item in find(model, layers="one, two").items] == ["one", "two"]


def test_quantised_layers_that_are_left_out_do_not_matter(find):
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(4, name="one"), layers.Dense(2, name="two")]
    )
    model.get_layer("one").quantize("int8")
    assert [item.layer_path for item in find(model, layers="two").items] == ["two"]


@pytest.mark.parametrize("body", [[], [layers.Dense(3, name="classes", trainable=False)]])
def test_nothing_to_compress_is_an_error_of_one_line(body, find):
    model = keras.Sequential([keras.Input((8,)), layers.BatchNormalization(), *body], name="bare")
    with pytest.raises(checks.UserError, match=r"^model 'bare' has no trainable kernel") as caught:
        find(model)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize`:UserWarning")
def test_quantised_layers_are_refused_by_name(nested, find):
    nested.quantize("int8")
    with pytest.raises(checks.UserError) as caught:
        find(nested)
    assert "layers inner/first, inner/second, classes are quantised" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_with_lora_are_refused_by_name(nested, find):
    nested.get_layer("inner").get_layer("first").enable_lora(2)
    nested.get_layer("classes").enable_lora(2)
    with pytest.raises(checks.UserError, match=r"^layers inner/first, classes are quantised or"):
        find(nested)


class Sparse(layers.Layer):
    """A custom layer with a kernel of two spatial axes between other axes."""

    def build(self, shape):
        self.window = self.add_weight(shape=(3, 8, 6, 2), name="window")
        self.scale = self.add_weight(shape=(4,), name="scale")

    def call(self, x):
        return x * keras.ops.sum(self.window) + self.scale


class Sparser(Sparse):
    """A subclass of it."""


class Scaled(layers.Dense):
    """A subclass of a known layer, with a weight more."""

    def build(self, shape):
        super().build(shape)
        self.gain = self.add_weight(shape=(self.units,), name="gain")


@pytest.fixture
def registered(monkeypatch):
    """Undoes what a test registers."""
    monkeypatch.setattr(targets, "_KERNELS", dict(targets._KERNELS))


@pytest.mark.parametrize("layer_class", [Sparse, Sparser])
@pytest.mark.parametrize("axes", [(1, 2), (2, 1), (-3, -2)])
@pytest.mark.usefixtures("registered")
def test_custom_layers_can_be_registered(layer_class, axes, find):
    model = one_layer(layer_class(name="it"), 4)
    with pytest.raises(checks.UserError, match="no trainable kernel"):
        find(model)
    register_layer(Sparse, {"window": axes})
    (item,) = find(model).items
    assert item.path == "it/window"
    assert (item.basis.shape, item.basis.axes) == ((3, 8, 6, 2), (1, 2))


@pytest.mark.usefixtures("registered")
def test_registered_kernels_may_have_no_geometry(find):
    register_layer(Sparse, {"window": ()})
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(4, 3), Sparse(name="it")])
    assert find(model).items[1].basis.is_identity


@pytest.mark.parametrize("axes", [(4,), (-5,), (1, 1), (1, -3)])
@pytest.mark.usefixtures("registered")
def test_registered_axes_that_the_kernel_has_not_are_refused(axes, find):
    register_layer(Sparse, {"window": axes})
    with pytest.raises(checks.UserError, match="window"):
        find(one_layer(Sparse(name="it"), 4))


@pytest.mark.parametrize("bad", [Sparse.build, int, "Dense"])
def test_only_layer_classes_can_be_registered(bad):
    with pytest.raises(checks.ArgumentError, match=r"must be a subclass of keras\.layers\.Layer"):
        register_layer(bad, {"kernel": ()})


def test_subclasses_of_known_layers_are_found(find):
    model = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), Scaled(4, name="it")])
    (item,) = find(model).items
    assert (item.path, item.basis.shape) == ("it/kernel", (8, 8, 4))


class Forgetful(keras.Model):
    """Has a layer that it never calls, and that is never built."""

    def __init__(self):
        super().__init__()
        self.used = layers.Dense(4, name="used")
        self.unused = layers.Dense(4, name="unused")

    def build(self, shape):
        self.used.build(shape)

    def call(self, x):
        return self.used(x)


def test_layers_that_were_never_built_are_passed_over(find):
    model = Forgetful()
    model(np.zeros((1, 8), "float32"))
    assert paths(find(model)) == ["used/kernel"]


TABULAR = "no kernel of this model has an axis with geometry: db2 is applied to the kernels as"


def test_without_any_geometry_a_wavelet_falls_back_to_matrices(nested, find):
    found = find(nested, "db2")
    assert [note[: len(TABULAR)] for note in found.notes] == [TABULAR]
    assert [(item.basis.shape, item.basis.axes) for item in found.items] == [
        ((8, 8), (0, 1)),
        ((8, 8), (0, 1)),
        ((8, 4), (0, 1)),
    ]


def test_without_geometry_and_without_a_wavelet_there_is_nothing_to_tell(nested, find):
    found = find(nested, "none")
    assert found.notes == ()
    assert all(item.basis.is_identity for item in found.items)


def test_one_kernel_with_geometry_is_enough_to_stay_with_it(nested, find):
    x = keras.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, name="conv")(x))
    found = find(keras.Model(x, nested(pooled)), "db2")
    assert found.notes == ()
    assert [item.basis.is_identity for item in found.items] == [False, True, True, True]


def test_a_level_too_deep_is_capped_and_noted_once_a_layer(find):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.SeparableConv2D(4, 3, padding="same", name="conv"),
            layers.Flatten(),
            layers.Dense(3, name="classes"),
        ]
    )
    found = find(model, level=3)
    assert found.notes == ("conv/depthwise_kernel: level 3 capped at 2 for 3 samples",)
    assert [item.basis.level for item in found.items] == [2, 0, 3]


def test_level_max_is_the_deepest_of_each_kernel_and_needs_no_note(find):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same", name="conv"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3, name="classes"),
        ]
    )
    found = find(model, level="max")
    assert found.notes == ()
    assert [item.basis.level for item in found.items] == [2, 2]

"""A model's architecture as bytes and back; files that try to do anything else."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import sys
import tracemalloc
import zlib

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture
from dwt_keras.settings import TrainingSettings
from dwt_keras.training import models

MOST = 2**28  # Parameters that are allowed, where a test is not about them.


@keras.saving.register_keras_serializable("architecture_tests")
class Scaled(layers.Layer):
    """A registered layer around another layer."""

    def __init__(self, inner=None, **options):
        super().__init__(**options)
        self.inner = inner or layers.Dense(3)

    def build(self, shape):
        if not self.inner.built:
            self.inner.build(shape)
        self.gain = self.add_weight(shape=(3,), name="gain")

    def call(self, x):
        return self.inner(x) * self.gain

    def get_config(self):
        return super().get_config() | {"inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        inner = keras.saving.deserialize_keras_object(config.pop("inner"))
        return cls(inner=inner, **config)


@keras.saving.register_keras_serializable("architecture_tests")
def doubled(x):
    return 2 * x


class Unregistered(layers.Layer):
    """A layer that no file may name."""

    def call(self, x):
        return x


class Nameless(layers.Layer):
    """A layer whose weight Keras names, and numbers."""

    def build(self, shape):
        self.gain = self.add_weight(shape=(3,))

    def call(self, x):
        return x


def project(kind):
    shape = (28, 28, 1) if kind == "mlp" else (32, 32, 3)
    return models.build(TrainingSettings(model=kind), shape, 10)


def sequential(*body, shape=(8,), dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *body])


def branches():
    x, y = keras.Input((8, 8, 3), name="x"), keras.Input((4,), name="y")
    conv = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2")(x)
    conv = layers.ReLU()(layers.BatchNormalization()(conv))
    merged = layers.Add()([conv, layers.Conv2D(4, 1, use_bias=False)(x)])
    pooled = layers.GlobalAveragePooling2D()(merged)
    joined = layers.Concatenate()([pooled, y])
    return keras.Model([x, y], [layers.Dense(2, name="a")(joined), layers.Dense(3)(pooled)])


def shared():
    x, y = keras.Input((8,)), keras.Input((8,))
    dense = layers.Dense(8)
    return keras.Model([x, y], layers.Subtract()([dense(dense(x)), dense(y)]))


def nested():
    inner = sequential(layers.Dense(8, activation="relu"), layers.Dense(8))
    inner.compile("adam", "mse")
    x = keras.Input((8,))
    middle = keras.Model(x, layers.Add()([inner(x), x]))
    return sequential(middle, layers.Dense(2))


def named():
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    return keras.Model({"x": x, "y": y}, {"sum": layers.Add()([x, y]), "out": layers.Dense(2)(y)})


def attention():
    x = keras.Input((6, 8))
    seen = layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(x, value=x))
    return keras.Model(x, layers.Bidirectional(layers.LSTM(3))(seen))


def operations():
    x = keras.Input((6, 4))
    y = keras.ops.concatenate([x[:, 1:3] * 2 + 1, x[:, ::2]], axis=1)
    return keras.Model(x, layers.Dense(2)(keras.ops.reshape(keras.ops.mean(y, -1), (-1, 5))))


def initialised():
    return sequential(
        layers.Dense(
            4,
            kernel_initializer=keras.initializers.HeNormal(seed=2**40),
            bias_initializer=keras.initializers.Constant(0.5),
            kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
            kernel_constraint=keras.constraints.MaxNorm(2),
            activation=doubled,
        ),
        layers.Dropout(0.5, seed=3),
    )


# Name -> a function that builds it.
MODELS = {
    "mlp": lambda: project("mlp"),
    "cnn": lambda: project("cnn"),
    "branches": branches,
    "shared": shared,
    "nested": nested,
    "named": named,
    "attention": attention,
    "operations": operations,
    "initialised": initialised,
    "embedding": lambda: sequential(
        layers.Embedding(10, 4, mask_zero=True), layers.GRU(3), shape=(5,), dtype="int32"
    ),
    "mixed": lambda: sequential(
        layers.Dense(4, dtype="mixed_float16"), layers.Dense(2, dtype="bfloat16")
    ),
    "separable": lambda: sequential(
        layers.SeparableConv2D(4, 3), layers.DepthwiseConv2D(3), shape=(9, 9, 2)
    ),
    "transposed": lambda: sequential(
        layers.Conv1D(4, 3), layers.Conv1DTranspose(2, 3), layers.TimeDistributed(layers.Dense(2)),
        shape=(9, 2),
    ),
    "normalised": lambda: sequential(
        layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]), shape=(2,)
    ),
    "custom": lambda: sequential(Scaled(name="one"), Scaled(layers.Dense(3), name="other")),
}  # fmt: skip


def inputs(model):
    rng = np.random.default_rng(0)
    return keras.tree.map_structure(
        lambda x: rng.integers(0, 9, (2, *x.shape[1:])).astype(x.dtype),
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )


@pytest.mark.parametrize("kind", MODELS)
def test_models_come_back(kind):
    model = MODELS[kind]()
    data = architecture.encode(model)
    found = architecture.decode(data, MOST)
    assert type(found) is type(model)
    assert [(v.name, v.shape, v.dtype) for v in found.weights] == [
        (v.name, v.shape, v.dtype) for v in model.weights
    ]
    assert not found.compiled
    assert architecture.fingerprint(found) == architecture.fingerprint(model)
    assert architecture.encode(found) == data
    found.set_weights(model.get_weights())
    x = inputs(model)
    expected, given = model(x), found(x)
    keras.tree.assert_same_structure(given, expected)
    keras.tree.map_structure(np.testing.assert_array_equal, given, expected)


@pytest.mark.parametrize("kind", sorted(set(MODELS) - {"nested", "custom"}))
def test_the_whole_configuration_comes_back(kind):
    model = MODELS[kind]()
    found = architecture.decode(architecture.encode(model), MOST)
    assert json.loads(found.to_json()) == json.loads(model.to_json())
    assert [x.shape for x in found.outputs] == [x.shape for x in model.outputs]


def test_losses_come_back():
    found = architecture.decode(architecture.encode(branches()), MOST)
    assert len(found.losses) == 1


@pytest.mark.parametrize(("kind", "most"), [("mlp", 60), ("cnn", 150)])
def test_the_project_s_models_take_few_bytes(kind, most):
    assert len(architecture.encode(project(kind))) <= most


def test_the_same_model_gives_the_same_bytes():
    model = project("cnn")
    data = architecture.encode(model)
    model.compile("adam", "mse")
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    assert architecture.encode(model) == data == architecture.encode(project("cnn"))


def test_the_dictionary_is_part_of_the_format():
    """Files written before a change of it could not be read."""
    digest = hashlib.blake2b(architecture.DICTIONARY, digest_size=8).hexdigest()
    assert digest == "8d91642045e5b7d7"


def test_names_do_not_count_for_the_fingerprint():
    one, other = shared(), shared()
    assert [layer.name for layer in one.layers] != [layer.name for layer in other.layers]
    assert architecture.fingerprint(one) == architecture.fingerprint(other)


def test_numbers_of_variables_without_a_name_do_not_count():
    one, other = sequential(Nameless()), sequential(Nameless())
    assert one.weights[0].name != other.weights[0].name
    assert architecture.fingerprint(one) == architecture.fingerprint(other)


@pytest.mark.parametrize(
    "body",
    [
        [layers.Dense(5), layers.Dense(4)],
        [layers.Dense(4, dtype="float16"), layers.Dense(4)],
        [layers.Dense(4, use_bias=False), layers.Dense(4)],
        [layers.EinsumDense("ab,bc->ac", 4, bias_axes="c"), layers.Dense(4)],
        [layers.Dense(4)],
        [layers.Dense(4), layers.Dense(4), layers.BatchNormalization()],
    ],
)
def test_what_changes_the_weights_changes_the_fingerprint(body):
    plain = architecture.fingerprint(sequential(layers.Dense(4), layers.Dense(4)))
    assert len(plain) == 8
    assert architecture.fingerprint(sequential(*body)) != plain


def packed(tree):
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=architecture.DICTIONARY)
    return packer.compress(text) + packer.flush()


def tree_of(model):
    data = architecture.encode(model)
    return json.loads(zlib.decompressobj(-15, architecture.DICTIONARY).decompress(data))


@pytest.fixture(scope="module")
def mlp_tree():
    return tree_of(project("mlp"))


def refused(tree, match):
    with pytest.raises(CodecError, match=match) as caught:
        architecture.decode(packed(tree), MOST)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def item(class_name, module="keras.layers", registered_name=None, **config):
    return {
        "class_name": class_name,
        "config": config,
        "module": module,
        "registered_name": registered_name,
    }


@pytest.mark.parametrize(
    "hostile",
    [
        item("Lambda", name="it", function={"class_name": "__lambda__", "config": {"value": []}}),
        item("Lambda", name="it", function="relu"),
        item("Lambda", "keras.src.layers.core.lambda_layer", name="it"),
        item("TFSMLayer", name="it", filepath="/tmp"),
        item("TorchModuleWrapper", name="it", module=""),
        item("JaxLayer", name="it"),
        item("FlaxLayer", name="it"),
        item("StringLookup", name="it", vocabulary="/etc/passwd"),
        item("TextVectorization", name="it", vocabulary="/etc/passwd"),
        item("system", "os", name="it"),
        item("Popen", "subprocess", name="it"),
        item("eval", "builtins", name="it"),
        item("layers.Lambda", "keras", name="it"),
        item("Dense.__init__", name="it"),
        item("__class__", name="it"),
        item("load_model", "keras.saving", name="it"),
        item("get_file", "keras.utils", name="it"),
        item("Adam", "keras.optimizers", name="it"),
        item("Variable", "keras", name="it"),
        item("InputSpec", name="it"),
        item("Unregistered", __name__, "Custom>Unregistered", name="it"),
        item("Unregistered", __name__, "Unregistered", name="it"),
        item("Dense", "keras.layers", "Custom>Dense", name="it"),
        item("Dense", "keras.layers", "architecture_tests>doubled", name="it"),
        item("Dense", "keras.src.layers.core.dense", name="it"),
        item("Dense", None, name="it"),
        item("Dense", ["keras.layers"], name="it"),
        item("Map", "keras.src.ops.core", name="it"),
        item("Arange", "keras.src.ops.numpy", name="it"),
        item("antigravity", "antigravity", name="it"),
    ],
    ids=lambda value: f"{value['module']}.{value['class_name']}",
)
def test_classes_that_are_not_allowed_are_refused_by_name(hostile, mlp_tree):
    mlp_tree = copy.deepcopy(mlp_tree)
    mlp_tree["config"]["layers"].append(hostile)
    refused(mlp_tree, "'it': neither a class of Keras that may be stored nor one registered here")
    assert "antigravity" not in sys.modules


FUNCTION = {"class_name": "function", "module": "builtins", "registered_name": None}


@pytest.mark.parametrize(
    "hostile",
    [
        FUNCTION | {"config": "eval"},
        FUNCTION | {"config": "deserialize"},
        FUNCTION | {"config": "relu", "module": "os"},
        FUNCTION | {"config": "system", "module": "os"},
        FUNCTION | {"config": ["relu"]},
        {"class_name": "__lambda__", "config": {"value": ["", None, None]}},
        {"class_name": "__typespec__", "config": [], "spec_name": "X", "module": "os"},
        {"class_name": "__numpy__", "config": {"value": "a", "dtype": "U1000000000"}},
        {"class_name": "__tensor__", "config": {"value": 1, "dtype": "object"}},
        {
            "class_name": "__numpy__",
            "config": {"value": [{"class_name": "Normalization"}], "dtype": "float32"},
        },
        {"class_name": "__slice__", "config": {"start": 1, "stop": [], "step": 1}},
        {"class_name": "relu", "config": {}},
        {"class_name": "Dense"},
        {"class_name": None, "config": {}},
        {"class_name": ["Dense"], "config": {}},
        item("Dense") | {"compile_config": {"optimizer": "adam"}},
        item("Dense") | {"shared_object_id": 1},
    ],
    ids=str,
)
def test_other_objects_are_refused(hostile, mlp_tree):
    mlp_tree = copy.deepcopy(mlp_tree)
    mlp_tree["config"]["layers"][2]["config"]["activation"] = hostile
    refused(mlp_tree, "^Dense 'dense_1': ")


def test_functions_of_keras_and_registered_ones_are_allowed(mlp_tree):
    for name in ("relu", "architecture_tests>doubled"):
        tree = copy.deepcopy(mlp_tree)
        tree["config"]["layers"][2]["config"]["activation"] = FUNCTION | {"config": name}
        assert architecture.decode(packed(tree), MOST).count_params() == 101770


def test_the_writer_refuses_what_the_reader_would():
    with pytest.raises(CodecError, match="layer 'anything': Lambda cannot be stored"):
        architecture.encode(sequential(layers.Lambda(doubled, name="anything")))
    with pytest.raises(CodecError, match="Unregistered 'odd': neither"):
        architecture.encode(sequential(Unregistered(name="odd")))
    with pytest.raises(CodecError, match="not finite"):
        architecture.encode(sequential(layers.Masking(float("inf")), shape=(3, 2)))


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("units", 10**12, r"^Dense 'dense_1': units is too large: 1000000000000"),
        ("units", -(10**12), "units is too large"),
        ("units", 2**31 - 1, r"parameters: variable kernel of shape \(784, 2147483647\)"),
        ("units", -1, "Keras cannot build the model: Dense: Received an invalid value for `units`"),
        ("units", 0, "Keras cannot build the model"),
        ("units", "many", "Keras cannot build the model"),
        ("units", None, "Keras cannot build the model"),
        ("units", [3], "Keras cannot build the model"),
        ("units", 1.5, "Keras cannot build the model"),
        ("units", float("nan"), "not finite: NaN"),
        ("units", float("inf"), "not finite: Infinity"),
        ("dtype", "object", "Keras cannot build the model"),
        ("activation", "os.system", "Keras cannot build the model"),
        ("name", "a/b", "Keras cannot build the model"),
        ("unknown", 1, "Keras cannot build the model"),
    ],
)
def test_bad_values_are_refused(key, value, match, mlp_tree):
    tree = copy.deepcopy(mlp_tree)
    tree["config"]["layers"][2]["config"][key] = value
    refused(tree, match)


def peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


BIG = 2**31 - 1
# Models of a file of a few bytes that would be huge: the shape of the input, the layers.
LARGE = {
    "dense": ((BIG,), [layers.Dense(2)]),
    "convolution": ((8, 8, 3), [layers.Conv2D(2, 3)]),
    "normalisation": ((2, BIG), [layers.Normalization(mean=0.0, variance=1.0)]),
    "adapted": ((2, BIG), [layers.Normalization()]),
    "recurrent": ((2, BIG), [layers.LSTM(2)]),
    "spectrum": ((9, 2), [layers.STFTSpectrogram()]),
}


def vast(kind):
    shape, body = LARGE[kind]
    small = tuple(2 if size == BIG else size for size in shape)
    if kind == "spectrum":
        small, shape = (600, 1), (600, 1)
    tree = tree_of(sequential(*[type(one).from_config(one.get_config()) for one in body],
                              shape=small))  # fmt: skip
    tree["config"]["layers"][0]["config"]["batch_shape"] = [None, *shape]
    config = tree["config"]["layers"][1]["config"]
    if kind == "convolution":
        config["kernel_size"] = [2**15, 2**15]
        config["padding"] = "same"
    if kind == "spectrum":
        config["frame_length"] = config["fft_length"] = 2**16
    return tree


@pytest.mark.parametrize("kind", LARGE)
def test_huge_variables_are_refused_before_they_are_made(kind):
    data = packed(vast(kind))

    def decode():
        with pytest.raises(CodecError, match="parameters"):
            architecture.decode(data, MOST)

    before = resident()
    assert peak(decode) < 2**25
    # TensorFlow's memory is not Python's.
    assert resident() - before < 2**27


def resident():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_the_limit_counts_all_variables_together():
    data = architecture.encode(sequential(*[layers.Dense(8, use_bias=False) for _ in range(4)]))
    assert architecture.decode(data, 256).count_params() == 256
    with pytest.raises(CodecError, match="more than 255 parameters"):
        architecture.decode(data, 255)


def test_models_nested_and_called_often_are_refused():
    """Keras would call the innermost layer 8**8 times."""
    x = keras.Input((8,))
    template = tree_of(keras.Model(x, sequential(layers.Dense(8))(x)))
    x = keras.Input((8,))
    tree = tree_of(keras.Model(x, layers.Dense(8)(x)))
    for level in range(8):
        inner, tree = tree, copy.deepcopy(template)
        child = tree["config"]["layers"][1]
        tree["config"]["layers"][1] = inner | {
            "name": child["name"],
            "inbound_nodes": child["inbound_nodes"] * 8,
        }
        tree["config"]["layers"][1]["config"]["name"] = f"level_{level}"
    refused(tree, "calls of layers to build, more than the limit of 7500")


def test_a_sequence_too_long_is_refused():
    tree = tree_of(sequential(layers.ReLU()))
    tree["config"]["layers"] *= 400
    refused(tree, "calls of layers to build, more than the limit of 7500")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "no valid JSON"),
        (b"[]", "no Keras object"),
        (b"7", "no Keras object"),
        (b"{}", "no Keras object"),
        (b"\xff", "no valid JSON"),
        (b'"\\ud800"', "no Keras object"),
        (b"[" * 10**6, "nested too deep"),
        (b'{"a":' * 10**5, "nested too deep"),
        (b"[" + b"1," * 10**6 + b"1]", "too many parts"),
        (b'{"a":1,"a":2}', "a key twice"),
        (b"1" * 5000, "no valid JSON"),
        (b"[1e999]", "not finite: 1e999"),
        (b'["' + b"\\" * 10**6, "no valid JSON"),
        (b'["[[[' + b"[" * 100 + b'"]', "no Keras object"),
        (json.dumps(item("ReLU", name="it")).encode(), "that of a ReLU, not of a model"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_other_texts_are_refused(text, match):
    refused(text, match)


@pytest.mark.parametrize(
    "history", [None, ["images"], ["images", -1, 0], ["images", 0.0, 0], [1, 0, 0]]
)
def test_tensors_without_a_place_in_the_graph_are_refused(history):
    tree = tree_of(shared())
    call = tree["config"]["layers"][-1]["inbound_nodes"][0]
    call["args"][0][0]["config"]["keras_history"] = history
    refused(tree, "^Subtract 'subtract.*': '__keras_tensor__': neither")


@pytest.mark.parametrize(
    "call", [[], None, {"args": []}, {"args": [1], "kwargs": {}}, [["a", 0, 0]]]
)
def test_calls_without_a_tensor_are_refused(call):
    """Keras would compute what they call for at once, however large."""
    tree = tree_of(shared())
    tree["config"]["layers"][-1]["inbound_nodes"] = [call]
    refused(tree, "^Subtract 'subtract.*': is called on something else")


def test_a_bomb_takes_no_memory():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(2**20)
    data = b"".join(packer.compress(block) for _ in range(512)) + packer.flush()
    assert len(data) < 2**20

    def decode():
        with pytest.raises(CodecError, match="longer than 8388608 bytes"):
            architecture.decode(data, MOST)

    assert peak(decode) < 2**25


def test_every_cut_and_every_addition_is_refused():
    data = architecture.encode(project("mlp"))
    for length in range(len(data)):
        with pytest.raises(CodecError):
            architecture.decode(data[:length], MOST)
    with pytest.raises(CodecError, match="behind its end"):
        architecture.decode(data + b"\0", MOST)


def outside():
    return {name for name in sys.modules if name.split(".")[0] not in ("keras", "tensorflow")}


def test_every_flip_gives_an_error_or_a_model():
    data = architecture.encode(project("mlp"))
    architecture.decode(data, MOST)
    known, errors, built = outside(), 0, 0
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        try:
            # Few flips of a size leave it small enough.
            found = architecture.decode(bytes(flipped), 2**20)
        except CodecError as error:
            errors += 1
            assert "\n" not in str(error)
        else:
            built += 1
            assert isinstance(found, keras.Model)
    assert errors and built
    assert outside() == known


TREES = {kind: tree_of(MODELS[kind]()) for kind in ("shared", "attention", "custom", "operations")}
STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(), st.text(max_size=5),
    st.sampled_from(["os", "keras.layers", "Lambda", "Dense", "__tensor__", [], {}, [[]], "relu"]),
    st.lists(st.integers(-2, 9), max_size=4),
)  # fmt: skip


def places(tree):
    """Every container of the tree with each of its keys."""
    found = []
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        found.append((tree, key))
        if isinstance(value, dict | list):
            found.extend(places(value))
    return found


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(sorted(TREES)), st.data())
def test_wrong_types_anywhere_give_an_error_or_a_model(kind, data):
    tree = copy.deepcopy(TREES[kind])
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(places(tree)))
        what = data.draw(st.sampled_from(["set", "drop", "swap"]))
        if what == "drop":
            del container[key]
        elif what == "swap":
            other, place = data.draw(st.sampled_from(places(tree)))
            container[key] = copy.deepcopy(other[place])
        else:
            container[key] = data.draw(STRANGE)
    known = outside()
    try:
        found = architecture.decode(packed(tree), 2**16)
    except CodecError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(found, keras.Model)
    assert outside() == known


def test_random_bytes_are_refused():
    rng = random.Random(0)
    for length in range(1, 200):
        with pytest.raises(CodecError):
            architecture.decode(rng.randbytes(length), MOST)


def test_weights_begin_as_zeros_whatever_the_initializer():
    """They get others; the orthogonal one takes seconds for a large kernel."""
    found = architecture.decode(
        architecture.encode(sequential(layers.Dense(8, kernel_initializer="orthogonal"))), MOST
    )
    assert not any(weight.any() for weight in found.get_weights())
    assert type(found.layers[0].kernel_initializer).__name__ == "Orthogonal"


def test_states_of_random_layers_begin_as_they_should():
    model = sequential(layers.Dropout(0.5, seed=3), layers.GaussianNoise(1.0))
    found = architecture.decode(architecture.encode(model), MOST, 0)
    state = found.layers[0].seed_generator.state
    np.testing.assert_array_equal(state, model.layers[0].seed_generator.state)


@pytest.mark.parametrize("length", [1024, 1025])
def test_names_are_short(length):
    """Each variable keeps the names of all around it."""
    tree = tree_of(sequential(layers.Dense(3)))
    tree["config"]["name"] = "a" * length
    if length <= 1024:
        assert architecture.decode(packed(tree), MOST).name == "a" * length
    else:
        refused(tree, "'name' has 1025 characters, too many")


def test_long_texts_are_refused():
    tree = tree_of(sequential(layers.Dense(3)))
    tree["config"]["layers"][1]["config"]["activation"] = "a" * (2**16 + 1)
    refused(tree, "'activation' has 65537 characters, too many")


@pytest.mark.parametrize("count", [1024, 1025])
def test_shapes_have_few_axes(count):
    """Each layer keeps copies of them."""
    tree = tree_of(sequential(layers.ReLU()))
    tree["config"]["layers"][0]["config"]["batch_shape"] = [None] + [1] * (count - 1)
    if count <= 1024:
        assert len(architecture.decode(packed(tree), MOST).input_shape) == count
    else:
        refused(tree, "'batch_shape' has 1025 whole numbers, too many")


@pytest.mark.parametrize("sections", [4096, list(range(1, 1000))])
def test_many_sections_count_as_calls(sections):
    x = keras.Input((4096,))
    data = architecture.encode(keras.Model(x, keras.ops.split(x, sections, axis=1)[0]))
    assert architecture.decode(data, MOST, 0, 300)
    with pytest.raises(CodecError, match="calls of layers to build, more than the limit of 60 "):
        architecture.decode(data, MOST, 0, 60)


def test_a_layer_in_both_directions_counts_with_its_copies():
    plain = sequential(layers.LSTM(2), shape=(3, 2))
    both = sequential(layers.Bidirectional(layers.LSTM(2)), shape=(3, 2))
    with pytest.raises(CodecError, match="takes 21 calls"):
        architecture.decode(architecture.encode(plain), MOST, 3, 0)
    with pytest.raises(CodecError, match="takes 56 calls"):
        architecture.decode(architecture.encode(both), MOST, 6, 0)
    tree = tree_of(both)
    del tree["config"]["layers"][1]["config"]["backward_layer"]
    with pytest.raises(CodecError, match="takes 46 calls"):
        architecture.decode(packed(tree), MOST, 6, 0)


def test_a_model_may_have_no_more_variables_than_its_file_has_tensors():
    data = architecture.encode(sequential(*[layers.BatchNormalization() for _ in range(20)]))
    assert len(architecture.decode(data, MOST, 80).weights) == 80
    with pytest.raises(CodecError, match="the model has more variables than the file has tensors"):
        architecture.decode(data, MOST, 0)


@pytest.mark.parametrize("kind", ["RandAugment", "AugMix", "RandomRotation", "RandomCrop"])
def test_layers_of_random_states_come_back(kind):
    options = {"RandomRotation": {"factor": 0.1}, "RandomCrop": {"height": 4, "width": 4}}
    layer = getattr(layers, kind)(**options.get(kind, {}))
    data = architecture.encode(sequential(layer, shape=(8, 8, 3)))
    assert architecture.decode(data, MOST, 0).count_params() == 0


def test_states_that_make_no_sense_are_refused_and_the_next_model_is_built():
    """Keras makes them at the very end."""
    tree = tree_of(sequential(layers.Dropout(0.5, seed=3), layers.Dense(3)))
    tree["config"]["layers"][1]["config"]["seed"] = True
    refused(tree, "^Keras cannot build the model: ValueError: ")
    assert sequential(layers.Dense(3)).get_weights()[0].shape == (8, 3)
    assert architecture.decode(architecture.encode(shared()), MOST).count_params() == 72

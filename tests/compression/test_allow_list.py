"""Files that name what they may not, and bytes that are no architecture."""

from __future__ import annotations

import copy
import json
import random
import sys

import keras
import pytest
from architectures import (
    MODELS,
    MOST,
    Unregistered,
    doubled,
    packed,
    project,
    refused,
    sequential,
    shared,
    tree_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture


@pytest.fixture(scope="module")
def mlp_tree():
    return tree_of(project("mlp"))


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
        item("Unregistered", Unregistered.__module__, "Custom>Unregistered", name="it"),
        item("Unregistered", Unregistered.__module__, "Unregistered", name="it"),
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


def test_states_that_make_no_sense_are_refused_and_the_next_model_is_built():
    """Keras makes them at the very end."""
    tree = tree_of(sequential(layers.Dropout(0.5, seed=3), layers.Dense(3)))
    tree["config"]["layers"][1]["config"]["seed"] = True
    refused(tree, "^Keras cannot build the model: ValueError: ")
    assert sequential(layers.Dense(3)).get_weights()[0].shape == (8, 3)
    assert architecture.decode(architecture.encode(shared()), MOST).count_params() == 72

"""Architectures of few bytes that ask for much."""

from __future__ import annotations

import copy
import zlib

import keras
import pytest
from architectures import MOST, packed, peak, refused, sequential, tree_of
from keras import layers

from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture

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


def test_a_bomb_takes_no_memory():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(2**20)
    data = b"".join(packer.compress(block) for _ in range(512)) + packer.flush()
    assert len(data) < 2**20

    def decode():
        with pytest.raises(CodecError, match="longer than 8388608 bytes"):
            architecture.decode(data, MOST)

    assert peak(decode) < 2**25


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

"""How benchmarks/fuzz.py changes bytes, fields and architectures."""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from dwt_keras.coding import fields, records

_INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1024, 4096)
_LARGE = (2**14, 2**16, 2**20, 2**24, 2**25, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**64 - 1)
_CLASSES = (
    "Dense Conv1D Conv2D Conv3D Conv2DTranspose DepthwiseConv2D SeparableConv2D EinsumDense"
    " Embedding LSTM GRU SimpleRNN Bidirectional TimeDistributed RNN LSTMCell StackedRNNCells"
    " ConvLSTM2D MultiHeadAttention GroupQueryAttention Attention AdditiveAttention"
    " BatchNormalization LayerNormalization GroupNormalization Normalization UnitNormalization"
    " SpectralNormalization RMSNormalization Dropout SpatialDropout2D GaussianNoise Flatten"
    " Reshape Permute RepeatVector Cropping2D ZeroPadding2D UpSampling2D MaxPooling2D"
    " AveragePooling2D GlobalAveragePooling2D Add Multiply Concatenate Dot Subtract ReLU PReLU"
    " LeakyReLU Softmax Activation Masking Lambda TFSMLayer StringLookup TextVectorization"
    " Discretization CategoryEncoding Hashing HashedCrossing Rescaling Resizing CenterCrop"
    " RandomFlip RandomRotation RandomZoom RandAugment AugMix MixUp MelSpectrogram"
    " STFTSpectrogram Pipeline InputLayer Sequential Functional Model Orthogonal Constant Identity"
    " GlorotUniform HeNormal STFT L1L2 OrthogonalRegularizer MaxNorm GetItem Split Repeat Tile"
    " Einsum OneHot Pad __numpy__ __tensor__ __slice__ __keras_tensor__ function"
).split()
_MODULES = (
    "keras keras.layers keras.models keras.initializers keras.regularizers keras.constraints"
    " keras.src.models.functional keras.src.ops.numpy keras.src.ops.nn keras.random os builtins"
).split()
_STRANGE: tuple[object, ...] = (
    None, True, "", "relu", "float16", "a" * 3000, [], {}, [[]], [1, None], -1
)  # fmt: skip


def mutated_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    """Bits flipped, bytes set, inserted, deleted, repeated; one to four of these."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(found) + 1))
        length = int(rng.integers(1, 9))
        what = int(rng.integers(7))
        if what == 0 and place < len(found):
            found[place] ^= 1 << int(rng.integers(8))
        elif what == 1 and place < len(found):
            found[place] = int(rng.integers(256))
        elif what == 2:
            found[place:place] = rng.bytes(length)
        elif what == 3:
            del found[place : place + length]
        elif what == 4:
            found[place:place] = found[place : place + 4 * length]
        elif what == 5:
            found[place : place + length] = varint(any_number(rng))
        else:
            del found[max(len(found) - length, 0) :]
    return bytes(found)


def mutated_payload(rng: np.random.Generator, payload: bytes) -> bytes:
    """Bytes of the payload changed, or of its index before that is deflated, or of its values."""
    chance = rng.random()
    if chance < 0.2:
        return mutated_bytes(rng, payload)
    index, values = records.unpack(payload)
    if chance < 0.6:
        return records.pack(mutated_bytes(rng, index), [bytes(values)])
    return records.pack(index, [mutated_bytes(rng, bytes(values))])


def any_number(rng: np.random.Generator) -> int:
    if rng.random() < 0.5:
        return int(_INTERESTING[rng.integers(len(_INTERESTING))])
    if rng.random() < 0.5:
        return int(_LARGE[rng.integers(len(_LARGE))])
    return int(rng.integers(1 << int(rng.integers(1, 40))))


def varint(number: int) -> bytes:
    writer = fields.Writer()
    writer.unsigned(min(number, 2**64 - 1))
    return writer.to_bytes()


def mutated_fields(rng: np.random.Generator, payload: bytes) -> bytes:
    """One to three fields of the records changed; lengths stay right."""
    parts = list(split(payload))
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(parts)))
        kind, data = parts[place]
        if kind == "whole":
            near = int.from_bytes(data[:1], "little") & 127
            step = int(rng.integers(-2, 3))
            number = max(near + step, 0) if rng.random() < 0.5 else any_number(rng)
            parts[place] = kind, varint(number)
        elif kind == "text":
            parts[place] = kind, any_text(rng, data)
        elif kind == "byte":
            parts[place] = kind, bytes([int(rng.integers(16))])
        elif kind == "float":
            parts[place] = kind, any_float(rng)
        elif rng.random() < 0.1:
            parts[place] = kind, rng.bytes(int(rng.integers(200)))
        else:
            parts[place] = kind, mutated_bytes(rng, data)
    if rng.random() < 0.05:
        first = int(rng.integers(len(parts)))
        parts[first:first] = parts[first : first + int(rng.integers(1, 20))]
    index, values = bytearray(), []
    for kind, data in parts:
        if kind in ("text", "block"):
            index += varint(len(data))
        if kind in ("raw", "block"):
            values.append(data)
        else:
            index += data
    return records.pack(bytes(index), values)


def split(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """The fields of a weights payload: what each is, and its bytes without a length."""
    index, values = records.unpack(payload)
    reader, coded = fields.Reader(index), fields.Reader(values)

    def whole() -> tuple[int, tuple[str, bytes]]:
        start = reader.position
        number = reader.unsigned()
        return number, ("whole", index[start : reader.position])

    count, field = whole()
    yield field
    for _ in range(count):
        yield whole()[1]
        yield "text", bytes(reader.block())
        dtype = bytes(reader.raw(1))
        yield "byte", dtype
        axes, field = whole()
        yield field
        size = 1
        for _ in range(axes):
            length, field = whole()
            size *= length
            yield field
        kept = bytes(reader.raw(1))
        yield "byte", kept
        if kept[0] != records.LEVELS:
            width = 2 if kept[0] == records.HALF else records.DTYPES[dtype[0]].itemsize
            yield "raw", bytes(coded.raw(size * width))
            continue
        yield "float", bytes(reader.raw(4))
        wavelet = bytes(reader.block())
        yield "text", wavelet
        if wavelet:
            axes, field = whole()
            yield field
            for _ in range(axes + 2):  # The lengths, the level, the axes.
                yield whole()[1]
            splits, field = whole()
            yield field
            for _ in range(splits):
                yield "text", bytes(reader.block())
        yield "block", bytes(coded.raw(reader.unsigned()))


def any_text(rng: np.random.Generator, data: bytes) -> bytes:
    import pywt

    names = pywt.wavelist(kind="discrete")
    chance = rng.random()
    if chance < 0.5:
        return str(names[rng.integers(len(names))]).encode()
    if chance < 0.7:
        return "".join(rng.choice(list("ad"), int(rng.integers(12)))).encode()
    if chance < 0.8:
        return rng.bytes(int(rng.integers(12)))
    if chance < 0.85:
        return b"\xc3\xa9\n\x1b[2J\xe2\x80\xae" * int(rng.integers(1, 300))
    return mutated_bytes(rng, data)


def any_float(rng: np.random.Generator) -> bytes:
    chance = rng.random()
    if chance < 0.3:
        return rng.bytes(4)
    edge = [0.0, -0.0, -1.0, 1e-45, 1e-38, 3.4e38, 1.7e38, 1e31, np.inf, np.nan, 1.0]
    return np.float32(edge[rng.integers(len(edge))]).tobytes()


def mutate_tree(rng: np.random.Generator, tree: Any) -> None:
    """One change of a tree of JSON: of a value, a key, a class, or of how often a node is there."""
    places = list(places_of(tree))
    holder, key = places[rng.integers(len(places))]
    what = int(rng.integers(8))
    value = holder[key]
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, list):
        for _ in range(int(rng.choice([1, 1, 1, 2, 30, 500]))):
            holder.insert(key, copy.deepcopy(value) if rng.random() < 0.5 else value)
    elif what == 2:
        other, place = places[rng.integers(len(places))]
        holder[key] = copy.deepcopy(other[place])
    elif what == 3:
        classes = [(one, k) for one, k in places if k == "class_name"]
        one, k = classes[rng.integers(len(classes))]
        one[k] = str(rng.choice(_CLASSES))
        if rng.random() < 0.2:
            one["module"] = str(rng.choice(_MODULES))
    elif what == 4 or isinstance(value, int | float):
        number = any_number(rng)
        holder[key] = [number, -number, number / 3, float(number)][rng.integers(4)]
    elif what == 5:
        holder[key] = copy.deepcopy(_STRANGE[rng.integers(len(_STRANGE))])
    elif what == 6 and isinstance(holder, dict):
        names = [k for _, k in places if isinstance(k, str)]
        holder[str(rng.choice(names))] = holder.pop(key)
    elif isinstance(value, list):
        rng.shuffle(value)
    else:
        holder[key] = any_number(rng)


def places_of(tree: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from places_of(value)


def deflated(tree: Any) -> bytes:
    from dwt_keras.compression import architecture

    packer = zlib.compressobj(1, zlib.DEFLATED, -15, zdict=architecture.DICTIONARY)
    return packer.compress(json.dumps(tree).encode()) + packer.flush()

"""Small files that ask for much: what reading each takes, one line of JSON for each.

    python tests/compression/bombs.py [quick]

Run by test_bombs.py in a process of its own, whose memory nothing else has grown; with "quick" it
leaves out what takes long and is no other than the rest.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from dwt_keras.coding import container, entropy, records
from dwt_keras.coding.container import Section
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.fields import Writer
from dwt_keras.compression import architecture, artifact, layout, packing, sections

MOST = (1 << 23) - (1 << 11)  # About as many values as the smallest file may have.


def record(shape, data=b"", wavelet="", unflattened=(), level=64, mask=1, dtype=0, splits=()):
    """The record of a tensor of levels: its part of the index, and the levels."""
    writer = Writer()
    writer.unsigned(0)
    writer.text("")
    writer.raw(bytes([dtype]))
    writer.shape(shape)
    writer.raw(b"\2")
    writer.float32(0.5)
    writer.text(wavelet)
    if wavelet:
        writer.shape(unflattened)
        for number in (level, mask, len(splits)):
            writer.unsigned(number)
        for path in splits:
            writer.text(path)
    writer.unsigned(len(data))
    return writer.to_bytes(), data


def coded(count, coder, scale=255, noise=b"\x55\x11\x99\x32"):
    """Levels that say how many are not zero, and then are noise."""
    writer = Writer()
    writer.unsigned(2 * count + coder)
    writer.raw(bytes([scale]) + noise)
    return writer.to_bytes()


def payload(*given):
    writer = Writer()
    writer.unsigned(len(given))
    index = writer.to_bytes() + b"".join(index for index, _ in given)
    return records.pack(index, [data for _, data in given])


def file(weights, tree=None):
    parts = [Section(sections.FINGERPRINT, bytes(8)), Section(sections.WEIGHTS, weights)]
    if tree is not None:
        parts.append(Section(sections.ARCHITECTURE, deflated(tree), optional=True))
    return container.pack(parts)


def deflated(tree):
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=architecture.DICTIONARY)
    return packer.compress(text) + packer.flush()


def one(*arguments, **options):
    return file(payload(record(*arguments, **options)))


def weights():
    """Files whose tensors ask for much."""
    some = coded(60, 0, 30)
    yield "2^31 zeros", one((1 << 31,))
    yield "2^62 zeros", one((1 << 31, 1 << 31))
    yield "zeros", one((MOST,))
    yield "zeros of 64 bits", one((MOST // 2,), dtype=3)
    yield "zeros of 16 bits", one((MOST,), dtype=1)
    yield "zeros in a wavelet", one((MOST,), wavelet="haar", unflattened=(MOST,))
    yield "zeros, dmey", one((MOST,), wavelet="dmey", unflattened=(MOST,))
    yield "zeros, dmey of 64 bits", one((MOST // 2,), b"", "dmey", (MOST // 2,), dtype=3)
    yield "zeros, image", one((2800 * 2800,), wavelet="db38", unflattened=(2800, 2800), mask=3)
    for coder in (0, 1):
        yield f"few, one row, {coder}", one((MOST,), coded(3, coder, 0))
        yield f"noise, one row, {coder}", one((1_300_000,), coded(1_300_000, coder, 0))
        for scale in (0, 60, 255):
            size = 2800 * 2900
            yield f"noise {scale}, {coder}", one((2800, 2900), coded(size, coder, scale))
        data = coded(9 * 850 * 850, coder, 60)
        yield f"noise in windows, {coder}", one((3, 3, 850, 850), data)
        # What an encoder makes of them takes a few bytes, and many bits of each to decode.
        shape = (500, 1000)
        data = entropy.encode(np.full(shape, -13, np.int32), layout.grid_of(shape, None), coder)
        yield f"all alike, {coder}", one(shape, data)
        shape = (2800, 2900)
        levels = np.zeros(shape, np.int32)
        levels[::700, ::700] = 1
        data = entropy.encode(levels, layout.grid_of(shape, None), coder)
        yield f"few of many, {coder}", one(shape, data)
    yield "rows of one", one((560_000, 1), some)
    yield "rows of none", one((1 << 20, 0))
    yield "pyramid of rows", one((600_000,), some, "haar", (750, 800, 1), mask=3)
    yield "16384 tensors", file(payload(*[record((8, 8), some)] * 16384))
    pyramids = [
        record((512,), some, f"sym{2 + i % 19}", ((8, 8, 8), (2, 4, 64))[i % 2], mask=1 + i % 7)
        for i in range(16384)
    ]
    yield "16384 pyramids", file(payload(*pyramids))
    yield "16384 empty tensors", file(payload(*[record((0,))] * 16384))
    packets = record((64,), b"", "haar", (64,), splits=["a" * n for n in range(6)])
    yield "many packets", file(payload(*[packets] * 600))
    yield "many splits", one((64,), b"", "haar", (64,), splits=["a"] * 4096)
    yield "16 axes", file(payload(*[record((1 << 16,), b"", "haar", (2,) * 16, mask=65535)] * 128))
    splits = ["", *(a * n + b for a in "ad" for n in range(20) for b in "ad")]
    yield "packets", one((1 << 22,), b"", "sym4", (1 << 22,), splits=splits[:40])


def tree_of(model):
    data = architecture.encode(model, container.UNLIMITED)
    return json.loads(zlib.decompressobj(-15, architecture.DICTIONARY).decompress(data))


def sequential(*body, shape=(8,)):
    return keras.Sequential([keras.Input(shape), *body])


def wide(layer, count, shape=(8,)):
    """A model that calls copies of a layer on its input."""
    x = keras.Input(shape)
    tree = tree_of(keras.Model(x, layer(x)))
    found = tree["config"]["layers"]
    template = json.dumps(found.pop())
    outputs = []
    for number in range(count):
        name = f"layer_{number}"
        copy = json.loads(template)
        copy["name"] = copy["config"]["name"] = name
        found.append(copy)
        outputs.append([name, 0, 0])
    tree["config"]["output_layers"] = outputs
    return tree


def dense(initializer):
    tree = tree_of(sequential(layers.Dense(4, use_bias=False)))
    config = tree["config"]["layers"][1]["config"]
    config["units"] = 2880
    config["kernel_initializer"] = item(initializer)
    tree["config"]["layers"][0]["config"]["batch_shape"] = [None, 2880]
    return tree


def item(name):
    return {"module": "keras.initializers", "class_name": name, "config": {}}


def nested(depth):
    model = sequential(layers.Dense(8))
    for _ in range(depth):
        model = sequential(model, layers.Dense(8))
    return tree_of(model)


def changed(tree, index, **config):
    tree["config"]["layers"][index]["config"] |= config
    return tree


def renamed(tree, length):
    tree["config"]["name"] = "a" * length
    return tree


def normalisations(count):
    return tree_of(sequential(*[layers.BatchNormalization() for _ in range(count)]))


def unrolled():
    tree = tree_of(sequential(layers.LSTM(1, unroll=True), shape=(4, 1)))
    return changed(tree, 0, batch_shape=[None, 9**9, 1])


def axes(count):
    return changed(wide(layers.ReLU(), 620), 0, batch_shape=[None] + [1] * count)


def relu(**config):
    return changed(tree_of(sequential(layers.ReLU())), 1, **config)


# Architectures that ask for much, and how many variables they have.
TREES = {
    "dense, random": (lambda: dense("GlorotUniform"), 1),
    "dense, orthogonal": (lambda: dense("Orthogonal"), 1),
    "dense, huge": (lambda: changed(dense("GlorotUniform"), 1, units=2**31 - 1), 1),
    "sequence of layers": (
        lambda: tree_of(sequential(*[layers.Dense(8) for _ in range(64)])),
        128,
    ),
    "nested sequences": (lambda: nested(3), 8),
    "sequences nested deep": (lambda: nested(10), 22),
    "many layers": (lambda: wide(layers.ReLU(), 620), 1),
    "many normalisations": (lambda: wide(layers.BatchNormalization(), 310), 1240),
    "more variables than tensors": (lambda: wide(layers.BatchNormalization(), 310), 1),
    "many recurrent layers": (lambda: wide(layers.LSTM(1), 190, (4, 2)), 570),
    "many in both directions": (
        lambda: wide(layers.Bidirectional(layers.LSTM(1)), 37, (4, 2)),
        222,
    ),
    "many augmentations": (lambda: wide(layers.RandAugment(), 79, (8, 8, 3)), 1),
    "many axes": (lambda: axes(120_000), 1),
    "a thousand axes": (lambda: axes(1000), 1),
    "a long name": (lambda: renamed(normalisations(5), 7 << 20), 20),
    "an unrolled loop": (unrolled, 3),
    "many sections": (
        lambda: wide(lambda x: keras.ops.split(x, 4096, axis=1)[0], 9, (4096,)),
        1,
    ),
    "many parts": (lambda: relu(a=[[{"b": {}}] * 5] * 8000), 1),
    "many numbers": (lambda: relu(a=[1.5] * 260_000), 1),
    "a long text": (lambda: b'"' + b"\xf0\x9f\x98\x80" + b"a" * (8 << 20) + b'"', 1),
    "a bomb": (lambda: bytes(1 << 28), 1),
}
# These take longer, and are no other than the rest.
SLOW = {
    "sequence of layers",
    "many layers",
    "many in both directions",
    "many augmentations",
    "a thousand axes",
    "many numbers",
}


def cases(quick):
    for name, data in weights():
        yield name, data, None
    # The tensors of a model as large as may be, so that only building it can be refused.
    tensor = record((MOST,))
    for name, (tree, count) in TREES.items():
        if not (quick and name in SLOW):
            others = [record((0,))] * (count - 1)
            yield name, file(payload(tensor, *others), tree()), "model"
    yield "a whole model", whole(), "model"


def whole():
    """A model of as many weights as may be, all zeros but a few, that loads."""
    model = sequential(layers.Dense(2880, "relu"), shape=(2880,))
    kernel = model.layers[0].kernel
    values = kernel.numpy() * 0
    values[:3] = 1.0
    kernel.assign(values)
    kernels = artifact.find_kernels(model, "sym2", 3, "matrix")
    return container.pack(
        container.unpack(artifact.encode(model, kernels, 0.1)), container.UNLIMITED
    )


def memory():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def main(quick):
    warnings.simplefilter("ignore")
    path = Path(tempfile.mkdtemp()) / "a.dwtz"
    small = sequential(layers.Dense(4), layers.LSTM(2, return_sequences=True), shape=(8, 2))
    artifact.save_compressed(small, path, step=0.1, wavelet="haar", axes="matrix")
    artifact.load_compressed(path)
    packing.set_all(small, small.get_weights())
    for name, data, kind in cases(quick):
        path.write_bytes(data)
        Path("/proc/self/clear_refs").write_text("5")  # The peak becomes what is there now.
        before, begun = memory(), time.perf_counter()
        processor = time.process_time()
        try:
            if kind is None:
                layout.weights(sections.read(path))
            else:
                artifact.load_compressed(path)
            outcome = "loaded"
        except CodecError as error:
            outcome = str(error).removeprefix(f"{path}: ")
        print(
            json.dumps(
                {
                    "name": name,
                    "bytes": len(data),
                    "seconds": round(time.perf_counter() - begun, 2),
                    "processor": round(time.process_time() - processor, 2),
                    "mebibytes": round(memory() - before),
                    "outcome": outcome,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main("quick" in sys.argv[1:])

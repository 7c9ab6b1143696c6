"""Mutates small files by the million; each must be refused, or load within the limits.

    python benchmarks/fuzz.py --inputs=1000000 --processes=2

Starts from the golden files of the tests and from files of a few small models. Most mutations get
right checksums, so that they reach the decoder. An input goes into an existing model
(`load_compressed_weights`), and some also make one (`load_compressed`): it must raise CodecError
and leave the model alone, or give finite weights of the model's shapes. Whatever else happens is
a finding: the input is written to --findings, and the script exits with 1. So are inputs that take
more than --most_seconds, or by which the process' peak memory grows beyond --most_mebibytes.

Input number i depends on --seed and i alone: `--first=i --inputs=1` makes it again, and a run that
was stopped goes on with --first.
"""

from __future__ import annotations

import argparse
import collections
import copy
import dataclasses
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from dwt_keras.coding import container, fields, records
from dwt_keras.coding.errors import CodecError
from dwt_keras.views.tables import table

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"

# How many of 1000 inputs change the architecture, and are built.
BUILT = 10
# Inputs between two lines of progress, and between two times that Keras forgets its names.
_REPORT, _FORGET = 10_000, 2000
# Refusals of a model's files between two times that its weights are compared.
_COMPARED = 64
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most_seconds", type=float, default=5.0)
    parser.add_argument("--most_mebibytes", type=float, default=256.0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"))
    options = parser.parse_args()
    started = time.perf_counter()
    parts = [
        range(options.first + part, options.first + options.inputs, options.processes)
        for part in range(options.processes)
    ]
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork.
    with context.Pool(options.processes) as pool:
        found = pool.starmap(part_of, [(part, options) for part in parts])
    result = found[0]
    for other in found[1:]:
        result.add(other)
    print(result.table(time.perf_counter() - started))
    return 1 if result.findings else 0


@dataclasses.dataclass
class Result:
    """What came of some inputs.

    Attributes:
        outcomes: How many had which outcome, by what was done to them.
        slowest: Seconds and number of the slowest input, by what was done to it.
        grown: By how many MiB the peak of a process grew, and the input at which it grew most.
        findings: Number and description of all that must not happen.
    """

    outcomes: collections.Counter[tuple[str, str]]
    slowest: dict[str, tuple[float, int]]
    grown: tuple[float, int] = (0.0, -1)
    findings: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    def add(self, other: Result) -> None:
        self.outcomes += other.outcomes
        for kind, slow in other.slowest.items():
            self.slowest[kind] = max(self.slowest.get(kind, slow), slow)
        self.grown = max(self.grown, other.grown)
        self.findings += other.findings

    def table(self, seconds: float) -> str:
        kinds = sorted({kind for kind, _ in self.outcomes})
        rows = [("mutation", "inputs", "refused", "loaded", "slowest, s", "input")]
        for kind in kinds:
            counts = [self.outcomes[kind, what] for what in ("refused", "loaded")]
            slow, number = self.slowest[kind]
            rows.append((kind, *(f"{n:,}" for n in (sum(counts), *counts)), f"{slow:.3f}", number))
        total = [sum(self.outcomes[kind, what] for kind in kinds) for what in ("refused", "loaded")]
        slow, number = max(self.slowest.values())
        rows.append(("all", *(f"{n:,}" for n in (sum(total), *total)), f"{slow:.3f}", number))
        lines = [table([tuple(map(str, row)) for row in rows], right_from=1)]
        lines.append(f"{seconds:.0f} seconds; peak memory of a process grew by {self.grown[0]:.0f}")
        lines[-1] += f" MiB, last at input {self.grown[1]}; findings: {len(self.findings)}"
        lines += [f"  input {number}: {what}" for number, what in self.findings[:20]]
        return "\n".join(lines)


def part_of(numbers: range, options: argparse.Namespace) -> Result:
    """Tries the inputs of some numbers."""
    import keras

    warnings.simplefilter("ignore")
    seeds = Seeds()
    result = Result(collections.Counter(), {})
    path = Path(tempfile.mkdtemp()) / "input.dwtz"
    seeds.warm_up(path)
    before = peak()
    started = time.perf_counter()
    for done, number in enumerate(numbers, start=1):
        rng = np.random.default_rng((options.seed, number))
        kind, seed, data, build = mutated(seeds, rng)
        path.write_bytes(data)
        begun = time.perf_counter()
        try:
            outcome = tried(path, seed, build)
        except Exception:
            outcome = "finding"
            result.findings.append((number, traceback.format_exc(limit=-3)))
        seconds = time.perf_counter() - begun
        grown = peak() - before
        if grown > result.grown[0]:
            result.grown = grown, number
        if seconds > options.most_seconds or grown > options.most_mebibytes:
            result.findings.append((number, f"{seconds:.2f} s, {grown:.0f} MiB"))
        if result.findings and result.findings[-1][0] == number:
            options.findings.mkdir(parents=True, exist_ok=True)
            (options.findings / f"{options.seed}-{number}.dwtz").write_bytes(data)
            print(f"finding at input {number}: {result.findings[-1][1]}", flush=True)
        result.outcomes[kind, outcome] += 1
        slow = (seconds, number)
        result.slowest[kind] = max(result.slowest.get(kind, slow), slow)
        if done % _FORGET == 0:
            keras.backend.clear_session()
        if done % _REPORT == 0:
            rate = done / (time.perf_counter() - started)
            print(
                f"{done:,} of {len(numbers):,}, {rate:.0f} a second, peak +{result.grown[0]:.0f} "
                f"MiB, slowest {max(result.slowest.values())[0]:.2f} s, "
                f"{len(result.findings)} findings",
                flush=True,
            )
    return result


def peak() -> float:
    """The largest memory that the process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


@dataclasses.dataclass
class Seed:
    """A valid file to start from.

    Attributes:
        name: What it is called.
        data: Its bytes.
        sections: Its sections.
        model: The model that it is for; None where there is none.
        weights: That model's weights as they must be.
        tree: Its architecture as JSON; None where it has none.
        refused: How often its files were refused since its weights were compared.
    """

    name: str
    data: bytes
    sections: list[container.Section]
    model: Any = None
    weights: list[Any] = dataclasses.field(default_factory=list)
    tree: Any = None
    refused: int = 0


class Seeds:
    """All files to start from."""

    def __init__(self) -> None:
        import keras

        from dwt_keras.compression import architecture, artifact, sections

        self.all: list[Seed] = []
        for name, make in models().items():
            rng = np.random.default_rng(len(name))
            for wavelet, level in (("haar", 2), ("db2", 1), ("none", None)):
                model = make()
                model.set_weights(
                    [
                        (rng.laplace(0, 0.3, w.shape) * (rng.random(w.shape) < 0.5)).astype(w.dtype)
                        for w in model.get_weights()
                    ]
                )
                kernels = artifact.find_kernels(model, wavelet, level, "auto")
                data = artifact.encode(model, kernels, 0.1)
                seed = Seed(f"{name} {wavelet}", data, container.unpack(data), model)
                text = zlib.decompressobj(-15, architecture.DICTIONARY).decompress(
                    seed.sections[2].payload
                )
                seed.tree = json.loads(text)
                seed.weights = model.get_weights()
                self.all.append(seed)
        # The tensors of the golden files, each as the weights of a model that has just these.
        for path in sorted(GOLDEN.glob("*.dwtz")):
            if path.stem == "model":
                continue
            data = path.read_bytes()
            model = holder(data)
            parts = container.unpack(data, several=range(128))
            parts = [
                dataclasses.replace(part, payload=architecture.fingerprint(model))
                if part.kind == sections.FINGERPRINT
                else part
                for part in parts
            ]
            data = container.pack(parts, several=range(128))
            self.all.append(Seed(path.stem, data, parts, model, model.get_weights()))
        self.with_tree = [seed for seed in self.all if seed.tree is not None]
        keras.backend.clear_session()

    def warm_up(self, path: Path) -> None:
        """Has everything compiled, imported and allocated once."""
        for seed in self.all:
            path.write_bytes(seed.data)
            tried(path, seed, False)
            if seed.tree is not None:
                tried(path, seed, True)


def models() -> dict[str, Callable[[], Any]]:
    """Small models of several kinds of layers."""
    import keras
    from keras import layers

    def image() -> Any:
        return keras.Sequential(
            [
                keras.Input((6, 5, 1)),
                layers.Normalization(),
                layers.Conv2D(3, 3, padding="same", activation="relu"),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(4, dtype="float16"),
                layers.Dropout(0.2),
            ]
        )

    def words() -> Any:
        tokens, images = keras.Input((4,), dtype="int32"), keras.Input((4, 4, 2))
        x = layers.Embedding(6, 3)(tokens)
        x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 2)(x, value=x))
        x = layers.Bidirectional(layers.LSTM(2))(x)
        y = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(3, 3)(images * 2 + 1))
        return keras.Model([tokens, images], layers.Dense(2)(layers.Concatenate()([x, y])))

    def plain() -> Any:
        return keras.Sequential([keras.Input((16,)), layers.Dense(8), layers.Dense(3)])

    return {"image": image, "words": words, "plain": plain}


def holder(data: bytes) -> Any:
    """A model with just the variables of a file."""
    import keras

    from dwt_keras.compression import layout, sections

    found = layout.decoded(sections.opened(data))

    class Holder(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for number, one in enumerate(found):
                self.add_weight(
                    shape=one.shape,
                    dtype=str(one.dtype),
                    name=f"v{number}",
                    initializer="zeros",
                    trainable=False,
                )
            self.built = True

    return Holder()


def tried(path: Path, seed: Seed, build: bool) -> str:
    """Reads a file; "refused" or "loaded".

    Raises:
        Exception: Whatever should not have happened.
    """
    from dwt_keras.compression import artifact

    outcome = "loaded"
    if build:
        try:
            model = artifact.load_compressed(path)
        except CodecError as error:
            check_message(error)
            outcome = "refused"
        else:
            check_weights(model, None)
    else:
        try:
            artifact.load_compressed_weights(path, seed.model)
        except CodecError as error:
            check_message(error)
            outcome = "refused"
            seed.refused += 1
            if seed.refused % _COMPARED == 0:  # Reading variables takes longer than all else.
                check_unchanged(seed)
        else:
            seed.weights = check_weights(seed.model, seed)
    return outcome


def check_message(error: CodecError) -> None:
    text = str(error)
    assert text.isprintable(), "a message of several lines"
    assert len(text) < 2000, "a long message"


def check_unchanged(seed: Seed) -> None:
    for variable, values in zip(seed.model.weights, seed.weights, strict=True):
        assert np.asarray(variable.value).tobytes() == values.tobytes(), "a changed weight"


def check_weights(model: Any, seed: Seed | None) -> list[Any]:
    found = []
    for number, variable in enumerate(model.weights):
        values = np.asarray(variable.value)
        if values.dtype.kind not in "iub":
            assert np.isfinite(values.astype(np.float64)).all(), "a weight that is not finite"
        if seed is not None:
            assert values.shape == seed.weights[number].shape, "a weight of another shape"
        found.append(np.array(values))
    return found


Mutated = tuple[str, Seed, bytes, bool]


def mutated(seeds: Seeds, rng: np.random.Generator) -> Mutated:
    """What was done, to which seed, the bytes, and whether they are to be built."""
    chance = int(rng.integers(1000))
    if chance < BUILT:
        seed = seeds.with_tree[rng.integers(len(seeds.with_tree))]
        if chance < BUILT // 8:  # Bytes of the deflated architecture.
            payload = mutated_bytes(rng, seed.sections[2].payload)
        else:
            tree = copy.deepcopy(seed.tree)
            for _ in range(int(rng.integers(1, 4))):
                mutate_tree(rng, tree)
            payload = deflated(tree)
        return "architecture", seed, resealed(seed, 2, payload), True
    seed = seeds.all[rng.integers(len(seeds.all))]
    if chance < 200:
        return "whole file", seed, mutated_bytes(rng, seed.data), False
    if chance < 300:
        return "file, new digest", seed, redigested(mutated_bytes(rng, seed.data)), False
    at = next(i for i, part in enumerate(seed.sections) if part.kind == 2)
    payload = seed.sections[at].payload
    if chance < 350:
        other = seeds.all[rng.integers(len(seeds.all))]
        second = next(part.payload for part in other.sections if part.kind == 2)
        cut, end = int(rng.integers(len(payload) + 1)), int(rng.integers(len(second) + 1))
        return "weights spliced", seed, resealed(seed, at, payload[:cut] + second[end:]), False
    if chance < 600:
        return "weights, bytes", seed, resealed(seed, at, mutated_payload(rng, payload)), False
    return "weights, fields", seed, resealed(seed, at, mutated_fields(rng, payload)), False


def resealed(seed: Seed, index: int, payload: bytes) -> bytes:
    """The file with another payload, and right checksums and digest."""
    parts = list(seed.sections)
    parts[index] = dataclasses.replace(parts[index], payload=payload)
    return container.pack(parts, several=range(128))


def redigested(data: bytes) -> bytes:
    return data[:-8] + container._digest(data[:-8])


def deflated(tree: Any) -> bytes:
    from dwt_keras.compression import architecture

    packer = zlib.compressobj(1, zlib.DEFLATED, -15, zdict=architecture.DICTIONARY)
    return packer.compress(json.dumps(tree).encode()) + packer.flush()


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
        strange = [None, True, "", "relu", "float16", "a" * 3000, [], {}, [[]], [1, None], -1]
        holder[key] = copy.deepcopy(strange[rng.integers(len(strange))])
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


if __name__ == "__main__":
    sys.exit(main())

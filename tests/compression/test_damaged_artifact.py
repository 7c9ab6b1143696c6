"""Compact files that are damaged, forged or none: each is refused, and the model left alone."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from artifacts import (
    STEP,
    assert_same,
    cached_load,
    cached_small_model,
    kernels_of,
    network,
    small_file,
    small_model,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from dwt_keras.coding import container, fields
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture, artifact, layout, packing, sections


def assert_refused(path, data, model):
    path.write_bytes(data)
    with pytest.raises(CodecError) as caught:
        artifact.load_compressed_weights(path, model)
    assert "\n" not in str(caught.value)


def test_every_flip_of_a_bit_is_refused_and_no_variable_changed(tmp_path):
    model, path = small_model(), tmp_path / "a.dwtz"
    before = model.get_weights()
    whole = small_file()
    bare = forged(without=sections.ARCHITECTURE)
    flips = [(whole, place, place % 8) for place in range(len(whole))]
    flips += [(bare, place, bit) for place in range(len(bare)) for bit in range(8)]
    for data, place, bit in flips:
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        assert_refused(path, changed, model)
    assert_same(model.get_weights(), before)
    for data in (bare, whole):
        path.write_bytes(data)
        artifact.load_compressed_weights(path, model)
        assert not np.array_equal(model.get_weights()[0], before[0])
        model.set_weights(before)


def test_every_truncation_and_an_appended_byte_is_refused_and_no_variable_changed(tmp_path):
    data, model, path = small_file(), small_model(), tmp_path / "a.dwtz"
    before = model.get_weights()
    for size in range(len(data)):
        assert_refused(path, data[:size], model)
    for byte in (b"\0", b"\n", data[-1:]):
        assert_refused(path, data + byte, model)
    with pytest.raises(CodecError):
        artifact.load_compressed(path)
    assert_same(model.get_weights(), before)


def sections_of(data):
    return {one.kind: one for one in container.unpack(data)}


def forged(weights=None, without=None):
    """The small file with other weights, or without a section; its checksums are right."""
    parts = sections_of(small_file())
    if weights is not None:
        parts[sections.WEIGHTS] = container.Section(sections.WEIGHTS, weights)
    return container.pack([one for kind, one in parts.items() if kind != without])


PAYLOAD_CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "insert", "delete"]), st.integers(0), st.integers(0, 255)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(PAYLOAD_CHANGES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_forged_weights_are_refused_or_load_in_full(tmp_path_factory, changes):
    payload = bytearray(sections_of(small_file())[sections.WEIGHTS].payload)
    for what, place, byte in changes:
        place %= len(payload)
        if what == "set":
            payload[place] = byte
        elif what == "insert":
            payload.insert(place, byte)
        else:
            del payload[place]
    path = Path(tmp_path_factory.getbasetemp()) / "forged.dwtz"
    path.write_bytes(forged(bytes(payload)))
    model = cached_small_model()
    before = model.get_weights()
    try:
        artifact.load_compressed_weights(path, model)
    except CodecError as error:
        assert "\n" not in str(error)
        assert_same(model.get_weights(), before)


def test_tensors_that_are_not_those_of_the_model_are_refused(tmp_path):
    path, model = tmp_path / "a.dwtz", small_model()
    packed = packing.pack(model, kernels_of(model), STEP)
    before = model.get_weights()
    for some, message in (
        (packed[:-1], "has 7 tensors, the model 8"),
        (
            [packed[1], packed[0], *packed[2:]],
            r"hidden/bias is float32 \(3,\), the model's .*kernel",
        ),
        ([*packed[:-1], packed[0]], "hidden/kernel is float32"),
    ):
        path.write_bytes(forged(artifact.tensors.encode(some, layout.grid_of)))
        with pytest.raises(CodecError, match=message):
            artifact.load_compressed_weights(path, model)
    assert_same(model.get_weights(), before)


@pytest.mark.parametrize("kind", [sections.FINGERPRINT, sections.WEIGHTS])
def test_a_file_without_one_of_its_sections_is_refused(tmp_path, kind):
    path = tmp_path / "a.dwtz"
    path.write_bytes(forged(without=kind))
    for load in (artifact.load_compressed, cached_load):
        with pytest.raises(CodecError, match=f"lacks the section of kind {kind}$"):
            load(path)


def test_an_architecture_of_another_model_is_refused(tmp_path):
    path = tmp_path / "a.dwtz"
    parts = sections_of(small_file())
    other = container.Section(sections.ARCHITECTURE, architecture.encode(network()), optional=True)
    path.write_bytes(container.pack([*list(parts.values())[:2], other]))
    with pytest.raises(CodecError, match="belongs to another architecture"):
        artifact.load_compressed(path)


@pytest.mark.parametrize("kind", ["empty", "text", "keras", "npz", "zeros"])
def test_other_files_are_no_compact_files(tmp_path, kind):
    path = tmp_path / "other.keras"
    model = cached_small_model()
    if kind == "keras":
        model.save(path)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "text": b"Some text.\n", "zeros": bytes(200)}[kind])
    for load in (artifact.load_compressed, cached_load):
        with pytest.raises(CodecError, match=r"other\.keras: this is no \.dwtz file"):
            load(path)


def pieces_of(data):
    """The header, each section with its checksum, and the digest of a file."""
    cuts = [0, 6]
    for section in container.unpack(data):
        length = fields.Writer()
        length.unsigned(len(section.payload))
        cuts.append(cuts[-1] + 1 + len(length.to_bytes()) + len(section.payload) + 4)
    return [data[a:b] for a, b in itertools.pairwise([*cuts, len(data)])]


def digested(body):
    return body + hashlib.blake2b(body, digest_size=8).digest()


def test_sections_repeated_reordered_or_overlapping_are_refused_and_no_variable_changed(tmp_path):
    """As bytes: sections in another order with checksums made for it are another file."""
    model, path = small_model(), tmp_path / "a.dwtz"
    before = model.get_weights()
    head, *parts, digest = pieces_of(small_file())
    assert len(parts) == 3
    forged_files = []
    for count in range(1, 5):
        for some in itertools.product(parts, repeat=count):
            if list(some) not in (parts, parts[:2]):
                body = head + b"".join(some)
                forged_files += [body + digest, digested(body)]
    # A section whose length reaches into the next one, without and with a checksum of its own.
    for number, part in enumerate(parts[:2], start=1):
        size = len(fields_of(part)[1])
        following = b"".join(parts[number:])
        for more in range(1, len(parts[number]) + 1):
            longer = fields.Writer()
            longer.raw(part[:1])
            longer.block(fields_of(part)[1] + (part[-4:] + following)[:more])
            checksum = zlib.crc32(number.to_bytes(4, "little") + longer.to_bytes())
            rest = (part[-4:] + following)[more:]
            start = head + b"".join(parts[: number - 1]) + longer.to_bytes()
            body = start + checksum.to_bytes(4, "little") + rest[4:]
            forged_files += [start + rest + digest, digested(start + rest), digested(body)]
            assert len(fields_of(longer.to_bytes() + bytes(4))[1]) == size + more
    for data in forged_files:
        assert_refused(path, data, model)
    assert_same(model.get_weights(), before)
    path.write_bytes(digested(head + b"".join(parts[:2])))
    artifact.load_compressed_weights(path, model)
    assert not np.array_equal(model.get_weights()[0], before[0])


def fields_of(part):
    """Tag and payload of a section with its checksum."""
    reader = fields.Reader(part)
    return bytes(reader.raw(1)), bytes(reader.block())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_levels_too_large_for_the_dtype_are_refused_and_no_variable_changed(tmp_path, dtype):
    """The values of levels, and what a transform adds up of them, may be infinite."""
    options = {"use_bias": False, "dtype": dtype}
    model = keras.Sequential([keras.Input((16,)), layers.Dense(16, **options)])
    path = tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, step=0.01, wavelet="haar", axes="matrix", level=4)
    (kernel,) = packing.pack(model, artifact.find_kernels(model, "haar", 4, "matrix"), 0.01)
    before = model.get_weights()
    levels = np.full((16, 16), 1, np.int32)
    step = {"float16": 1e5, "bfloat16": 1.7e38, "float32": 1.7e38}[dtype]
    hostile = dataclasses.replace(kernel, levels=levels, step=float(np.float32(step)))
    parts = sections_of(path.read_bytes())
    parts[sections.WEIGHTS] = container.Section(
        sections.WEIGHTS, artifact.tensors.encode([hostile], layout.grid_of)
    )
    path.write_bytes(container.pack(list(parts.values())))
    for load in (lambda: artifact.load_compressed_weights(path, model), lambda: load_new(path)):
        with pytest.raises(CodecError, match=r"/kernel: has values that are NaN or infinite"):
            load()
    assert_same(model.get_weights(), before)


def load_new(path):
    artifact.load_compressed(path)

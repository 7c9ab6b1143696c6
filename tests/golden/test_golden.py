"""Files of version 1.0 that every later version must read to the same bits (see make.py)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from dwt_keras.coding import container, records, tensors
from dwt_keras.coding.records import Transform
from dwt_keras.compression import artifact, layout
from dwt_keras.compression import sections as file_sections

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.dwtz"))


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load("make")


def read(name):
    """The sections of a golden file by their kinds, and the tensors that it should decode to."""
    data = (FOLDER / f"{name}.dwtz").read_bytes()
    found = container.unpack(data, known=file_sections._KNOWN)
    with np.load(FOLDER / f"{name}.npz") as expected:
        arrays = dict(expected)
    return {one.kind: one.payload for one in found}, arrays


def described(arrays):
    for number, given in enumerate(json.loads(str(arrays["tensors"]))):
        transform = given.pop("transform")
        if transform is not None:
            lists = {key: tuple(v) for key, v in transform.items() if isinstance(v, list)}
            transform = Transform(**(transform | lists))
        yield number, given, transform


def test_all_files_are_there():
    assert set(NAMES) == {*make.WRITTEN, "later", "model"}
    assert all((FOLDER / f"{name}.dwtz").stat().st_size < 5000 for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_file_is_read_to_the_bit(name):
    sections, arrays = read(name)
    found = tensors.decode(sections[file_sections.WEIGHTS], layout.grid_of, 1 << 20)
    count = 0
    for number, given, transform in described(arrays):
        one = found[number]
        assert (one.name, one.shape, str(one.dtype), one.step) == (
            given["name"],
            tuple(given["shape"]),
            given["dtype"],
            given["step"],
        )
        assert one.transform == transform
        levels = arrays.get(f"levels_{number}")
        assert (one.levels is None) == (levels is None)
        if levels is not None:
            np.testing.assert_array_equal(one.levels, levels)
        values = layout.restored(one)
        assert values.shape == one.shape
        assert values.dtype == one.dtype
        assert values.tobytes() == arrays[f"values_{number}"].tobytes()
        count += 1
    assert count == len(found) > 0


@pytest.mark.parametrize("name", make.WRITTEN)
def test_the_writer_makes_the_same_bytes(name):
    """A change of the writer may make this fail, and the bytes here new, in files of other names.

    What is decoded from the files that there are may not change.
    """
    data, _ = make.WRITTEN[name]()
    assert data == (FOLDER / f"{name}.dwtz").read_bytes()


def test_the_file_of_a_later_version_has_what_the_earlier_one_has():
    sections, _ = read("later")
    assert sections == read("pyramid")[0]
    data = (FOLDER / "later.dwtz").read_bytes()
    assert data[:6] == b"\x89DWZ\x01\x07"
    assert [one.kind for one in container.unpack(data, several={100})] == [100, 2, 101, 100, 1]


def test_both_coders_are_there():
    found = set()
    for name in make.WRITTEN:
        for record in records.read(read(name)[0][file_sections.WEIGHTS], 1 << 20):
            if record.kept == records.LEVELS and record.data:
                found.add(record.data[0] & 1)
    assert found == {0, 1}


def test_a_golden_model_comes_back_whole():
    model = artifact.load_compressed(FOLDER / "model.dwtz")
    _, arrays = read("model")
    for number, weight in enumerate(model.get_weights()):
        assert weight.tobytes() == arrays[f"values_{number}"].tobytes()
    assert [layer.name for layer in model.layers] == (
        "image conv norm words flat embedding hidden gru both classes".split()
    )
    assert model.get_layer("conv").activation.__name__ == "relu"
    images, words = np.ones((2, 8, 8, 1), "f4"), np.ones((2, 5), "i4")
    assert np.asarray(model([images, words])).shape == (2, 3)


def test_golden_files_are_never_written_again(capsys):
    before = {path: path.read_bytes() for path in FOLDER.glob("*.dwtz")}
    make.main()
    assert {path: path.read_bytes() for path in FOLDER.glob("*.dwtz")} == before
    assert capsys.readouterr().out.count("stays as it is") == len(before)

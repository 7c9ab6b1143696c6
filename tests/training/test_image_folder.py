"""Folders of images: what is found, what is refused and in which words, how images come."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import image_files
import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.training import data, image_headers

COUNTS = {"cat": 20, "dog": 30, "eel": 10}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image_files.write_classes(tmp_path / "photos", COUNTS)
    return tmp_path / "photos"


def load(folder: Path, **given: Any) -> data.Dataset:
    return data.load(DataSettings(dataset=f"{folder}/", **given))


def jpeg(pixels: np.ndarray) -> bytes:
    import tensorflow as tf

    return bytes(tf.io.encode_jpeg(pixels, quality=100).numpy())


def test_classes_are_the_folders_and_each_part_has_its_share(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "labels.txt").write_text("beside the classes")
    loaded = load(folder, test_fraction=0.2, validation_fraction=0.25)
    assert loaded.class_names == ("cat", "dog", "eel")
    assert (loaded.classes, loaded.input_shape) == (3, (8, 6, 1))
    for part, counts in (("test", [4, 6, 2]), ("validation", [4, 6, 2]), ("train", [12, 18, 6])):
        assert np.bincount(getattr(loaded, part).labels).tolist() == counts
    assert load(folder).test.labels.tolist() == load(folder).test.labels.tolist()


def test_parts_of_their_own_are_taken(tmp_path: Path) -> None:
    for seed, (part, count) in enumerate((("train", 9), ("test", 4), ("val", 3))):
        image_files.write_classes(tmp_path / part, {"a": count, "b": count}, seed=seed)
    loaded = load(tmp_path)
    sizes = [len(each) for each in (loaded.train, loaded.validation, loaded.test)]
    assert sizes == [18, 6, 8]


def test_pixels_are_those_of_the_files(folder: Path) -> None:
    import tensorflow as tf

    loaded = load(folder)
    expected = {
        tf.io.decode_png(path.read_bytes()).numpy().tobytes(): number
        for number, name in enumerate(COUNTS)
        for path in (folder / name).iterdir()
    }
    assert len(expected) == 60
    seen = 0
    for part in (loaded.train, loaded.validation, loaded.test):
        for inputs, labels in part.arrays(7):
            assert inputs.dtype == np.float32
            for image, label in zip(inputs, labels, strict=True):
                assert expected.pop((255 * image).round().astype(np.uint8).tobytes()) == label
                seen += 1
    assert seen == 60


def test_order_follows_the_seed_and_changes_with_the_epoch(folder: Path) -> None:
    part = load(folder).train

    def epochs(seed: int | None) -> list[bytes]:
        batches = part.batches(8, shuffle_seed=seed)
        assert int(batches.cardinality()) == -(-len(part) // 8)
        return [
            np.concatenate([inputs for inputs, _ in batches.as_numpy_iterator()]).tobytes()
            for _ in range(2)
        ]

    assert epochs(1) == epochs(1)
    assert epochs(1)[0] != epochs(1)[1]
    assert epochs(1)[0] != epochs(2)[0]
    assert epochs(None)[0] == epochs(None)[1] == part.samples().tobytes()


def test_first_samples_are_of_all_classes(folder: Path) -> None:
    assert set(load(folder).train.labels[:20].tolist()) == {0, 1, 2}
    part = load(folder).train
    np.testing.assert_array_equal(part.samples(5), part.samples()[:5])


def test_sizes_that_differ_need_an_image_size(folder: Path) -> None:
    pixels = np.full((12, 9), 128, np.uint8)
    (folder / "eel" / "odd.png").write_bytes(image_files.png(pixels))
    message = "^image_size must be given where images differ in size: .* has 12 x 9 pixels, .*8 x 6"
    with pytest.raises(checks.ArgumentError, match=message.replace("has 12 x 9", "has .*")):
        load(folder)
    loaded = load(folder, image_size="5x7")
    assert loaded.train.samples().shape[1:] == loaded.input_shape == (5, 7, 1)
    assert 0 <= loaded.train.samples().min() <= loaded.train.samples().max() <= 1


def test_colours_and_kinds_of_files(folder: Path) -> None:
    red = np.zeros((8, 6, 3), np.uint8)
    red[..., 0] = 255
    (folder / "cat" / "red.jpg").write_bytes(jpeg(red))
    (folder / "dog" / "a_jpeg.png").write_bytes(jpeg(red[..., :1]))
    (folder / "dog" / "red.PNG").write_bytes(image_files.png(red))
    loaded = load(folder)
    assert loaded.input_shape == (8, 6, 3)
    assert loaded.train.samples().shape[1:] == (8, 6, 3)
    grey = load(folder, color_mode="grayscale")
    assert grey.train.samples().shape[1:] == grey.input_shape == (8, 6, 1)
    assert load(folder, color_mode="rgb").input_shape == (8, 6, 3)


PNG = image_files.png(np.zeros((8, 6), np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a PNG or JPEG image; is empty"),
        (b"a text that is no image", "must be a PNG or JPEG image; begins with the bytes 6120746"),
        (b"GIF89a........", "must be a PNG or JPEG image; begins with the bytes 474946"),
        (PNG[:-12], "is a truncated PNG image: its last chunk, IEND, is not there"),
        (PNG[:20], "is a PNG image that ends within its header"),
        (PNG.replace(struct.pack(">II", 6, 8), bytes(8)), "must have pixels; .* states 0 x 0"),
        (b"\xff\xd8\xff\xe0\x00", "is a JPEG image that ends within its header"),
        (b"\xff\xd8\x00\x00\x00\x00", "is a JPEG image that ends within its header"),
    ],
)
def test_a_file_that_is_no_image_is_named(folder: Path, content: bytes, message: str) -> None:
    path = folder / "dog" / "bad.png"
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=f"^{path}: {message}"):
        load(folder)


def test_what_follows_a_png_is_no_harm(folder: Path) -> None:
    path = folder / "dog" / "00000.png"
    path.write_bytes(path.read_bytes() + b"something that a camera left")
    assert len(load(folder).train.samples()) > 0


@pytest.mark.parametrize("quality_of", [1, 3])
def test_headers_of_jpeg(tmp_path: Path, quality_of: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(np.zeros((11, 17, quality_of), np.uint8)))
    assert image_headers.read(path) == (11, 17, quality_of == 1)


def test_a_file_that_cannot_be_decoded_is_named(folder: Path) -> None:
    """Its header is whole, so that it is found out only while it is read."""
    path = folder / "dog" / "00003.png"
    content = bytearray(path.read_bytes())
    content[45:60] = bytes(15)
    path.write_bytes(content)
    loaded = load(folder)
    with pytest.raises(data.DataError, match=f"^{path}: cannot be decoded"):
        for part in (loaded.train, loaded.validation, loaded.test):
            part.samples()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: [p.unlink() for p in (f / "dog").iterdir()], "/dog: must have images; is empty"),
        (lambda f: (f / "new").mkdir(), "/new: must have images; is empty"),
        (lambda f: (f / "dog").rename(f / ".dog"), None),
        (lambda f: [p.rename(f / f".{p.name}") for p in f.iterdir()], ": must have a folder of im"),
    ],
)
def test_a_folder_that_has_no_classes_is_named(folder: Path, spoil: Any, message: Any) -> None:
    spoil(folder)
    if message is None:
        assert load(folder).class_names == ("cat", "eel")
        return
    with pytest.raises(data.DataError, match=f"^{folder}{message}"):
        load(folder)


def test_a_test_class_that_is_not_trained_is_named(tmp_path: Path) -> None:
    image_files.write_classes(tmp_path / "train", {"a": 5, "b": 5})
    image_files.write_classes(tmp_path / "test", {"a": 5, "c": 5})
    with pytest.raises(data.DataError, match="test/c: must be the folder of a training class: a"):
        load(tmp_path)
    (tmp_path / "test/c").rename(tmp_path / "test/.c")
    with pytest.raises(data.DataError, match="test/b: no such folder"):
        load(tmp_path)


def test_too_few_images_are_said(tmp_path: Path) -> None:
    image_files.write_classes(tmp_path / "few", {"a": 1, "b": 1})
    with pytest.raises(checks.ArgumentError, match=r"^test_fraction must leave .*; given 0\.2"):
        load(tmp_path / "few")


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(data.DataError, match=r"^/no/such: must be a folder that can be read"):
        load(Path("/no/such"))


def test_finding_and_checking_load_no_tensorflow(folder: Path) -> None:
    code = (
        "import sys; from dwt_keras.settings import DataSettings; "
        "from dwt_keras.training import data; data.load(DataSettings(dataset=sys.argv[1])); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def test_fingerprints_tell_data_apart(folder: Path) -> None:
    def fingerprint() -> bytes:
        return b"".join(load(folder).train.fingerprint())

    before = fingerprint()
    assert fingerprint() == before
    # Of another size, so that the clock's resolution does not matter.
    pixels = np.random.default_rng(9).integers(0, 2, (8, 6), dtype=np.uint8)
    for path in (folder / "cat").iterdir():
        path.write_bytes(image_files.png(pixels))
    assert fingerprint() != before

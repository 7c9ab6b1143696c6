"""Datasets as files: IDX, .npz, which of them is found, and downloads."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_files import IDX_NAMES, arrays, assert_parts, idx, load, write_idx

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.training import data


class TestIdx:
    @pytest.mark.parametrize("dot", [False, True])
    @pytest.mark.parametrize("zipped", [False, True])
    def test_reads_every_name_it_goes_by(self, tmp_path: Path, dot: bool, zipped: bool) -> None:
        made = arrays()
        for key, values in made.items():
            name = IDX_NAMES[key].replace("-idx", ".idx") if dot else IDX_NAMES[key]
            content = gzip.compress(idx(values)) if zipped else idx(values)
            (tmp_path / (f"{name}.gz" if zipped else name)).write_bytes(content)
        loaded = load(tmp_path)
        assert_parts(loaded, made)
        assert (loaded.name, loaded.classes, loaded.input_shape) == ("mnist", 10, (5, 4, 1))

    def test_reads_gz_names_that_a_browser_unpacked(self, tmp_path: Path) -> None:
        for key, values in arrays().items():
            (tmp_path / f"{IDX_NAMES[key]}.gz").write_bytes(idx(values))
        assert_parts(load(tmp_path), arrays())

    @pytest.mark.parametrize(
        ("key", "spoil", "message"),
        [
            ("x_train", lambda b: b[:-1], "is truncated: its header promises 400 .* 399 follow"),
            ("y_train", lambda b: b[:-3], "is truncated: its header promises 20 .* 17 follow"),
            ("x_test", lambda b: b + b"\n", "has trailing bytes: .* promises 120 .* 121 follow"),
            ("x_test", lambda b: b[:11], "ends within its header, after 11 of 16 bytes"),
            ("y_test", lambda b: b"", "ends within its header, after 0 of 8 bytes"),
            ("x_test", lambda b: b[:3], "ends within its header, after 3 of 16 bytes"),
            ("x_train", lambda b: idx(arrays()["y_train"]), "images.* 00000803; .* 00000801$"),
            ("y_train", lambda b: idx(arrays()["x_train"]), "labels.* 00000801; .* 00000803$"),
            ("x_train", lambda b: b"<html>" + b, "must be an IDX file of images, .* 3c68746d$"),
            ("x_train", lambda b: b[:4] + b"\xff" * 12, "is truncated: .* 0 follow"),
            ("x_train", lambda b: gzip.compress(b)[:-9], r"cannot be read \(.*end-of-stream"),
            ("x_train", lambda b: gzip.compress(b)[:9], r"cannot be read \(.*end-of-stream"),
            ("x_train", lambda b: gzip.compress(b) + b"more", r"cannot be read \(Not a gzipped"),
            (
                "x_train",
                lambda b: gzip.compress(b)[:10] + b"\xff" * 40,
                r"cannot be read \(Error -3 while decompressing",
            ),
            ("x_train", lambda b: gzip.compress(b[:-1]), "is truncated"),
        ],
    )
    def test_refuses_a_damaged_file(
        self, tmp_path: Path, key: str, spoil: Any, message: str
    ) -> None:
        write_idx(tmp_path)
        path = tmp_path / IDX_NAMES[key]
        path.write_bytes(spoil(path.read_bytes()))
        with pytest.raises(data.DataError, match=message) as caught:
            load(tmp_path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("key", IDX_NAMES)
    def test_names_the_file_that_is_missing(self, tmp_path: Path, key: str) -> None:
        write_idx(tmp_path)
        path = tmp_path / IDX_NAMES[key]
        path.unlink()
        dot = path.name.replace("-idx", ".idx")
        names = f"{path.name}, {dot}, {path.name}.gz, {dot}.gz"
        message = f"^{re.escape(str(path))}: no such file; looked for {re.escape(names)}$"
        with pytest.raises(data.DataError, match=message):
            load(tmp_path)

    def test_folder_in_a_files_place(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        path = tmp_path / IDX_NAMES["x_test"]
        path.unlink()
        path.mkdir()
        with pytest.raises(data.DataError, match=r"t10k-images.*: cannot be read \(Is a dir"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("replaced", "message"),
        [
            (
                {"y_train": np.zeros(19, np.uint8)},
                "train-labels-idx1-ubyte: labels must be as many as the 20 images of "
                "train-images-idx3-ubyte; are 19",
            ),
            (
                {"y_test": np.array([0, 1, 2, 3, 4, 10], np.uint8)},
                "t10k-labels-idx1-ubyte: labels must lie within 0 and 9; lies within 0 and 10",
            ),
            (
                {"x_test": np.zeros((6, 5, 5), np.uint8)},
                r"t10k-images-idx3-ubyte: images must have the shape of the training images, "
                r"\(5, 4, 1\); has \(5, 5, 1\)",
            ),
            (
                {"x_train": np.zeros((0, 5, 4), np.uint8), "y_train": np.zeros(0, np.uint8)},
                r"train-images-idx3-ubyte: images must not be empty; has the shape \(0, 5, 4\)",
            ),
        ],
    )
    def test_refuses_what_does_not_fit(
        self, tmp_path: Path, replaced: dict[str, Any], message: str
    ) -> None:
        write_idx(tmp_path, arrays(**replaced))
        with pytest.raises(data.DataError, match=f"^{re.escape(str(tmp_path))}/{message}$"):
            load(tmp_path)


class TestNpz:
    @pytest.mark.parametrize("name", ["mnist.npz", "mine.npz"])
    def test_reads_the_named_or_the_only_one(self, tmp_path: Path, name: str) -> None:
        np.savez_compressed(tmp_path / name, **arrays())
        assert_parts(load(tmp_path), arrays())

    def test_the_named_one_comes_first(self, tmp_path: Path) -> None:
        other = arrays(x_train=np.zeros((20, 5, 4), np.uint8))
        write_idx(tmp_path, other)
        np.savez(tmp_path / "a.npz", **other)
        np.savez(tmp_path / "mnist.npz", **arrays())
        assert_parts(load(tmp_path), arrays())

    def test_idx_files_come_before_another_npz(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", **arrays(x_train=np.zeros((20, 5, 4), np.uint8)))
        write_idx(tmp_path)
        assert_parts(load(tmp_path), arrays())

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_takes_float_pixels_as_they_are(self, tmp_path: Path, dtype: Any) -> None:
        made = arrays()
        for key in ("x_train", "x_test"):
            made[key] = (made[key] / 255).astype(dtype)
        made["x_train"][0, 0, :2] = 0, 1
        np.savez(tmp_path / "mnist.npz", **made)
        assert_parts(load(tmp_path), made, scale=1)

    def test_scales_bytes_to_the_whole_range(self, tmp_path: Path) -> None:
        ends = np.zeros((20, 5, 4), np.uint8)
        ends[:, 0] = 255
        np.savez(tmp_path / "mnist.npz", **arrays(x_train=ends))
        assert set(np.unique(load(tmp_path).train.samples())) == {0, 1}

    def test_colours_and_column_labels_of_cifar(self, tmp_path: Path) -> None:
        made = {
            "x_train": np.random.default_rng(0).integers(0, 256, (20, 5, 4, 3)).astype(np.uint8),
            "y_train": np.arange(80, 100, dtype=np.int64)[:, np.newaxis],
            "x_test": np.zeros((6, 5, 4, 3), np.uint8),
            "y_test": np.arange(6, dtype=np.int64)[:, np.newaxis],
        }
        np.savez(tmp_path / "cifar100.npz", **made)
        loaded = load(tmp_path, "cifar100")
        assert_parts(loaded, made)
        assert (loaded.classes, loaded.input_shape) == (100, (5, 4, 3))

    @pytest.mark.parametrize(
        ("dataset", "classes"),
        [("mnist", 10), ("fashion_mnist", 10), ("cifar10", 10), ("cifar100", 100)],
    )
    def test_labels_up_to_the_number_of_classes(
        self, tmp_path: Path, dataset: str, classes: int
    ) -> None:
        path = tmp_path / "it.npz"
        labels = np.arange(6) + classes - 6
        np.savez(path, **arrays(y_test=labels))
        assert load(tmp_path, dataset).classes == classes
        np.savez(path, **arrays(y_test=labels + 1))
        with pytest.raises(data.DataError, match=f"y_test must lie within 0 and {classes - 1};"):
            load(tmp_path, dataset)

    @pytest.mark.parametrize(
        ("replaced", "message"),
        [
            ({"y_test": np.full(6, -1)}, "y_test must lie within 0 and 9; lies within -1 and -1"),
            ({"y_test": np.full(6, 2**40)}, "y_test must lie within 0 and 9"),
            ({"y_test": np.zeros(6)}, "y_test must be whole numbers; is float64"),
            ({"y_test": np.zeros(6, bool)}, "y_test must be whole numbers; is bool"),
            ({"y_test": np.zeros((6, 10), int)}, r"y_test must have the shape .* \(6, 10\)"),
            ({"y_test": np.int64(3)}, r"y_test must have the shape \(samples,\); has \(\)"),
            ({"y_test": np.zeros(0, int)}, "y_test must not be empty"),
            ({"y_test": np.zeros(7, int)}, "y_test must be as many as the 6 images of x_test; "),
            ({"x_test": np.zeros((6, 5, 4), int)}, "x_test must be uint8, .* is int64"),
            ({"x_test": np.full((6, 5, 4), np.nan)}, "x_test must be finite"),
            ({"x_test": np.full((6, 5, 4), np.inf)}, "x_test must be finite"),
            ({"x_test": np.full((6, 5, 4), 255.0)}, "x_test must lie within 0 and 1 .* 255"),
            ({"x_test": np.full((6, 5, 4), -0.5)}, "x_test must lie within 0 and 1 .* -0.5"),
            ({"x_test": np.zeros((6, 20), np.uint8)}, r"x_test must have the shape .* \(6, 20\)"),
            (
                {"x_test": np.zeros((6, 1, 5, 4, 1), np.uint8)},
                r"x_test must have the shape .* has \(6, 1, 5, 4, 1\)",
            ),
            (
                {"x_test": np.zeros((6, 3, 32, 32), np.uint8)},
                r"x_test must have the shape .* 4 channels at most; has \(6, 3, 32, 32\)",
            ),
            ({"x_test": np.zeros((6, 0, 4), np.uint8)}, "x_test must not be empty"),
            (
                {"x_test": np.zeros((6, 4, 5), np.uint8)},
                r"x_test must have the shape of the training images, \(5, 4, 1\); has \(4, 5, 1\)",
            ),
            ({"x_test": np.full((6, 5, 4), None)}, r"cannot be read \(Object arrays cannot be"),
        ],
    )
    def test_refuses_unfit_arrays(
        self, tmp_path: Path, replaced: dict[str, Any], message: str
    ) -> None:
        path = tmp_path / "mnist.npz"
        np.savez(path, **arrays(**replaced))
        with pytest.raises(data.DataError, match=f"^{re.escape(str(path))}: {message}"):
            load(tmp_path)

    def test_names_missing_arrays(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "mnist.npz", x_train=np.zeros(1), images=np.zeros(1))
        message = "mnist.npz: lacks y_train, x_test, y_test; holds x_train, images$"
        with pytest.raises(data.DataError, match=message):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda b: b"", "must be an .npz file; is something else, or truncated$"),
            (lambda b: b[: len(b) // 2], "must be an .npz file; is something else, or truncated$"),
            (lambda b: b"\x80\x04N.", "must be an .npz file"),
            (lambda b: b"PK\x03\x04" + b[-22:], r"cannot be read \("),
            (lambda b: b.replace(b"NUMPY", b"numpy"), r"cannot be read \(Bad CRC-32"),
            # zipfile's message quotes what stands where the name should, up to hundreds of KB.
            (
                lambda b: b.replace(b"\x0b\0\x14\0", b"\xff\xff\0\0"),
                r"cannot be read \(.{200}\.\.\.",
            ),
        ],
    )
    def test_refuses_a_damaged_file(self, tmp_path: Path, spoil: Any, message: str) -> None:
        path = tmp_path / "mnist.npz"
        np.savez(path, **arrays())
        path.write_bytes(spoil(path.read_bytes()))
        with pytest.raises(data.DataError, match=f"^{re.escape(str(path))}: {message}") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)

    def test_takes_no_other_datasets_file(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "cifar10.npz", **arrays())
        message = r"holds no data of cifar100; looked for cifar100.npz, \*.npz$"
        with pytest.raises(data.DataError, match=f"^{re.escape(str(tmp_path))}: {message}"):
            load(tmp_path, "cifar100")

    def test_mnist_is_not_taken_for_cifar(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        with pytest.raises(data.DataError, match="holds no data of cifar10; looked for cifar10"):
            load(tmp_path, "cifar10")

    def test_does_not_choose_among_several(self, tmp_path: Path) -> None:
        for name in ("a.npz", "b.npz"):
            np.savez(tmp_path / name, **arrays())
        message = "must hold mnist.npz or a single .npz file; holds a.npz, b.npz$"
        with pytest.raises(data.DataError, match=message):
            load(tmp_path)


class TestFolder:
    def test_missing(self, tmp_path: Path) -> None:
        message = r"^data_dir must be a folder that .*/none': No such file or directory$"
        with pytest.raises(checks.ArgumentError, match=message):
            load(tmp_path / "none")

    def test_a_file(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "mnist.npz", **arrays())
        message = r"^data_dir must be a folder that .*/mnist.npz': Not a directory$"
        with pytest.raises(checks.ArgumentError, match=message):
            load(tmp_path / "mnist.npz")

    def test_empty_name(self) -> None:
        with pytest.raises(checks.ArgumentError, match=r"^data_dir must name a folder;"):
            data.load(DataSettings(dataset="mnist", data_dir=""))

    def test_beside_digits(self, tmp_path: Path) -> None:
        message = "^data_dir must not be given beside dataset=digits, .*; given '/"
        with pytest.raises(checks.ArgumentError, match=message) as caught:
            load(tmp_path, "digits")
        assert caught.value.argument == "data_dir"

    def test_errors_load_neither_tensorflow_nor_keras(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        (tmp_path / IDX_NAMES["x_train"]).write_bytes(b"")
        script = (
            "import sys\n"
            "from dwt_keras.settings import DataSettings\n"
            "from dwt_keras.training import data\n"
            "try:\n"
            "    data.load(DataSettings(dataset='mnist', data_dir=sys.argv[1]))\n"
            "except data.DataError as error:\n"
            "    loaded = {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n"
            "    print(error, sorted(loaded))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "ends within its header" in done.stdout
        assert done.stdout.endswith(" []\n")


class TestDownload:
    def test_reads_what_keras_gives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import keras

        made = arrays()
        pairs = (made["x_train"], made["y_train"]), (made["x_test"], made["y_test"])
        monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: pairs)
        assert_parts(data.load(DataSettings(dataset="fashion_mnist")), made)

    @pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
    def test_without_network(self, monkeypatch: pytest.MonkeyPatch, dataset: str) -> None:
        import keras

        def fail() -> None:
            raise Exception("URL fetch failure on https://somewhere: None --\nno route")

        monkeypatch.setattr(getattr(keras.datasets, dataset), "load_data", fail)
        message = f"^{dataset}: could not be downloaded .*somewhere.* no route.*--data_dir$"
        with pytest.raises(data.DataError, match=message):
            data.load(DataSettings(dataset=dataset))

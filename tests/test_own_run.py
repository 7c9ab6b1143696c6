"""Whole runs on data and networks of one's own, and the commands on what they leave."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dwt_keras.__main__ import main
from dwt_keras.settings import Settings
from dwt_keras.training import data, run

sys.path.insert(0, str(Path(__file__).parent / "training"))
import image_files


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "photos"
    image_files.write_classes(folder, {"cat": 40, "dog": 40})
    return folder


@pytest.fixture(scope="module")
def folder(photos: Path) -> Path:
    """A run on a folder of images."""
    settings = Settings.from_flat(
        {
            "dataset": str(photos),
            "image_size": 6,
            "hidden_units": (8,),
            "epochs": 4,
            "batch_size": 8,
            "learning_rate": 0.01,
            "normalize": "standard",
            "save_dir": str(photos.parent / "runs"),
        }
    )
    return run.run(settings).folder


def test_a_run_learns_from_a_folder(folder: Path, photos: Path) -> None:
    assert folder.parents[1].name == "photos-mlp"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test_accuracy"] > 0.9  # The classes differ in brightness.
    record = json.loads((folder / "settings.json").read_text())
    assert record["class_names"] == ["cat", "dog"]
    again = Settings.from_json(json.dumps(record))
    assert (again.data.dataset, again.data.image_size) == (str(photos), (6, 6))


@pytest.mark.parametrize("name", ["model.dwtz", "serving/1"])
def test_networks_of_a_run_take_the_images_as_they_are(
    folder: Path, photos: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [f"--dataset={photos}", "--image_size=6"]
    assert main(["", "evaluate", str(folder / name), *flags]) == 0
    printed = capsys.readouterr().out
    expected = json.loads((folder / "metrics.json").read_text())["test_accuracy"]
    assert f"test accuracy: {expected:.4f} (16 images)" in printed


def test_benchmark_finds_the_data_of_a_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["", "benchmark", str(folder), "--batch_sizes=2", "--seconds=0.05"]) == 0
    assert "SavedModel" in capsys.readouterr().out


def test_compress_keeps_to_an_accuracy_on_a_folder(folder: Path, photos: Path) -> None:
    target = folder.parent / "a.dwtz"
    flags = [f"--dataset={photos}", "--image_size=6", "--coding_accuracy_drop=0.1"]
    assert main(["", "compress", str(folder / "model.keras"), str(target), *flags]) == 0
    assert target.stat().st_size < 2000


def test_a_broken_image_is_named_by_the_training(tmp_path: Path) -> None:
    image_files.write_classes(tmp_path / "broken", {"a": 20, "b": 20})
    path = tmp_path / "broken" / "a" / "00003.png"
    content = bytearray(path.read_bytes())
    content[45:60] = bytes(15)
    path.write_bytes(content)
    settings = Settings.from_flat(
        {"dataset": str(tmp_path / "broken"), "epochs": 1, "save_dir": str(tmp_path / "runs")}
    )
    with pytest.raises(data.DataError, match=f"^{path}: cannot be decoded"):
        run.run(settings)


def test_the_smallest_file_within_a_loss_is_found_from_a_start(tmp_path: Path) -> None:
    """Its control starts from the same weights, so that it is as good after one epoch."""
    common = {"epochs": 4, "seed": 1, "hidden_units": (16,), "learning_rate": 0.01}
    common["figures"] = "none"
    first = run.run(Settings.from_flat({**common, "save_dir": str(tmp_path / "first")}))
    settings = Settings.from_flat(
        {
            **common,
            "epochs": 1,
            "max_accuracy_drop": 0.1,
            "init": str(first.folder / "model.dwtz"),
            "head_epochs": 1,
            "save_dir": str(tmp_path / "second"),
        }
    )
    metrics = run.run(settings).metrics
    found = metrics["accuracy_drop"]
    assert found["control_validation_accuracy"] > 0.85
    assert np.isfinite(metrics["test_loss"])
    assert metrics["bytes"]["dwtz"] < 0.3 * metrics["bytes"]["float32"]

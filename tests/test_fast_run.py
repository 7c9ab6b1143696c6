"""train.py --keep_rows, and how fast what it leaves is, as users meet them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwt_keras.__main__ import main

ROOT = Path(__file__).parents[1]


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def folder(train_py: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a quarter of the rows, with LiteRT files."""
    save_dir = tmp_path_factory.mktemp("runs")
    done = train_py("--keep_rows=0.25", "--epochs=6", "--export=litert", f"--save_dir={save_dir}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = save_dir / "digits-mlp/auto-levelauto-rows0.25-batch32-epochs6/001"
    assert str(found / "serving_fast" / "1") in done.stdout
    return found


def test_rows_are_gone_and_the_network_still_knows_digits(folder: Path) -> None:
    metrics = metrics_of(folder)
    assert metrics["test_accuracy"] > 0.85
    # Quantising takes some more.
    assert 0.75 <= metrics["zero_fraction_by_layer"]["dense_1"] < 1.0
    for name in ("serving", "serving_fast", "model.tflite", "model_int8.tflite"):
        assert metrics["bytes"][name] > 0
    assert metrics["bytes"]["serving_fast"] < 0.7 * metrics["bytes"]["serving"]


def test_all_forms_answer_alike(folder: Path) -> None:
    import tensorflow as tf

    from dwt_keras.commands import networks

    images = np.random.default_rng(0).random((20, 8, 8, 1), "float32")
    forms = ("model.keras", "serving/1", "serving_fast/1", "model.tflite", "model_int8.tflite")
    plain, *others = (networks.load(str(folder / form), True).predict(images) for form in forms)
    for form, found in zip(forms[1:], others, strict=True):
        np.testing.assert_allclose(found, plain, atol=0.02 if "int8" in form else 1e-5)
    fast = tf.saved_model.load(str(folder / "serving_fast" / "1"))
    (shape,) = {tuple(weight.shape) for weight in fast.weights if weight.shape[-1] == 10} - {(10,)}
    assert shape == (32, 10)  # A quarter of 128 units remains.


def test_int8_costs_no_more_than_half_a_point(folder: Path) -> None:
    metrics = metrics_of(folder)
    found = metrics["litert_test_accuracy"]
    assert found["model.tflite"] == pytest.approx(metrics["test_accuracy"], abs=1e-6)
    assert found["model_int8.tflite"] >= metrics["test_accuracy"] - 0.005
    assert found["model_full_int8.tflite"] >= metrics["test_accuracy"] - 0.015


def test_benchmark_prints_writes_and_draws(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dwt_keras", "benchmark", str(folder), "--seconds=0.02", "--batch_sizes=1,3"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = list(csv.DictReader((folder / "benchmark.csv").read_text().splitlines()))
    names = list(dict.fromkeys(row["network"] for row in rows))
    assert len(names) == 6 and len(rows) == 12
    assert {row["batch_size"] for row in rows} == {"1", "3"}
    accuracy = f"{metrics_of(folder)['test_accuracy']:.4f}"
    for row in rows:
        assert row["network"] in printed.out
        assert 0 < float(row["median_ms"]) <= float(row["p95_ms"])
        assert float(row["samples_per_s"]) > 0
        assert int(row["calls"]) >= 10
        if "int8" not in row["network"]:
            assert row["test_accuracy"] == accuracy
    assert (folder / "figures" / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_takes_a_litert_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dwt_keras", "evaluate", str(folder / "model.tflite"), "--dataset=digits"]) == 0
    assert f"test accuracy: {metrics_of(folder)['test_accuracy']:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "must be the folder of a run of train.py"),
        (["RUN", "--batch_sizes=0"], "--batch_sizes must be whole numbers, 1 or more"),
        (["RUN", "--seconds=0"], "--seconds must be a finite number, above 0"),
        ([], "takes RUN; given nothing"),
    ],
)
def test_mistakes_of_benchmark_cost_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(folder) if each == "RUN" else each for each in arguments]
    assert main(["dwt_keras", "benchmark", *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_folder_without_networks_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text('{"settings": {"dataset": "digits"}}')
    assert main(["dwt_keras", "benchmark", str(tmp_path)]) == 2
    assert "has no network of a run of train.py in it" in capsys.readouterr().err


def test_the_fewest_rows_within_a_loss_are_searched(train_here: Any, tmp_path: Path) -> None:
    done = train_here(
        "--structure=rows",
        "--max_accuracy_drop=0.05",
        "--epochs=2",
        "--figures=none",
        f"--save_dir={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "digits-mlp").glob("auto-levelauto-rowsdrop0.05-*/001")
    metrics = metrics_of(folder)
    found = metrics["accuracy_drop"]
    shares = [trial["keep_rows"] for trial in found["trials"]]
    assert shares[0] == 0.25
    assert 1 <= len(shares) == len(set(shares)) <= 4
    assert max(shares) <= 1.0
    assert len(list((folder / "trials").glob("*/history.csv"))) == len(shares)


def test_where_all_rows_are_kept_there_is_nothing_faster(train_here: Any, tmp_path: Path) -> None:
    done = train_here("--keep_rows=1.0", "--epochs=1", "--figures=none", f"--save_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "no serving_fast: model 'mlp' has no empty rows to fold" in done.stdout
    (folder,) = (tmp_path / "digits-mlp").glob("*/001")
    assert "serving_fast" not in metrics_of(folder)["bytes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--keep_rows=0", "--keep_rows must be a whole number, 1 or more, or a share above 0"),
        ("--keep_rows=1.5", "--keep_rows must be a whole number, 1 or more, or a share above 0"),
        ("--keep_rows=65 --layers=dense_1", "--keep_rows must be at most 64, the rows of dense_1"),
        ("--structure=rows", "--structure rows needs keep_rows or max_accuracy_drop"),
        ("--keep_rows=0.1 --threshold=0.1", "--threshold must not be given beside structure=rows"),
        ("--keep_rows=0.1 --target_bytes=4000", "--target_bytes must not be given beside"),
        ("--keep_rows=dens_1:20", "--keep_rows must match layers with rows that can go (dense_1,"),
        ("--keep_rows=0.5 --axes=matrix", "--axes must not be given beside structure=rows"),
        (
            "--structure=rows --max_accuracy_drop=0.002",
            "--coding_accuracy_drop must be below max_accuracy_drop, 0.002",
        ),
        ("--keep_columns=0.5 --layers=classes", "it cannot be had of classes/kernel"),
        ("--export=tflite", "--export must be one of savedmodel, litert; given 'tflite'"),
    ],
)
def test_mistakes_cost_one_line(
    train_here: Any, arguments: str, message: str, tmp_path: Path
) -> None:
    done = train_here(*arguments.split(), f"--save_dir={tmp_path}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []

"""train.py as its users meet it: one real run, its flags, and their mistakes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pywt

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def main_run(train_py: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The main job; its folder and what it printed."""
    save_dir = tmp_path_factory.mktemp("runs")
    started = time.monotonic()
    done = train_py("--wavelet=sym2", "--threshold=0.05", f"--save_dir={save_dir}")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 120
    assert done.stderr == ""
    return save_dir / "digits-mlp/sym2-level1-threshold0.05-batch32-epochs10/001", done.stdout


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def test_main_job_leaves_the_documented_folder(main_run: tuple[Path, str]) -> None:
    folder, _ = main_run
    assert {entry.name for entry in folder.iterdir()} == {
        "settings.json",
        "history.csv",
        "metrics.json",
        "model.dwtz",
        "model.keras",
        "serving",
        "tensorboard",
        "figures",
        "report.html",
    }
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["settings"]["wavelet"] == "sym2"
    assert settings["versions"]["keras"]
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert len(rows) == 10
    assert {"loss", "val_accuracy", "zero_fraction", "energy_kept", "threshold"} <= set(rows[0])


def test_main_job_learns_and_says_so(main_run: tuple[Path, str]) -> None:
    folder, printed = main_run
    metrics = metrics_of(folder)
    assert metrics["test_accuracy"] >= 0.93
    assert f"test accuracy: {metrics['test_accuracy']:.4f}" in printed
    assert "dense_1/kernel" in printed
    assert "sym2 1 over 8x8" in printed
    assert str(folder) in printed
    assert "Epoch 10/10" in printed


def test_metrics_are_those_of_the_exported_weights(main_run: tuple[Path, str]) -> None:
    import tensorflow as tf

    folder, _ = main_run
    metrics = metrics_of(folder)
    loaded = tf.saved_model.load(str(folder / "serving" / "1"))
    kernels = [variable.numpy() for variable in loaded.weights if len(variable.shape) == 2]
    # 8x8 pixels: PyWavelets' own periodization gives the same coefficients.
    bands = pywt.dwt2(kernels[0].reshape(8, 8, 128), "sym2", "periodization", axes=(0, 1))
    hidden = np.concatenate([bands[0].ravel(), *(band.ravel() for band in bands[1])])
    zeros = [np.mean(np.abs(hidden) < 1e-6), np.mean(kernels[1] == 0)]
    assert metrics["zero_fraction_by_layer"]["dense_1"] == pytest.approx(zeros[0], abs=1e-3)
    assert metrics["zero_fraction_by_layer"]["classes"] == pytest.approx(zeros[1], abs=1e-3)
    assert metrics["zero_fraction"] == pytest.approx((8192 * zeros[0] + 1280 * zeros[1]) / 9472)
    assert 0.2 < metrics["zero_fraction"] < 0.8

    assert metrics["bytes"]["float32"] == 4 * sum(v.numpy().size for v in loaded.weights)
    stored = sum(f.stat().st_size for f in (folder / "serving").rglob("*") if f.is_file())
    assert metrics["bytes"]["serving"] == stored
    assert metrics["bytes"]["dwtz"] == (folder / "model.dwtz").stat().st_size
    assert 20 < metrics["bytes"]["dwtz"] - metrics["bytes"]["dwtz_weights"] < 400
    assert metrics["bytes"]["dwtz"] < 0.12 * metrics["bytes"]["float32"]
    assert metrics["bytes"]["keras"] == (folder / "model.keras").stat().st_size
    assert metrics["epochs_run"] == 10
    seconds = metrics["seconds"]
    assert 0 < seconds["compress"] < seconds["train"] < seconds["total"]


def test_served_and_archived_network_score_what_metrics_say(main_run: tuple[Path, str]) -> None:
    import keras
    import tensorflow as tf

    from dwt_keras import load_compressed
    from dwt_keras.settings import DataSettings
    from dwt_keras.training import data

    folder, _ = main_run
    digits = data.load(DataSettings())
    compact = load_compressed(folder / "model.dwtz")
    for stored, kept in zip(
        compact.weights, keras.models.load_model(folder / "model.keras").weights, strict=True
    ):
        np.testing.assert_array_equal(stored.numpy(), kept.numpy())
    serve = tf.saved_model.load(str(folder / "serving" / "1")).signatures["serving_default"]
    served = serve(images=tf.constant(digits.test.samples()))["outputs"].numpy()
    model = keras.models.load_model(folder / "model.keras")
    np.testing.assert_array_equal(
        served, model.predict(digits.test.samples(), batch_size=360, verbose=0)
    )
    accuracy = np.mean(served.argmax(1) == digits.test.labels)
    assert metrics_of(folder)["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_saved_model_cli_shows_the_signature(main_run: tuple[Path, str]) -> None:
    folder, _ = main_run
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "tensorflow.python.tools.saved_model_cli",
            "show",
            f"--dir={folder / 'serving' / '1'}",
            "--tag_set=serve",
            "--signature_def=serving_default",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "inputs['images']" in shown
    assert "shape: (-1, 8, 8, 1)" in shown
    assert "outputs['outputs']" in shown


def test_tensorboard_gets_scalars_histograms_and_the_graph(main_run: tuple[Path, str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, _ = main_run

    def tags(name: str) -> dict[str, str]:
        events = EventAccumulator(str(folder / "tensorboard" / name), {"tensors": 0})
        events.Reload()
        return {
            tag: events.SummaryMetadata(tag).plugin_data.plugin_name
            for tag in events.Tags()["tensors"]
        }

    train = tags("train")
    for scalar in ("loss", "accuracy", "zero_fraction", "energy_kept", "threshold"):
        assert train[f"epoch_{scalar}"] == "scalars"
    assert train["epoch_learning_rate"] == "scalars"
    assert train["keras"] == "graph_keras_model"
    layers = tags("compression")
    assert layers["zero_fraction/dense_1"] == "scalars"
    for band in ("aa1", "ad1", "da1", "dd1"):
        assert layers[f"dense_1/kernel/{band}"] == "histograms"
    assert layers["classes/kernel/weights"] == "histograms"


def test_same_seed_gives_the_same_weights_and_numbers_count_up(
    train_py: Any, tmp_path: Path
) -> None:
    import keras

    flags = ("--epochs=2", "--threshold_rule=quantile", "--threshold=0.8", "--level=2")
    flags += ("--figures=none",)
    for seed in (1, 1, 2):
        assert train_py(*flags, f"--seed={seed}", f"--save_dir={tmp_path}").returncode == 0
    (group,) = (tmp_path / "digits-mlp").iterdir()
    first, second, other = (
        keras.models.load_model(group / number / "model.keras").get_weights()
        for number in ("001", "002", "003")
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    assert metrics_of(group / "001")["zero_fraction"] == pytest.approx(0.8, abs=1e-3)


def test_documented_command_with_spaces_works(train_py: Any, tmp_path: Path) -> None:
    done = train_py(
        *"--wavelet harr --batch_size 32 --epochs 10 --save_dir ./SavedModels".split(), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "wavelet 'harr' is taken as haar" in done.stdout
    group = tmp_path / "SavedModels/digits-mlp/haar-level1-threshold0.05-batch32-epochs10"
    assert metrics_of(group / "001")["test_accuracy"] > 0.9


def test_settings_json_repeats_the_run(main_run: tuple[Path, str]) -> None:
    from dwt_keras.settings import Settings

    folder, _ = main_run
    record = json.loads((folder / "settings.json").read_text())["settings"]
    again = Settings.from_json((folder / "settings.json").read_text())
    assert again.compression.wavelet == "sym2"
    assert again.compression.threshold == 0.05
    assert again.flat() == Settings.from_flat(record).flat()


MISTAKES = [
    ("--wavelet=sym99", "--wavelet must be a wavelet of PyWavelets, auto or none"),
    ("--wavelet=cmor1", "--wavelet must be cmor"),
    ("--wavelet=morl --hold_support", "--hold_support needs a basis"),
    ("--wavelet=morl --level=auto", "--level must be a whole number or max with the continuous"),
    ("--choose_basis_epochs=2", "--choose_basis_epochs needs wavelet=auto or level=auto"),
    ("--wavelet=auto --choose_basis_epochs=11", "--choose_basis_epochs must not lie beyond"),
    ("--threshold=-1", "--threshold must be a finite number, 0 or more; given -1.0"),
    ("--threshold=nan", "--threshold must be a finite number"),
    ("--threshold=x", "flag --threshold=x: must be a number"),
    ("--level=0", "--level must be a whole number, 1 or more, max or auto; given 0"),
    ("--epochs=0", "--epochs must be a whole number, 1 or more; given 0"),
    ("--epochs=2.5", "flag --epochs=2.5: must be a whole number"),
    ("--batch_size=0", "--batch_size must be a whole number, 1 or more; given 0"),
    ("--dataset=nope", "--dataset must be one of digits"),
    ("--data_dir=/nowhere --dataset=mnist", "--data_dir must be a folder that can be read"),
    (
        "--model=nope",
        "--model must be one of mlp, cnn, resnet20, conv1d, mixer, vit_tiny, FILE.keras",
    ),
    ("--model=none.keras", "--model must be a file; there is none at 'none.keras'"),
    ("--model=nowhere.nets:net", "--model must be package.module:function; there is no module"),
    ("--model=applications:VGG17", "--model applications: must be one of ConvNeXtBase"),
    ("--init=none.dwtz", "--init must be a file; there is none at 'none.dwtz'"),
    ("--weights=none", "--weights goes with model=applications:NAME"),
    ("--head_epochs=2", "--head_epochs needs weights to start from"),
    ("--dataset=none.npz", "none.npz: cannot be read (No such file or directory)"),
    ("--dataset=./none/", "none: must be a folder that can be read (No such file"),
    ("--dataset=nowhere:load", "--dataset must be package.module:function; nowhere cannot be"),
    ("--image_size=8", "--image_size goes with a folder or tfds:NAME"),
    ("--threshold_mode=nope", "--threshold_mode must be one of hard, soft, garrote, firm"),
    ("--threshold_rule=universal --threshold=0.1", "--threshold must not be given"),
    ("--threshold_rule=quantile --threshold=1", "--threshold must be a finite number"),
    ("--ramp_end_epoch=4", "--ramp_end_epoch needs ramp=linear or cubic"),
    ("--ramp_begin_epoch=10", "--ramp_begin_epoch must lie before the last epoch"),
    ("--layers=,", "--layers must be regular expressions; given ','"),
    ("--save_dir=" + "x" * 300, "--save_dir must be a folder that can be written"),
    ("--decay_factor=0.5", "--decay_factor needs learning_rate_schedule=step, exponential or plat"),
    ("--optimizer=adm", "--optimizer must be one of adam, adamw, sgd, rmsprop, nadam, lion; given"),
    ("--run_name=" + "x" * 101, "--run_name must have 100 characters at most"),
    ("--folds=1", "--folds must be a whole number, 2 or more; given 1"),
    ("--fold=2", "--fold needs folds; given 2 without"),
    (
        "--folds=3 --compare=wavelet=haar",
        "--compare must be given twice, for two settings; given 1",
    ),
    (
        "--folds=3 --compare=wavelet=haar --compare=wavelet=sym99",
        "--compare 'wavelet=sym99': wavelet must be a wavelet of PyWavelets",
    ),
    ("--folds=2 --distribute=multiworker", "--distribute must be none or mirrored in a study"),
    ("--ensemble=bagging --members=0", "--members must be a whole number, 1 or more; given 0"),
    ("--members=3", "--members needs ensemble=bagging|boosting|snapshot|wavelets; given 3"),
    ("--ensemble=snapshot --members=11", "--members must be at most the epochs, 10"),
    ("--no_such_flag=1", "no_such_flag"),
    ("--flagfile=no/such.cfg", "no/such.cfg"),
    ("stray", "takes flags only; given 'stray'"),
    ("--keep_approximation no", "takes flags only; given 'no'"),
    ("--save_dir=train.py", "--save_dir must be a folder that can be written"),
    ("--save_dir=/proc/here", "--save_dir must be a folder that can be written"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[0][:40] for m in MISTAKES])
def test_mistakes_cost_one_line_and_no_time(
    train_py: Any, processor_seconds: Any, arguments: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("a file in the way")
    started = processor_seconds()
    done = train_py(*arguments.split(), cwd=tmp_path)
    assert processor_seconds() - started < 1
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["train.py"]


def test_a_flag_file_that_is_no_text_costs_one_line(train_py: Any, tmp_path: Path) -> None:
    (tmp_path / "binary.cfg").write_bytes(bytes(range(128, 256)))
    done = train_py(f"--flagfile={tmp_path / 'binary.cfg'}")
    assert done.returncode == 2
    assert done.stderr == "train.py: --flagfile must be a text file in UTF-8\n"


def test_diverged_training_costs_one_line(train_py: Any, tmp_path: Path) -> None:
    done = train_py("--learning_rate=1e38", "--epochs=1", f"--save_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "dense_1/kernel: has weights that are NaN or infinite" in done.stderr


def test_help_names_every_flag_and_loads_no_tensorflow(processor_seconds: Any) -> None:
    code = (
        "import sys, train; status = train.main(['train.py', '--help']); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(status)"
    )
    started = processor_seconds()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert processor_seconds() - started < 1
    assert done.returncode == 0, done.stderr
    import train

    for name in train.fields():
        assert f"--{name}" in done.stdout or f"--[no]{name}" in done.stdout
    assert "Raising it" in done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.cfg")), ids=lambda p: p.name)
def test_configs_are_valid_and_open_with_their_command(path: Path) -> None:
    import train
    from dwt_keras.training import resuming

    assert path.read_text().startswith(f"# python train.py --flagfile=configs/{path.name}")
    values = train.parse(["train.py", f"--flagfile={path}"])
    assert values is not None
    resuming.settings_of(values, ())


def test_a_target_in_bytes_is_kept(train_here: Any, tmp_path: Path) -> None:
    from dwt_keras.training import coding

    done = train_here(
        "--target_bytes=1200", "--epochs=3", "--figures=none", f"--save_dir={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "digits-mlp/auto-levelauto-bytes1200-batch32-epochs3/001"
    metrics = metrics_of(folder)
    size = (folder / "model.dwtz").stat().st_size
    assert 1080 < size <= 1200
    assert metrics["bytes"]["dwtz"] == size
    assert metrics["bytes"]["dwtz_weights"] == coding.weights_alone(folder / "model.dwtz")
    assert metrics["test_accuracy"] > 0.6
    settings = json.loads((folder / "settings.json").read_text())["settings"]
    assert settings["learning_rate_schedule"] == "cosine"
    assert settings["threshold"] is None


def test_the_smallest_file_within_a_loss_is_searched(train_here: Any, tmp_path: Path) -> None:
    done = train_here(
        "--max_accuracy_drop=0.05", "--epochs=2", "--figures=none", f"--save_dir={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    assert "training the dense control" in done.stdout
    (folder,) = (tmp_path / "digits-mlp").glob("auto-levelauto-drop0.05-*/001")
    found = metrics_of(folder)["accuracy_drop"]
    goal = found["control_validation_accuracy"] - 0.05
    assert found["within"] == (found["validation_accuracy"] >= goal)
    sizes = [trial["target_bytes"] for trial in found["trials"]]
    chosen = found["trials"][found["chosen_trial"] - 1]
    assert chosen["validation_accuracy"] == found["validation_accuracy"]
    assert 1 <= len(sizes) == len(set(sizes)) <= 4
    assert (folder / "model.dwtz").stat().st_size <= max(sizes)
    assert len(list((folder / "trials").glob("*/history.csv"))) == len(sizes)
    assert "accuracy drop: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target_bytes=4500", "--threshold=0.1"], "threshold must not be given beside"),
        (["--max_accuracy_drop=2"], "max_accuracy_drop must be a finite number"),
        (["--max_accuracy_drop=0.1", "--target_bytes=4500"], "must not be given beside target_b"),
        (["--target_bytes=90"], "target_bytes must be 2"),
        (["--target_bytes=4500", "--wavelet=mexh"], "wavelet must be a discrete one"),
    ],
)
def test_a_bad_budget_is_one_line(
    train_here: Any, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = train_here(*arguments, f"--save_dir={tmp_path}")
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("train.py: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []

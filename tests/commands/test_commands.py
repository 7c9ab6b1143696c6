"""python -m dwt_keras: what the commands write and print, and what mistakes cost."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import dwt_keras
from dwt_keras.__main__ import main
from dwt_keras.commands import networks
from dwt_keras.training import data

ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]):
    """Runs a command in this process; returns what it printed. It must succeed in silence."""

    def run(*arguments: object) -> str:
        status = main(["dwt_keras", *map(str, arguments)])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, "")
        return printed.out

    return run


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]):
    """Runs a command that must fail; returns its one line."""

    def run(*arguments: object) -> str:
        assert main(["dwt_keras", *map(str, arguments)]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1
        return printed.err.rstrip("\n")

    return run


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1].replace(",", ""))


# compress and expand


def test_compress_and_expand_give_the_network_back(call, archive: Path, tmp_path: Path) -> None:
    compact, back = tmp_path / "a.dwtz", tmp_path / "b.keras"
    printed = call("compress", archive, compact, "--distortion=1e-4")
    assert f"{compact}: {compact.stat().st_size:,} bytes" in printed
    assert "dense_1/kernel" in printed
    call("expand", compact, back)
    before, after = (keras.models.load_model(path) for path in (archive, back))
    error = energy = 0.0
    for now, then in zip(after.get_weights(), before.get_weights(), strict=True):
        if now.ndim > 1:
            error += float(np.sum((now - then).astype("f8") ** 2))
            energy += float(np.sum(then.astype("f8") ** 2))
    assert 0 < error / energy <= 1.0001e-4
    loaded = dwt_keras.load_compressed(compact)
    for one, other in zip(loaded.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_model_serves_what_the_file_says(call, archive, tmp_path, digits) -> None:
    call("compress", archive, tmp_path / "a.dwtz")
    call("expand", tmp_path / "a.dwtz", tmp_path / "served")
    expected = dwt_keras.load_compressed(tmp_path / "a.dwtz").predict(
        digits.test.samples(), verbose=0
    )
    network = networks.load(str(tmp_path / "served"), trusted=False)
    np.testing.assert_allclose(network.predict(digits.test.samples()), expected, atol=1e-6)


@pytest.mark.parametrize("most", [900, 2000])
def test_compress_keeps_to_a_number_of_bytes(call, archive, tmp_path, most: int) -> None:
    target = tmp_path / "a.dwtz"
    printed = call("compress", archive, target, f"--max_bytes={most}")
    assert 0.96 * most <= target.stat().st_size <= most
    assert "try 1: step" in printed


def test_compress_keeps_to_an_accuracy(call, archive, tmp_path, digits) -> None:
    """The smallest file within the drop; what is printed is what was measured."""
    target = tmp_path / "a.dwtz"
    printed = call("compress", archive, target, "--dataset=digits", "--coding_accuracy_drop=0.02")
    before = number(r"try 1: validation accuracy (\S+)", printed)
    model = dwt_keras.load_compressed(target)
    found = np.mean(
        model.predict(digits.validation.samples(), verbose=0).argmax(1) == digits.validation.labels
    )
    assert before - 0.0201 <= found
    told = number(r"test accuracy: (\S+) \(before", printed)
    scored = np.mean(
        model.predict(digits.test.samples(), verbose=0).argmax(1) == digits.test.labels
    )
    assert told == pytest.approx(scored, abs=1e-4)
    call("compress", archive, tmp_path / "b.dwtz", "--dataset=digits")
    assert target.stat().st_size < (tmp_path / "b.dwtz").stat().st_size


@pytest.mark.parametrize(
    ("flags", "basis"),
    [
        (("--wavelet=sym2",), "sym2 1 over 8x8"),
        (("--wavelet=haar", "--level=max"), "haar 3 over 8x8"),
        (("--wavelet=db1", "--axes=matrix"), "db1 1 over 64x24"),
        ((), "weights, step"),
    ],
)
def test_compress_takes_a_basis(call, archive, tmp_path, flags, basis) -> None:
    printed = call("compress", archive, tmp_path / "a.dwtz", *flags)
    assert basis in next(row for row in printed.splitlines() if row.startswith("dense_1/kernel"))
    assert call("inspect", tmp_path / "a.dwtz") in printed


def test_weights_alone_need_their_model(call, fail, archive, tmp_path) -> None:
    compact, back = tmp_path / "a.dwtz", tmp_path / "b.keras"
    call("compress", archive, compact, "--weights_only")
    assert "holds weights alone" in fail("expand", compact, back)
    assert not back.exists()
    call("expand", compact, back, f"--model={archive}")
    assert keras.models.load_model(back).count_params() == 64 * 24 + 24 + 240 + 10


# inspect


def test_inspect_shows_what_is_in_the_file(call, archive, tmp_path) -> None:
    compact = tmp_path / "a.dwtz"
    dwt_keras.save_compressed(
        keras.models.load_model(archive), compact, step=0.05, wavelet="haar", level=2
    )
    rows = [re.split(r" {2,}", row) for row in call("inspect", compact).splitlines()]
    table = {row[0]: row[1:] for row in rows}
    assert table["dense_1/kernel"][:2] == ["64x24", "haar 2 over 8x8, step 0.05"]
    from dwt_keras.compression import layout, sections

    tensors = layout.decoded(sections.read(compact))
    levels = tensors[0].levels
    assert levels is not None
    assert table["dense_1/kernel"][2] == f"{100 * np.mean(levels == 0):.2f} %"
    sizes = [int(row[-3].replace(",", "")) for name, row in table.items() if "/" in name]
    assert len(sizes) == 4
    total = sum(sizes) + sum(int(table[n][-2]) for n in ("index", "architecture", "container"))
    assert total == compact.stat().st_size
    weights = 64 * 24 + 24 + 240 + 10
    assert table["all"][0] == f"{weights:,}"
    assert table["all"][-2] == f"{8 * total / weights:.3f}"


def test_inspect_is_fast_and_loads_neither_tensorflow_nor_numba(
    archive, tmp_path, processor_seconds
) -> None:
    compact = tmp_path / "a.dwtz"
    dwt_keras.save_compressed(keras.models.load_model(archive), compact, step=0.05, wavelet="haar")
    code = (
        "import sys; from dwt_keras.__main__ import main; status = main(sys.argv); "
        "assert not {'tensorflow', 'keras', 'numba', 'scipy'} & set(sys.modules); sys.exit(status)"
    )
    seconds = []
    for _ in range(3):
        started = processor_seconds()
        done = subprocess.run(
            [sys.executable, "-c", code, "inspect", str(compact)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds.append(processor_seconds() - started)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < 1


# evaluate


@pytest.mark.parametrize("kind", ["dwtz", "keras", "saved model"])
def test_evaluate_scores_as_keras_does(call, archive, tmp_path, digits, kind) -> None:
    path = tmp_path / {"dwtz": "a.dwtz", "keras": "b.keras", "saved model": "c"}[kind]
    call("compress", archive, tmp_path / "a.dwtz", "--distortion=1e-6")
    if kind != "dwtz":
        call("expand", tmp_path / "a.dwtz", path)
    printed = call("evaluate", path, "--dataset=digits")
    model = dwt_keras.load_compressed(tmp_path / "a.dwtz")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(digits.test.samples(), digits.test.labels, verbose=0)
    assert number(r"test accuracy: (\S+)", printed) == pytest.approx(accuracy, abs=1e-4)
    assert number(r"test loss: +(\S+)", printed) == pytest.approx(loss, abs=1e-3)
    assert "(360 images)" in printed


def test_images_are_brought_into_the_shape_that_a_network_takes(digits) -> None:
    def network(shape):
        model = keras.Sequential([keras.Input(shape), keras.layers.Flatten()])
        model.add(keras.layers.Dense(10))
        return networks.of_model(model, "some.keras")

    for shape in ((8, 8, 1), (8, 8), (64,)):
        accuracy, loss = networks.score(network(shape), digits)
        assert 0 <= accuracy <= 1
        assert loss is None  # Outputs of a Dense layer are no probabilities.


def test_a_network_for_other_data_is_refused(fail, tmp_path) -> None:
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(10)])
    model.save(tmp_path / "a.keras")
    assert "takes inputs of shape (7,), the images have (8, 8, 1)" in fail(
        "evaluate", tmp_path / "a.keras", "--dataset=digits"
    )
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(9)])
    model.save(tmp_path / "a.keras")
    assert "gives outputs of shape (9,), the data have 10 classes" in fail(
        "evaluate", tmp_path / "a.keras", "--dataset=digits"
    )


# runs


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three finished runs, one under way, one that is damaged, and a hidden leftover."""
    for name, accuracy, size in (("b/001", 0.9, 500), ("a/001", 0.8, 700), ("a/002", 0.95, 900)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        settings = {"wavelet": "haar", "hidden_units": [300, 100], "data_dir": None}
        (folder / "settings.json").write_text(json.dumps({"settings": settings}))
        metrics = {"test_accuracy": accuracy, "zero_fraction": 0.5, "bytes": {"dwtz": size}}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "runs/c/001").mkdir(parents=True)
    shutil.copytree(tmp_path / "runs/a/001", tmp_path / "runs/a/.003.tmp/003")
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("flags", "order"),
    [
        ((), ["a/001", "a/002", "b/001"]),
        (("--sort=accuracy",), ["a/002", "b/001", "a/001"]),
        (("--sort=bytes",), ["b/001", "a/001", "a/002"]),
    ],
)
def test_runs_are_listed_in_the_order_asked_for(call, runs, flags, order) -> None:
    rows = call("runs", runs, *flags).splitlines()[2:]
    assert [row.split()[0] for row in rows] == order
    rows = list(csv.DictReader(io.StringIO(call("runs", runs, "--csv", *flags))))
    assert [row["run"] for row in rows] == order
    best = next(row for row in rows if row["run"] == "a/002")
    assert (best["test_accuracy"], best["bytes_dwtz"]) == ("0.95", "900")
    assert (best["wavelet"], best["hidden_units"], best["data_dir"]) == ("haar", "300,100", "")


def test_a_run_alone_is_listed_by_its_folder(call, runs) -> None:
    assert call("runs", runs / "a/001").splitlines()[2].split()[0] == "001"


def test_a_damaged_run_is_named_and_left_out(capsys, runs) -> None:
    (runs / "b/001/metrics.json").write_text("{")
    assert main(["dwt_keras", "runs", str(runs)]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(f"left out: {runs / 'b/001'}: its metrics or settings cannot be")
    assert len(printed.out.splitlines()) == 4


# Mistakes


MISTAKES = [
    (
        "",
        "command must be one of compress, expand, inspect, evaluate, benchmark, serve, runs, "
        "report, saliency; given ''",
    ),
    ("compres", "given 'compres' (did you mean compress?)"),
    ("compress {k}", "takes IN.keras and OUT.dwtz; given {k}"),
    ("compress no.keras a.dwtz", "no.keras: must be a .keras file; there is no file of that name"),
    ("compress {t} a.dwtz", "must be a .keras file, as Keras 3 saves a whole model; it is none"),
    ("compress {k} a.zip", "a.zip: must end in .dwtz"),
    ("compress {k} no/a.dwtz", "no/a.dwtz: must lie in a folder that is there; no is not"),
    ("compress {k} a.dwtz --wavelet=morl", "--wavelet must be a discrete wavelet, auto or none"),
    ("compress {k} a.dwtz --wavelet=sym99", "--wavelet must be a wavelet of PyWavelets"),
    ("compress {k} a.dwtz --level=0", "--level must be a whole number, 1 or more, max or auto"),
    ("compress {k} a.dwtz --distortion=2", "--distortion must be a finite number, above 0, below"),
    ("compress {k} a.dwtz --max_bytes=0", "--max_bytes must be a whole number, 1 or more"),
    ("compress {k} a.dwtz --max_bytes=9", "--max_bytes must be "),
    ("compress {k} a.dwtz --max_bytes=9 --distortion=0.1", "--max_bytes must not be given beside"),
    ("compress {k} a.dwtz --coding_accuracy_drop=0.1", "--coding_accuracy_drop needs a dataset"),
    ("compress {k} a.dwtz --dataset=nope", "--dataset must be one of digits"),
    ("compress {k} a.dwtz --data_dir=x", "--data_dir needs a dataset; given 'x' without one"),
    ("compress {k} a.dwtz --nope=1", "nope"),
    ("expand {t} a.keras", "this is no .dwtz file"),
    ("expand no.dwtz a.keras", "no.dwtz: must be a .dwtz file; there is no file of that name"),
    ("expand {d} {d}", "must be another file than what is read"),
    ("expand {d} folder", "folder: must not be there yet; it is a folder"),
    ("inspect no.dwtz", "no.dwtz: must be a .dwtz file; there is no file of that name"),
    ("inspect {t}", "this is no .dwtz file"),
    ("inspect folder", "folder: must be a .dwtz file; it is a folder"),
    ("inspect run", "it is a folder (did you mean run/model.dwtz?)"),
    ("compress run a.dwtz", "it is a folder (did you mean run/model.keras?)"),
    ("evaluate run --dataset=digits", "(serving/1 of a run) (did you mean run/model.dwtz?)"),
    (
        "evaluate {k}",
        "--dataset must be given: one of digits, mnist, fashion_mnist, cifar10, cifar100, "
        "FILE.npz, FOLDER/, tfds:NAME, package.module:function",
    ),
    (
        "evaluate no --dataset=digits",
        "no: must be a .dwtz, .keras or .tflite file, or the folder of",
    ),
    ("evaluate {t} --dataset=digits", "this is no .dwtz file"),
    ("runs no", "no: must be a folder; there is none of that name"),
    ("runs folder", "folder: has no finished run of train.py below it"),
    ("runs folder --sort=size", "--sort must be one of folder, accuracy, bytes; given 'size'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[0][:50] for m in MISTAKES])
def test_mistakes_cost_one_line_and_write_nothing(
    fail, arguments, message, archive, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("no network")
    (tmp_path / "folder").mkdir()
    (tmp_path / "run").mkdir()
    for name in ("model.dwtz", "model.keras"):
        (tmp_path / "run" / name).touch()
    before = sorted(tmp_path.rglob("*"))
    if not archive.with_suffix(".dwtz").exists():
        dwt_keras.save_compressed(
            keras.models.load_model(archive), archive.with_suffix(".dwtz"), step=0.1
        )
    names = {"k": str(archive), "t": "text.txt", "d": str(archive.with_suffix(".dwtz"))}
    said = fail(*arguments.format(**names).split())
    assert message.format(**names) in said
    assert said.startswith("python -m dwt_keras")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "argument",
    [
        "compress no.keras a.dwtz",
        "compress no.keras",
        "compress {k} a.dwtz --level=0",
        "expand {k} a.keras",
        "evaluate {k}.dwtz --dataset=digits",
    ],
)
def test_mistakes_that_can_be_seen_without_tensorflow_are(argument, archive, tmp_path) -> None:
    code = (
        "import sys; from dwt_keras.__main__ import main; status = main(sys.argv); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argument.format(k=archive).split()],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1


def test_an_old_file_stays_where_the_new_one_cannot_be_written(fail, archive, tmp_path) -> None:
    target = tmp_path / "a.dwtz"
    target.write_text("old")
    fail("compress", archive, target, "--max_bytes=20")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.dwtz"]


def test_a_compact_file_that_is_damaged_is_named(fail, call, archive, tmp_path) -> None:
    compact = tmp_path / "a.dwtz"
    call("compress", archive, compact)
    damaged = bytearray(compact.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    compact.write_bytes(damaged)
    for command in (
        ("inspect", compact),
        ("expand", compact, tmp_path / "b.keras"),
        ("evaluate", compact, "--dataset=digits"),
    ):
        assert f"{compact}: the file is damaged" in fail(*command)


def test_help_names_every_command_and_every_flag(call) -> None:
    whole = call("--help")
    for name in ("compress", "expand", "inspect", "evaluate", "runs"):
        assert f"python -m dwt_keras {name}" in whole
        assert f"    python -m dwt_keras {name} " in call(name, "--help")
    assert "--max_bytes" in call("compress", "--help")


def test_the_module_runs_as_a_program(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dwt_keras", "inspect", "no.dwtz"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "python -m dwt_keras inspect: no.dwtz: must be a .dwtz file; there is no file of that "
        "name\n"
    )


def test_the_commands_take_the_datasets_of_the_training(digits: data.Dataset) -> None:
    from dwt_keras.settings.commands import EvaluateSettings

    assert EvaluateSettings("digits").dataset == digits.name
